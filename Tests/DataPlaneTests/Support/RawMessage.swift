/// One HTTP message as a test reads it: naively, and failing on anything odd.
struct RawMessage: Sendable {
    var startLine = ""
    /// Names in lower case.
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The body ended as its head said, not before.
    var isComplete = true
    /// Sizes of the chunks, when there were any.
    var chunks: [Int] = []
    /// Bytes of the message on the wire.
    var length = 0

    subscript(_ name: String) -> String? { self.fields.first { $0.name == name }?.value }

    var status: Int { Int(self.startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: self.body, as: UTF8.self) }

    /// The `code` of an error in the body.
    var code: String? {
        guard let start = self.text.range(of: "\"code\":\"") else { return nil }
        return String(self.text[start.upperBound...].prefix { $0 != "\"" })
    }

    /// Reads the message at the start of `bytes`; nil when more is to come.
    ///
    /// - Parameters:
    ///   - toHead: the request was HEAD, so its answer has no body.
    ///   - isClosed: nothing more will come: a cut message is given as far as it goes.
    init?(_ bytes: [UInt8], isAnswer: Bool, toHead: Bool, isClosed: Bool) {
        guard let end = Self.endOfHead(bytes) else { return nil }
        let lines = String(decoding: bytes[..<(end - 4)], as: UTF8.self).components(separatedBy: "\r\n")
        self.startLine = lines[0]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            self.fields.append((line[..<colon].lowercased(), line[line.index(after: colon)...].trimmed))
        }
        let status = self.status
        if isAnswer, toHead || status == 204 || status == 304 || status < 200 {
            self.length = end
        } else if self["transfer-encoding"] == "chunked" {
            guard self.readChunks(bytes, from: end) || isClosed else { return nil }
        } else if let declared = self["content-length"].flatMap({ Int($0) }) {
            guard bytes.count - end >= declared || isClosed else { return nil }
            self.length = min(end + declared, bytes.count)
            self.isComplete = bytes.count - end >= declared
            self.body = Array(bytes[end..<self.length])
        } else if isAnswer {
            guard isClosed else { return nil }
            self.body = Array(bytes[end...])
            self.length = bytes.count
        } else {
            self.length = end
        }
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<bytes.count where bytes[index] == 10 && bytes[index - 1] == 13 && bytes[index - 2] == 10 {
            return index + 1
        }
        return nil
    }

    /// False when chunks are missing.
    private mutating func readChunks(_ bytes: [UInt8], from start: Int) -> Bool {
        var at = start
        self.isComplete = false
        self.length = bytes.count
        while let line = bytes[at...].firstIndex(of: 10) {
            guard line > at, let size = Int(String(decoding: bytes[at..<(line - 1)], as: UTF8.self), radix: 16),
                bytes.count >= line + 1 + size + 2
            else { return false }
            self.body += bytes[(line + 1)..<(line + 1 + size)]
            at = line + 1 + size + 2
            if size == 0 {
                self.isComplete = true
                self.length = at
                return true
            }
            self.chunks.append(size)
        }
        return false
    }
}

extension StringProtocol {
    var trimmed: String {
        var text = Substring(self)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while let range = rest.range(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }

    func range(of text: String) -> Range<Index>? { self.firstRange(of: text) }
}
