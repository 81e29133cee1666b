/// Reads the server-sent events of a chat completion, as they come.
package struct ChatStream: Sendable {
    private var line: [UInt8] = []
    private var isCut = false
    /// The most bytes of one line.
    private static let limit = 1 << 20
    package private(set) var isDone = false
    package private(set) var usage: JSON?
    package private(set) var failure: JSON?

    package init() {}

    /// - Returns: the text that the bytes add.
    package mutating func take(_ bytes: some Sequence<UInt8>) throws(ClientError) -> String {
        var text = ""
        for byte in bytes {
            guard byte == 0x0A else {
                guard self.line.count < Self.limit else {
                    throw ClientError(.failure, "the gateway sends a line of more than \(Self.limit >> 20) MiB")
                }
                self.line.append(byte)
                continue
            }
            if self.line.last == 0x0D { self.line.removeLast() }
            text += self.event(self.line)
            self.line = []
        }
        return text
    }

    private mutating func event(_ line: [UInt8]) -> String {
        let prefix = Array("data:".utf8)
        guard line.starts(with: prefix) else { return "" }
        let data = Array(line.dropFirst(prefix.count).drop { $0 == 0x20 })
        if data == Array("[DONE]".utf8) {
            self.isDone = true
            return ""
        }
        guard let event = try? JSON(parsing: data) else { return "" }
        if let usage = event["usage"], usage.object != nil { self.usage = usage }
        if let failure = event["error"], failure != .null { self.failure = failure }
        return event.value(at: "choices.0.delta.content")?.string ?? ""
    }
}
