import DataPlane

/// A head parser that takes the whole head at once and works on strings: slow, short, written from RFC 9112 alone.
struct NaiveHead: Equatable {
    var start: [String] = []
    var fields: [[String]] = []
    var framing = "none"
    var keepsAlive = true

    private static let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

    /// The lines of the head without CR LF, or nil when it is incomplete or a line ends otherwise.
    private static func lines(_ bytes: [UInt8]) -> [[UInt8]]? {
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x0A {
                guard line.last == 0x0D else { return nil }
                line.removeLast()
                if line.contains(0x0D) { return nil }
                lines.append(line)
                if line.isEmpty, lines.contains(where: { !$0.isEmpty }) { return lines.filter { !$0.isEmpty } }
                if lines.count(where: \.isEmpty) > 2 { return nil }
                line = []
            } else {
                line.append(bytes[index])
            }
            index += 1
        }
        return nil
    }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var bytes = bytes
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes.removeFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return Array(bytes)
    }

    /// Reads a whole request head; nil when it is refused or incomplete.
    ///
    /// Strings are Latin-1, so that every byte is kept.
    static func request(_ bytes: [UInt8]) -> NaiveHead? {
        guard let lines = self.lines(bytes), let first = lines.first else { return nil }
        func latin(_ bytes: some Sequence<UInt8>) -> String {
            String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
        let parts = first.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(self.token.contains), parts[0].count <= 32 else {
            return nil
        }
        let version = latin(parts[2])
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else { return nil }
        var head = NaiveHead()
        var known: [String: String] = [:]
        var connection: Set<String> = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: 0x3A), colon > 0 else { return nil }
            guard line[..<colon].allSatisfy(self.token.contains) else { return nil }
            let value = self.trim(line[(colon + 1)...])
            guard line[(colon + 1)...].allSatisfy({ $0 == 9 || ($0 >= 0x20 && $0 != 0x7F) }) else { return nil }
            let name = latin(line[..<colon]).lowercased()
            head.fields.append([name, latin(value)])
            if name == "connection" {
                for option in latin(value).lowercased().split(separator: ",") {
                    connection.insert(String(option).trimmingSpaces)
                }
            } else if !["accept", "date", "retry-after", "request-id"].contains(name),
                KnownField.allCases.contains(where: { $0.name.description == name })
            {
                guard known.updateValue(latin(value), forKey: name) == nil else { return nil }
            }
        }
        guard head.fields.count <= Limits.fieldCount else { return nil }
        if let length = known["content-length"] {
            guard !length.isEmpty, length.utf8.count <= 18, length.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
                return nil
            }
            head.framing = Int(length) == 0 ? "none" : "length \(Int(length) ?? -1)"
        }
        if let coding = known["transfer-encoding"] {
            guard known["content-length"] == nil, version == "HTTP/1.1", coding.lowercased() == "chunked" else {
                return nil
            }
            head.framing = "chunked"
        }
        if let expect = known["expect"], expect.lowercased() != "100-continue" { return nil }
        let hostCharacters = Set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._:[]".utf8)
        if let host = known["host"] {
            guard !host.isEmpty, host.utf8.allSatisfy(hostCharacters.contains) else { return nil }
        } else if version == "HTTP/1.1" {
            return nil
        }
        guard let target = self.target(latin(parts[1]), latin(parts[0]), host: known["host"]) else { return nil }
        head.start = [latin(parts[0])] + target + [version]
        head.keepsAlive = !connection.contains("close") && (version == "HTTP/1.1" || connection.contains("keep-alive"))
        return head
    }

    private static func target(_ target: String, _ method: String, host: String?) -> [String]? {
        if target == "*" { return method == "OPTIONS" ? ["*", "-"] : nil }
        var rest = target
        if !rest.hasPrefix("/") {
            let lower = rest.lowercased()
            guard let scheme = ["http://", "https://"].first(where: lower.hasPrefix) else { return nil }
            rest.removeFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            guard host == String(rest[..<end]) else { return nil }
            rest = String(rest[end...])
        }
        guard method != "CONNECT" else { return nil }
        let forbidden = Set("#\"<>\\^`{|} ".utf8)
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !forbidden.contains($0) }) else { return nil }
        for (index, piece) in rest.split(separator: "%", omittingEmptySubsequences: false).enumerated() where index > 0
        {
            guard piece.count >= 2, piece.prefix(2).allSatisfy(\.isHexDigit) else { return nil }
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first.map(String.init) ?? ""
        for segment in path.split(separator: "/", omittingEmptySubsequences: true) {
            let plain = segment.lowercased().split(separator: "%2e", omittingEmptySubsequences: false).joined(
                separator: "."
            )
            if plain == "." || plain == ".." { return nil }
        }
        return [path, parts.count > 1 ? String(parts[1]) : "-"]
    }
}

extension String {
    var trimmingSpaces: String {
        var text = Substring(self)
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
