/// Every endpoint there is, and which of them a request is for.
package struct Catalogue: Sendable {
    package let endpoints: [Endpoint]
    private let byLength: [Int: [Int]]

    package init(_ endpoints: [Endpoint]) {
        self.endpoints = endpoints
        self.byLength = Dictionary(grouping: endpoints.indices) { endpoints[$0].path.segments.count }
    }

    package enum Match: Sendable {
        case found(Endpoint, path: [String: String])
        /// The path exists for other methods.
        case otherMethod(allowed: [String])
        case none
    }

    package func match(method: String, path: String) -> Match {
        guard path.hasPrefix("/"), path.utf8.count <= 2048 else { return .none }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
            PercentEncoding.decode($0)
        }
        var decoded: [String] = []
        for part in parts {
            guard let part else { return .none }
            decoded.append(part)
        }
        var allowed: [String] = []
        for index in self.byLength[decoded.count] ?? [] {
            let endpoint = self.endpoints[index]
            guard let values = endpoint.path.match(decoded) else { continue }
            if endpoint.method.rawValue == method { return .found(endpoint, path: values) }
            allowed.append(endpoint.method.rawValue)
        }
        return allowed.isEmpty ? .none : .otherMethod(allowed: allowed)
    }
}

/// RFC 3986 section 2.1, as paths and queries use it.
package enum PercentEncoding {
    /// Nil for a malformed escape, a zero byte or bytes that are not UTF-8.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst(), let low = rest.popFirst(), high < 0x80, low < 0x80,
                    let first = Character(Unicode.Scalar(high)).hexDigitValue,
                    let second = Character(Unicode.Scalar(low)).hexDigitValue
                else { return nil }
                bytes.append(UInt8(first << 4 | second))
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    /// The parameters of a query, in order.
    package static func parameters(_ query: String) throws(ControlError) -> [(name: String, value: String)] {
        var parameters: [(name: String, value: String)] = []
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(halves[0], plusIsSpace: true),
                let value = Self.decode(halves.count == 2 ? halves[1] : "", plusIsSpace: true)
            else { throw ControlError(.invalid, "invalid_query", "The query is not well-formed.") }
            parameters.append((name: name, value: value))
        }
        return parameters
    }
}
