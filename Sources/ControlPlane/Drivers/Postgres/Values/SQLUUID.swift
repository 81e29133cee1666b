/// A UUID as two words, compared and hashed as such.
package struct SQLUUID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads exactly 16 bytes in network order; nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for byte in bytes {
            words.0 = words.0 << 8 | words.1 >> 56
            words.1 = words.1 << 8 | UInt64(byte)
        }
        self.init(high: words.0, low: words.1)
    }

    /// Reads the form with or without hyphens, in either case; nil for anything else.
    package init?(_ text: String) {
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (position, character) in text.utf8.enumerated() {
            if character == UInt8(ascii: "-") {
                guard text.utf8.count == 36, [8, 13, 18, 23].contains(position) else { return nil }
                continue
            }
            guard let digit = Character(UnicodeScalar(character)).hexDigitValue else { return nil }
            words.0 = words.0 << 4 | words.1 >> 60
            words.1 = words.1 << 4 | UInt64(digit)
            digits += 1
        }
        guard digits == 32 else { return nil }
        self.init(high: words.0, low: words.1)
    }

    /// The 16 bytes in network order.
    package var bytes: [UInt8] {
        (0..<16).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? self.high : self.low) >> UInt64(56 - 8 * (index % 8)))
        }
    }
}

extension SQLUUID: Comparable {
    /// The order in which PostgreSQL sorts.
    package static func < (left: SQLUUID, right: SQLUUID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension SQLUUID: CustomStringConvertible {
    /// Lower case with hyphens.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, byte) in self.bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension SQLUUID: SQLEncodable {
    package var sqlValue: SQLValue { .uuid(self) }
}
