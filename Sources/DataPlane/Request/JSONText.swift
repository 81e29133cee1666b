/// The text of JSON strings and integers, outside any document.
package enum JSONText {
    /// The byte that the two-character escape with this second character stands for (RFC 8259 section 7).
    @inline(__always)
    package static func unescaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x22, 0x5C, 0x2F: byte
        case 0x6E: 0x0A
        case 0x72: 0x0D
        case 0x74: 0x09
        case 0x62: 0x08
        case 0x66: 0x0C
        default: nil
        }
    }

    @inline(__always)
    package static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x41 &+ 10
        case 0x61...0x66: byte &- 0x61 &+ 10
        default: nil
        }
    }

    /// Unescapes the content of a string the scanner accepted.
    ///
    /// Nil when it does not fit, or holds a lone surrogate or a control character: such a text names nothing.
    package static func unescape(_ bytes: Span<UInt8>, _ range: Range<Int>) -> ShortText? {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        var text = ShortText()
        var index = range.lowerBound
        while index < range.upperBound {
            var byte = bytes[index]
            index &+= 1
            if byte == 0x5C {
                guard index < range.upperBound else { return nil }
                let escape = bytes[index]
                index &+= 1
                if escape == 0x75 {
                    guard let scalar = self.scalar(bytes, &index, range.upperBound) else { return nil }
                    guard scalar.value >= 0x20, scalar.value != 0x7F else { return nil }
                    for unit in UTF8.encode(scalar) ?? Unicode.UTF8.EncodedScalar() {
                        guard text.append(unit) else { return nil }
                    }
                    continue
                }
                guard let plain = self.unescaped(escape) else { return nil }
                byte = plain
            }
            guard byte >= 0x20, byte != 0x7F, text.append(byte) else { return nil }
        }
        return text
    }

    /// The code point of one or two `\u` escapes, of which the first `\u` was read.
    private static func scalar(_ bytes: Span<UInt8>, _ index: inout Int, _ end: Int) -> Unicode.Scalar? {
        guard let first = self.unit(bytes, &index, end) else { return nil }
        guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) }
        guard index &+ 2 <= end, bytes[index] == 0x5C, bytes[index &+ 1] == 0x75 else { return nil }
        index &+= 2
        guard let second = self.unit(bytes, &index, end), second & 0xFC00 == 0xDC00 else { return nil }
        return Unicode.Scalar(0x10000 &+ ((first & 0x3FF) &<< 10 | second & 0x3FF))
    }

    private static func unit(_ bytes: Span<UInt8>, _ index: inout Int, _ end: Int) -> UInt32? {
        guard index &+ 4 <= end else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = self.hexadecimal(bytes[index]) else { return nil }
            value = value &<< 4 | UInt32(digit)
            index &+= 1
        }
        return value
    }

    /// The value of a JSON number that is a plain integer from 0 to 999 999 999 999 999 999.
    ///
    /// Nil for a sign, a fraction, an exponent, or more digits: such a number counts nothing.
    package static func integer(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        guard !range.isEmpty, range.count <= 18, range.lowerBound >= 0, range.upperBound <= bytes.count else {
            return nil
        }
        var value: Int64 = 0
        for index in range {
            let digit = bytes[index] &- 0x30
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int64(digit)
        }
        return value
    }
}

/// At most 256 bytes of UTF-8 held inline, such as a model's name.
package struct ShortText: Sendable {
    private var storage = InlineArray<256, UInt8>(repeating: 0)
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { self.count == 0 }

    /// Adds a byte; false when it is full.
    package mutating func append(_ byte: UInt8) -> Bool {
        guard self.count < Limits.modelBytes else { return false }
        self.storage[self.count] = byte
        self.count &+= 1
        return true
    }

    /// Lets `body` look at the bytes.
    @inline(__always)
    package func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        body(self.storage.span.extracting(first: self.count))
    }

    package func equals(_ text: StaticString) -> Bool {
        guard text.utf8CodeUnitCount == self.count else { return false }
        return self.withSpan { $0.hasPrefix(text, at: 0) }
    }
}
