import Wire

/// What one port of the upstream answers to every request, written `PORT:json:BYTES`, or
/// `PORT:events:COUNT:BYTES:MICROSECONDS` (between two events; 0: as fast as they are taken).
struct Shape {
    enum Kind {
        case document
        case events(count: Int, interval: UInt64)
    }

    let port: Int
    let kind: Kind
    /// The whole answer of a document; the head of a stream.
    let head: [UInt8]
    /// What an event holds beside its stamp.
    let filler: String

    init(_ text: String) {
        let parts = text.split(separator: ":").map(String.init)
        guard parts.count >= 3, let port = Int(parts[0]), let first = Int(parts[2]) else {
            stop("'\(text)' is no shape")
        }
        self.port = port
        switch parts[1] {
        case "json":
            self.kind = .document
            self.filler = ""
            let frame = Self.document("")
            let body = Self.document(String(repeating: "x", count: max(0, first - frame.utf8.count)))
            self.head = Array(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    .utf8)
        case "events":
            guard parts.count == 5, let bytes = Int(parts[3]), let interval = UInt64(parts[4]) else {
                stop("'\(text)' is no shape")
            }
            self.kind = .events(count: first, interval: interval * 1000)
            self.filler = String(repeating: "x", count: max(0, bytes - Self.event("", stamp: 0).utf8.count - 20))
            self.head = Array(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        default: stop("'\(text)' is no shape")
        }
    }

    private static func document(_ content: String) -> String {
        """
        {"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":\
        {"role":"assistant","content":"\(content)"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,\
        "completion_tokens":20,"total_tokens":30}}
        """
    }

    private static func event(_ content: String, stamp: UInt64) -> String {
        """
        data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,\
        "delta":{"content":"\(content)"},"finish_reason":null}],"stamp":\(stamp)}\n\n
        """
    }

    private static let finish = [
        #"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        #"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}"#,
        "data: [DONE]",
    ]

    /// One event as a chunk, stamped with the time.
    func event(at stamp: UInt64) -> String { Self.chunk(Self.event(self.filler, stamp: stamp)) }

    /// The events that end a stream, as chunks.
    static let ending: String = Self.finish.map { Self.chunk($0 + "\n\n") }.joined() + "0\r\n\r\n"

    private static func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n\(text)\r\n" }
}
