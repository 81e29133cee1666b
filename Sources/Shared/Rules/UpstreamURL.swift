/// Where a provider is reached: `http` or `https`, a host, a port, and a path that requests are put under.
package struct UpstreamURL: Hashable, Sendable {
    package let isTLS: Bool
    /// A host name or an address; IPv6 without its brackets.
    package let host: String
    package let port: Int
    /// Empty, or a path that begins with a slash and does not end with one.
    package let path: String
    /// The value of the Host field (RFC 9110 section 7.2).
    package let hostField: String

    /// What is wrong with a base URL, to be said after its name.
    package struct Failure: Error, Sendable, Equatable {
        package let reason: String
    }

    package init(_ text: String) throws(Failure) {
        var rest = Substring(text)
        if text.hasPrefix("https://") {
            self.isTLS = true
            rest = rest.dropFirst(8)
        } else if text.hasPrefix("http://") {
            self.isTLS = false
            rest = rest.dropFirst(7)
        } else {
            throw Failure(reason: "must begin with https:// or http://")
        }
        guard text.utf8.count <= 1024, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Failure(reason: "must be at most 1024 printable ASCII characters")
        }
        guard !rest.contains(where: { "?#\\@".contains($0) }) else {
            throw Failure(reason: "must have no user, query or fragment")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var path = String(rest[slash...])
        while path.last == "/" { path.removeLast() }
        guard
            !path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().contains(where: {
                $0.isEmpty || $0 == "." || $0 == ".."
            })
        else { throw Failure(reason: "must have no empty, '.' or '..' path segment") }
        self.path = path
        let (host, port) = try Self.authority(rest[..<slash])
        self.host = host
        let standard = self.isTLS ? 443 : 80
        self.port = port ?? standard
        let name = host.contains(":") ? "[\(host)]" : host
        self.hostField = self.port == standard ? name : "\(name):\(self.port)"
    }

    private static func authority(_ text: Substring) throws(Failure) -> (String, Int?) {
        var host = text
        var portText: Substring?
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { throw Failure(reason: "has an IPv6 address without ]") }
            host = text[text.index(after: text.startIndex)..<close]
            let after = text[text.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { throw Failure(reason: "has a bad port") }
            portText = after.isEmpty ? nil : after.dropFirst()
            guard host.contains(":"), IPAddress(String(host)) != nil else {
                throw Failure(reason: "has a bad IPv6 address")
            }
        } else {
            if let colon = text.firstIndex(of: ":") {
                host = text[..<colon]
                portText = text[text.index(after: colon)...]
            }
            let labels = host.split(separator: ".", omittingEmptySubsequences: false)
            guard !host.isEmpty, host.utf8.count <= 253,
                labels.allSatisfy({ label in
                    (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                        && label.utf8.allSatisfy { Self.isHostByte($0) }
                })
            else { throw Failure(reason: "has a bad host name") }
        }
        guard let portText else { return (host.lowercased(), nil) }
        guard portText.utf8.count <= 5, portText.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(portText),
            (1...65_535).contains(port)
        else { throw Failure(reason: "has a bad port") }
        return (host.lowercased(), port)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45 || byte == 95
    }
}
