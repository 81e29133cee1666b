/// The request line (RFC 9112 section 3).
extension RequestHead {
    /// Reads `METHOD SP target SP HTTP/1.x`; nil when it is good.
    mutating func readRequestLine(_ bytes: Span<UInt8>, _ line: Range<Int>) -> HTTPFailure? {
        guard ByteSearch.firstControl(in: bytes, from: line.lowerBound, to: line.upperBound) == line.upperBound else {
            return .requestLine
        }
        var index = line.lowerBound
        while index < line.upperBound, ASCIISet.token.contains(bytes[index]) { index &+= 1 }
        guard index > line.lowerBound, index < line.upperBound, bytes[index] == 0x20,
            index &- line.lowerBound <= Limits.methodBytes
        else { return .method }
        self.methodRange = line.lowerBound..<index
        self.method = Self.method(bytes, self.methodRange)

        let targetStart = index &+ 1
        index = targetStart
        while index < line.upperBound, bytes[index] != 0x20 { index &+= 1 }
        guard index &- targetStart <= Limits.requestTargetBytes else { return .targetTooLong }
        guard index > targetStart, index < line.upperBound else { return .requestLine }

        let versionStart = index &+ 1
        guard line.upperBound &- versionStart == 8, bytes.hasPrefix("HTTP/", at: versionStart),
            bytes[versionStart &+ 5] &- 0x30 < 10, bytes[versionStart &+ 6] == 0x2E,
            bytes[versionStart &+ 7] &- 0x30 < 10
        else { return .requestLine }
        if bytes.hasPrefix("1.1", at: versionStart &+ 5) {
            self.version = .http11
        } else if bytes.hasPrefix("1.0", at: versionStart &+ 5) {
            self.version = .http10
        } else {
            return .version
        }
        return self.readTarget(bytes, targetStart..<index)
    }

    /// Methods are case-sensitive (RFC 9110 section 9.1).
    private static func method(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Method {
        @inline(__always) func only(_ text: StaticString, _ method: Method) -> Method {
            bytes.hasPrefix(text, at: range.lowerBound) ? method : .other
        }
        switch range.count {
        case 3: return bytes[range.lowerBound] == 0x47 ? only("GET", .get) : only("PUT", .put)
        case 4: return bytes[range.lowerBound] == 0x50 ? only("POST", .post) : only("HEAD", .head)
        case 5: return bytes[range.lowerBound] == 0x50 ? only("PATCH", .patch) : only("TRACE", .trace)
        case 6: return only("DELETE", .delete)
        case 7: return bytes[range.lowerBound] == 0x4F ? only("OPTIONS", .options) : only("CONNECT", .connect)
        default: return .other
        }
    }

    /// Origin form, absolute form of http and https, and `OPTIONS *`; authority form (CONNECT) is refused.
    private mutating func readTarget(_ bytes: Span<UInt8>, _ target: Range<Int>) -> HTTPFailure? {
        if target.count == 1, bytes[target.lowerBound] == 0x2A {
            self.path = target
            return self.method == .options ? nil : .target
        }
        var start = target.lowerBound
        if bytes[start] != 0x2F {
            let schemeLength =
                if bytes.equals(start..<min(start &+ 7, target.upperBound), ignoringCase: "http://") {
                    7
                } else if bytes.equals(start..<min(start &+ 8, target.upperBound), ignoringCase: "https://") {
                    8
                } else {
                    0
                }
            guard schemeLength > 0 else { return .target }
            let authorityStart = start &+ schemeLength
            start = authorityStart
            while start < target.upperBound, bytes[start] != 0x2F, bytes[start] != 0x3F { start &+= 1 }
            self.authority = authorityStart..<start
        }
        guard self.method != .connect else { return .target }
        return self.readPath(bytes, start..<target.upperBound)
    }

    private mutating func readPath(_ bytes: Span<UInt8>, _ range: Range<Int>) -> HTTPFailure? {
        var index = range.lowerBound
        var pathEnd = range.upperBound
        while index < range.upperBound {
            let byte = bytes[index]
            guard ASCIISet.target.contains(byte) else { return .target }
            if byte == 0x25 {
                guard index &+ 2 < range.upperBound, JSONText.hexadecimal(bytes[index &+ 1]) != nil,
                    JSONText.hexadecimal(bytes[index &+ 2]) != nil
                else { return .target }
                index &+= 2
            } else if byte == 0x3F, pathEnd == range.upperBound, self.query == nil {
                pathEnd = index
                self.query = index &+ 1..<range.upperBound
            }
            index &+= 1
        }
        self.path = range.lowerBound..<pathEnd
        return Self.hasDotSegment(bytes, self.path) ? .target : nil
    }

    /// Whether a segment is `.` or `..`, with dots written plainly or as `%2e`: two hops may resolve it differently.
    private static func hasDotSegment(_ bytes: Span<UInt8>, _ path: Range<Int>) -> Bool {
        var index = path.lowerBound
        while index < path.upperBound {
            // At a slash: count the dots of the segment, and whether it holds anything else.
            index &+= 1
            var dots = 0
            var onlyDots = true
            while index < path.upperBound, bytes[index] != 0x2F {
                if bytes[index] == 0x2E {
                    dots &+= 1
                } else if bytes[index] == 0x25, index &+ 2 < path.upperBound, bytes[index &+ 1] == 0x32,
                    bytes[index &+ 2] | 0x20 == 0x65
                {
                    dots &+= 1
                    index &+= 2
                } else {
                    onlyDots = false
                }
                index &+= 1
            }
            if onlyDots, dots == 1 || dots == 2 { return true }
        }
        return false
    }
}
