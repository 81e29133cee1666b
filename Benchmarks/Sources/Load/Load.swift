import Wire

/// Sends one request again and again over many connections, and says how it went, as one line of JSON.
///
/// Closed loop (`--rate 0`): each connection sends its next request when its answer is complete. Fixed rate: requests
/// are due at even times whatever happens, and an answer's time counts from when its request was *due*, so that a
/// stall is seen by everybody who would have waited (no coordinated omission).
@main
enum Load {
    static func main() {
        let arguments = Arguments(CommandLine.arguments.dropFirst())
        var run = Run(arguments)
        run.go()
        say(run.json)
    }
}

private final class Client {
    var stream: Stream?
    var outbox = Outbox()
    var reader = AnswerReader()
    /// When the request that is under way was due; nil when none is.
    var due: UInt64?
    var hasBegun = false
    var wantsWrite = false
    var isConnected = false
}

private struct Run {
    private let port: Int
    private let tls: TLSContext?
    private let request: [UInt8]
    private let seconds: Int
    private let warmup: Int
    /// Requests a second; 0: as fast as they are answered.
    private let rate: Int
    private let limit: Int
    private let poller = Poller()
    private var clients: [Client] = []
    private var idle: [Int] = []
    private var scratch = [UInt8](repeating: 0, count: 256 << 10)

    private var answered = 0
    private var failed = 0
    private var events = 0
    private var total = Histogram()
    private var firstByte = Histogram()
    private var eventDelay = Histogram()
    private var started: UInt64 = 0
    private var ended: UInt64 = 0
    private var isMeasuring = false
    private var backlog = 0
    private var sent = 0

    init(_ arguments: Arguments) {
        self.port = arguments.number("port")
        self.tls = arguments.number("tls", default: 0) == 1 ? TLSContext() : nil
        self.seconds = arguments.number("seconds", default: 5)
        self.warmup = arguments.number("warmup", default: 1)
        self.rate = arguments.number("rate", default: 0)
        self.limit = arguments.number("requests", default: .max)
        self.request = Self.request(arguments)
        for number in 0..<arguments.number("connections", default: 1) {
            self.clients.append(Client())
            self.idle.append(number)
        }
    }

    private static func request(_ arguments: Arguments) -> [UInt8] {
        let stream = arguments.number("stream", default: 0) == 1 ? ",\"stream\":true" : ""
        let frame = { (content: String) in
            "{\"model\":\"\(arguments.text("model"))\",\"messages\":[{\"role\":\"user\",\"content\":\"\(content)\"}]\(stream)}"
        }
        let wanted = arguments.number("body", default: 1024)
        // Prose with an escape now and then, as requests are: not one letter again and again.
        let prose = "The quick brown fox jumps over the lazy dog, and nobody minds.\\n"
        let room = max(0, wanted - frame("").utf8.count)
        let content =
            String(repeating: prose, count: room / prose.utf8.count)
            + String(repeating: "x", count: room % prose.utf8.count)
        let body = frame(content)
        let key = arguments.all("key").last.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return Array(
            """
            POST \(arguments.text("path", default: "/v1/chat/completions")) HTTP/1.1\r
            Host: 127.0.0.1\r
            User-Agent: OpenAI/Python 2.54.0\r
            Accept: application/json\r
            \(key)Content-Type: application/json\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """.utf8)
    }

    mutating func go() {
        let begin = monotonicNanoseconds()
        self.started = begin + UInt64(self.warmup) * 1_000_000_000
        let end = self.started + UInt64(self.seconds) * 1_000_000_000
        let interval = self.rate > 0 ? 1_000_000_000 / UInt64(self.rate) : 0
        var nextDue = begin
        // What is under way at the end is waited for, for a while: its time counts as well.
        let giveUp = end + 10_000_000_000
        while true {
            let now = monotonicNanoseconds()
            if !self.isMeasuring, now >= self.started { self.isMeasuring = true }
            if now >= end || self.sent >= self.limit {
                if self.idle.count == self.clients.count || now >= giveUp { break }
            } else if self.rate == 0 {
                while self.sent < self.limit, let number = self.idle.popLast() { self.send(number, due: now) }
            } else {
                while nextDue <= now, let number = self.idle.popLast() {
                    self.send(number, due: nextDue)
                    nextDue += interval
                }
                if nextDue + 1_000_000_000 < now { self.backlog += 1 }
            }
            let wait: Int32 = self.rate > 0 && nextDue > now ? Int32(clamping: (nextDue - now) / 1_000_000) : 10
            var happened: [Poller.Event] = []
            self.poller.wait(milliseconds: self.rate > 0 ? min(wait, 10) : 10) { happened.append($0) }
            for event in happened { self.handle(event) }
        }
        self.ended = min(monotonicNanoseconds(), max(end, self.started + 1))
    }

    private mutating func send(_ number: Int, due: UInt64) {
        let client = self.clients[number]
        if client.stream == nil {
            let socket = Socket.connect(port: self.port)
            client.stream = Stream(socket, self.tls, isServer: false)
            client.wantsWrite = true
            self.poller.add(socket, token: number, writing: true)
        }
        client.due = due
        client.hasBegun = false
        client.reader.reset()
        client.outbox.append(self.request)
        self.sent += 1
        if client.isConnected { self.flush(client, number) }
    }

    private mutating func flush(_ client: Client, _ number: Int) {
        guard let stream = client.stream else { return }
        guard client.outbox.flush(to: stream) else {
            self.drop(client, number)
            return
        }
        let wants = !client.outbox.isEmpty
        guard wants != client.wantsWrite else { return }
        client.wantsWrite = wants
        self.poller.change(stream.socket, token: number, writing: wants)
    }

    private mutating func handle(_ event: Poller.Event) {
        let client = self.clients[event.token]
        if event.isWritable || !client.isConnected {
            client.isConnected = true
            self.flush(client, event.token)
        }
        while event.isReadable, let stream = client.stream {
            switch self.scratch.withUnsafeMutableBytes({ stream.read($0) }) {
            case .bytes(let count): self.take(client, event.token, count)
            case .again:
                // A handshake may have more to send.
                if !client.outbox.isEmpty { self.flush(client, event.token) }
                return
            case .ended:
                self.drop(client, event.token)
                return
            }
        }
    }

    private mutating func take(_ client: Client, _ number: Int, _ count: Int) {
        guard let due = client.due else {
            stop("bytes that nobody asked for")
        }
        let now = monotonicNanoseconds()
        if !client.hasBegun {
            client.hasBegun = true
            if self.isMeasuring, due >= self.started { self.firstByte.add(now - min(due, now)) }
        }
        var delays = self.eventDelay
        let measures = self.isMeasuring
        self.eventDelay = Histogram.none
        var index = 0
        let isComplete = self.scratch.withUnsafeBytes { all in
            client.reader.take(UnsafeRawBufferPointer(rebasing: all[..<count]), &index) { stamp in
                if measures { delays.add(now - min(stamp, now)) }
            }
        }
        self.eventDelay = delays
        guard isComplete else { return }
        client.due = nil
        if self.isMeasuring, due >= self.started {
            if client.reader.status == 200 { self.answered += 1 } else { self.failed += 1 }
            self.total.add(now - min(due, now))
            self.events += client.reader.events
        } else if client.reader.status != 200 {
            self.failed += 1
        }
        self.idle.append(number)
    }

    private mutating func drop(_ client: Client, _ number: Int) {
        client.stream?.close()
        client.stream = nil
        client.isConnected = false
        client.outbox = Outbox()
        if client.due != nil {
            client.due = nil
            self.failed += 1
            self.idle.append(number)
        }
    }

    var json: String {
        let elapsed = (self.ended - min(self.started, self.ended)) / 1_000_000
        return """
            {"answered":\(self.answered),"failed":\(self.failed),"events":\(self.events),"milliseconds":\(elapsed),\
            "behind":\(self.backlog),"latency_us":\(self.total.json),"first_byte_us":\(self.firstByte.json),\
            "event_us":\(self.eventDelay.json),"cpu_ms":\(processCPUNanoseconds() / 1_000_000)}
            """
    }
}

extension Histogram {
    /// Stands in while the real one is lent.
    fileprivate static let none = Histogram(empty: ())
}
