import Wire

/// One connection: reads requests, answers each with its port's shape.
private final class Connection {
    let stream: Stream
    let shape: Shape
    var outbox = Outbox()
    var wantsWrite = false
    /// Bytes of the request that are still to come; nil while its head is.
    private var head: [UInt8] = []
    private var bodyLeft: Int?
    /// Events of the current stream that are still to be sent, and when the next one is due.
    var eventsLeft = 0
    var due: UInt64 = 0

    init(_ stream: Stream, _ shape: Shape) {
        self.stream = stream
        self.shape = shape
    }

    /// Takes bytes of requests; returns how many requests they completed.
    func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        var index = 0
        var completed = 0
        while index < bytes.count {
            if let left = self.bodyLeft {
                let taken = min(left, bytes.count - index)
                index += taken
                self.bodyLeft = left - taken
            } else {
                self.head.append(bytes[index])
                index += 1
                guard self.head.count >= 4, self.head.suffix(4).elementsEqual([13, 10, 13, 10]) else {
                    if self.head.count > 65_536 { stop("a head without an end") }
                    continue
                }
                self.bodyLeft = Self.contentLength(self.head)
                self.head.removeAll(keepingCapacity: true)
            }
            if self.bodyLeft == 0 {
                self.bodyLeft = nil
                completed += 1
            }
        }
        return completed
    }

    private static func contentLength(_ head: [UInt8]) -> Int {
        let name = Array("content-length:".utf8)
        var start = 0
        while let end = head[start...].firstIndex(of: 10) {
            let line = head[start..<end]
            if line.count > name.count, zip(line, name).allSatisfy({ $0 | 0x20 == $1 || $0 == $1 }) {
                let digits = line.dropFirst(name.count).filter { (48...57).contains($0) }
                return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
            }
            start = end + 1
        }
        return 0
    }
}

/// A provider that answers at once, or event by event at a steady pace: `--serve SHAPE` for each port, and
/// `--certificate`, `--key` for TLS on all of them.
@main
enum Upstream {
    static func main() {
        let arguments = Arguments(CommandLine.arguments.dropFirst())
        let shapes = arguments.all("serve").map { Shape($0) }
        guard !shapes.isEmpty else { stop("--serve PORT:json:BYTES or PORT:events:COUNT:BYTES:MICROSECONDS") }
        let certificate = arguments.all("certificate").last
        let tls = certificate.map { TLSContext(certificate: $0, key: arguments.text("key")) }
        var server = Server(shapes, tls)
        say("ready")
        while true { server.turn() }
    }
}

/// The loop around all connections.
private struct Server {
    private let poller = Poller()
    private let shapes: [Shape]
    private let listeners: [Int32]
    private let tls: TLSContext?
    private var connections: [Int: Connection] = [:]
    private var nextToken: Int
    /// Streams with an event to come, by port: of one port all have the same pace, so the first is due first.
    private var paced: [[Connection]]
    private var scratch = [UInt8](repeating: 0, count: 256 << 10)

    init(_ shapes: [Shape], _ tls: TLSContext?) {
        self.shapes = shapes
        self.tls = tls
        self.listeners = shapes.map { Socket.listen(port: $0.port) }
        self.nextToken = shapes.count
        self.paced = shapes.map { _ in [] }
        for (token, listener) in self.listeners.enumerated() { self.poller.add(listener, token: token) }
    }

    mutating func turn() {
        var events: [Poller.Event] = []
        self.poller.wait(milliseconds: self.timeToNextEvent()) { events.append($0) }
        for event in events {
            if event.token < self.listeners.count { self.accept(event.token) } else { self.serve(event) }
        }
        self.sendDueEvents()
    }

    private func timeToNextEvent() -> Int32? {
        let due = self.paced.compactMap { $0.first?.due }.min()
        guard let due else { return nil }
        let now = monotonicNanoseconds()
        return due <= now ? 0 : Int32(clamping: (due - now) / 1_000_000)
    }

    private mutating func accept(_ number: Int) {
        while let socket = Socket.accept(self.listeners[number]) {
            let connection = Connection(Stream(socket, self.tls, isServer: true), self.shapes[number])
            self.connections[self.nextToken] = connection
            self.poller.add(socket, token: self.nextToken)
            self.nextToken += 1
        }
    }

    private mutating func serve(_ event: Poller.Event) {
        guard let connection = self.connections[event.token] else { return }
        while event.isReadable {
            let outcome = self.scratch.withUnsafeMutableBytes { connection.stream.read($0) }
            switch outcome {
            case .bytes(let count):
                let completed = self.scratch.withUnsafeBytes {
                    connection.take(UnsafeRawBufferPointer(rebasing: $0[..<count]))
                }
                for _ in 0..<completed { self.answer(connection) }
                continue
            case .again: break
            case .ended:
                self.end(connection, event.token)
                return
            }
            break
        }
        self.flush(connection, event.token)
    }

    private mutating func answer(_ connection: Connection) {
        connection.outbox.append(connection.shape.head)
        guard case .events(let count, let interval) = connection.shape.kind else { return }
        if interval == 0 {
            let event = connection.shape.event(at: monotonicNanoseconds()).utf8
            for _ in 0..<count { connection.outbox.append(event) }
            connection.outbox.append(Shape.ending.utf8)
        } else {
            connection.eventsLeft = count
            connection.due = monotonicNanoseconds() + interval
            guard let number = self.shapes.firstIndex(where: { $0.port == connection.shape.port }) else { return }
            self.paced[number].append(connection)
        }
    }

    private mutating func sendDueEvents() {
        let now = monotonicNanoseconds()
        for number in self.paced.indices {
            guard let first = self.paced[number].first, first.due <= now else { continue }
            guard case .events(_, let interval) = self.shapes[number].kind else { continue }
            let dueCount = self.paced[number].firstIndex { $0.due > now } ?? self.paced[number].count
            let due = Array(self.paced[number].prefix(dueCount))
            self.paced[number].removeFirst(dueCount)
            for connection in due where connection.eventsLeft > 0 {
                connection.outbox.append(connection.shape.event(at: monotonicNanoseconds()).utf8)
                connection.eventsLeft -= 1
                if connection.eventsLeft == 0 {
                    connection.outbox.append(Shape.ending.utf8)
                } else {
                    connection.due += interval
                    self.paced[number].append(connection)
                }
                _ = connection.outbox.flush(to: connection.stream)
            }
        }
    }

    private mutating func flush(_ connection: Connection, _ token: Int) {
        guard connection.outbox.flush(to: connection.stream) else {
            self.end(connection, token)
            return
        }
        let wants = !connection.outbox.isEmpty
        guard wants != connection.wantsWrite else { return }
        connection.wantsWrite = wants
        self.poller.change(connection.stream.socket, token: token, writing: wants)
    }

    private mutating func end(_ connection: Connection, _ token: Int) {
        connection.eventsLeft = 0
        for number in self.paced.indices { self.paced[number].removeAll { $0 === connection } }
        self.connections[token] = nil
        connection.stream.close()
    }
}
