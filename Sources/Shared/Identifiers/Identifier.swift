/// A 128-bit UUID version 7 (RFC 9562 section 5.7), the value behind every identifier.
package struct UUIDValue: Hashable, Comparable, Sendable {
    /// The first eight bytes, big-endian: 48 bits of Unix milliseconds, the version, 12 random bits.
    package let high: UInt64
    /// The last eight bytes, big-endian: the variant and 62 random bits.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new version 7 value.
    ///
    /// - Parameter milliseconds: Unix time; only the low 48 bits are kept.
    package init(milliseconds: UInt64, random: (UInt64, UInt64)) {
        self.high = (milliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (random.0 & 0x0FFF)
        self.low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
    }

    package static func < (left: UUIDValue, right: UUIDValue) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }

    /// Sixteen bytes, big-endian.
    package var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(16)
        result.appendBigEndian(self.high)
        result.appendBigEndian(self.low)
        return result
    }

    /// Reads sixteen big-endian bytes; nil when there are not exactly sixteen.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(high: bytes.bigEndianUInt64(at: 0), low: bytes.bigEndianUInt64(at: 8))
    }
}

/// What an identifier names, and the prefix its text form carries.
package protocol IdentifierKind: Sendable {
    static var prefix: String { get }
}

/// An identifier that cannot be confused with one of another noun.
///
/// In SQL it is a `uuid`; in the API it is the noun's prefix and 26 Crockford base-32 characters, for example
/// `org_01jd3x0r7ze4qbt0xq4v6m2k5n`. Identifiers are never reused.
package struct Identifier<Kind: IdentifierKind>: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UUIDValue

    package init(_ value: UUIDValue) { self.value = value }

    package init?(bytes: [UInt8]) {
        guard let value = UUIDValue(bytes: bytes) else { return nil }
        self.value = value
    }

    /// Reads the text form; nil unless prefix, length and alphabet are exactly right.
    package init?(_ text: String) {
        let utf8 = Array(text.utf8)
        let prefix = Array(Kind.prefix.utf8)
        guard utf8.count == prefix.count + 1 + Crockford.length, utf8.starts(with: prefix),
            utf8[prefix.count] == UInt8(ascii: "_"),
            let value = Crockford.decode(utf8[(prefix.count + 1)...])
        else { return nil }
        self.value = value
    }

    package var bytes: [UInt8] { self.value.bytes }

    package var description: String { "\(Kind.prefix)_\(Crockford.encode(self.value))" }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// Crockford base 32 of 128 bits: 26 lower-case characters, the first of which is at most `7`.
package enum Crockford {
    static let length = 26
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    package static func encode(_ value: UUIDValue) -> String {
        var high = value.high
        var low = value.low
        var text = [UInt8](repeating: 0, count: Self.length)
        for position in stride(from: Self.length - 1, through: 0, by: -1) {
            text[position] = Self.alphabet[Int(low & 31)]
            low = low >> 5 | high << 59
            high >>= 5
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil unless length and alphabet are exactly right.
    package static func decode(_ text: ArraySlice<UInt8>) -> UUIDValue? {
        guard text.count == Self.length, let first = text.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "7")
        else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for character in text {
            guard let digit = Self.alphabet.firstIndex(of: character) else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(digit)
        }
        return UUIDValue(high: high, low: low)
    }
}

extension [UInt8] {
    package mutating func appendBigEndian(_ value: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            self.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// The eight bytes at `offset`, which the caller has checked to be there.
    package func bigEndianUInt64(at offset: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in offset..<offset + 8 { value = value << 8 | UInt64(self[index]) }
        return value
    }
}
