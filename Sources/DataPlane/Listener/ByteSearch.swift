/// Finding bytes eight at a time, and the ASCII classes of HTTP.
///
/// The searches read a 64-bit word, mark in each byte's top bit whether it is wanted, and take the lowest mark. A
/// borrow can mark a byte above a true match wrongly but never below one, so the lowest mark is exact.
package enum ByteSearch {
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>, _ index: Int) -> UInt64 {
        // The callers check that index + 8 <= count.
        UInt64(littleEndian: unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self))
    }

    @inline(__always) private static func spread(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// Top bit set in the lowest zero byte of `word`.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 { (word &- spread(1)) & ~word & tops }

    /// Index of the first byte that ends a plain run inside a JSON string: `"`, `\`, a control or a non-ASCII byte.
    ///
    /// Answers `bytes.count` when there is none.
    @inline(__always)
    package static func jsonStringStop(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        let count = bytes.count
        while index &+ 8 <= count {
            let word = self.word(bytes, index)
            let quote = self.zeros(word ^ self.spread(0x22))
            let backslash = self.zeros(word ^ self.spread(0x5C))
            let control = (word &- self.spread(0x20)) & ~word & self.tops
            let marks = quote | backslash | control | (word & self.tops)
            if marks != 0 { return index &+ marks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < count {
            let byte = bytes[index]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { return index }
            index &+= 1
        }
        return count
    }

    /// Index of the first `byte` at or after `start`, or `bytes.count`.
    @inline(__always)
    package static func first(_ byte: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        let count = bytes.count
        while index &+ 8 <= count {
            let marks = self.zeros(self.word(bytes, index) ^ self.spread(byte))
            if marks != 0 { return index &+ marks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < count {
            if bytes[index] == byte { return index }
            index &+= 1
        }
        return count
    }

    /// Index of the first LF or CR at or after `start`, or `bytes.count`.
    @inline(__always)
    package static func firstLineEnd(in bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        let count = bytes.count
        while index &+ 8 <= count {
            let word = self.word(bytes, index)
            let marks = self.zeros(word ^ self.spread(0x0A)) | self.zeros(word ^ self.spread(0x0D))
            if marks != 0 { return index &+ marks.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < count {
            let byte = bytes[index]
            if byte == 0x0A || byte == 0x0D { return index }
            index &+= 1
        }
        return count
    }

    /// Calls `body` with each index in `range` of a `"` that is followed by `a`, `b` or `c` inside the range.
    @inline(__always)
    package static func eachQuoted(
        in bytes: Span<UInt8>,
        _ range: Range<Int>,
        _ a: UInt8,
        _ b: UInt8,
        _ c: UInt8,
        _ body: (Int) -> Void
    ) {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return }
        var index = range.lowerBound
        let last = range.upperBound &- 1
        while index < last {
            if index &+ 9 <= range.upperBound {
                let quotes = self.zeros(self.word(bytes, index) ^ self.spread(0x22))
                let after = self.word(bytes, index &+ 1)
                let letters =
                    self.zeros(after ^ self.spread(a)) | self.zeros(after ^ self.spread(b))
                    | self.zeros(after ^ self.spread(c))
                // No match is missed; a wrongly marked one is sorted out below.
                guard quotes & letters != 0 else {
                    index &+= 8
                    continue
                }
                index &+= (quotes & letters).trailingZeroBitCount &>> 3
            }
            let next = bytes[index &+ 1]
            if bytes[index] == 0x22, next == a || next == b || next == c { body(index) }
            index &+= 1
        }
    }

    /// Index of the first control byte other than HTAB in `start ..< end`, or `end`.
    @inline(__always)
    package static func firstControl(in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var index = start
        while index < end {
            while index &+ 8 <= end {
                let word = self.word(bytes, index)
                let marks = ((word &- self.spread(0x20)) & ~word & self.tops) | self.zeros(word ^ self.spread(0x7F))
                if marks != 0 {
                    index &+= marks.trailingZeroBitCount &>> 3
                    break
                }
                index &+= 8
            }
            guard index < end else { return end }
            let byte = bytes[index]
            if byte == 0x7F || (byte < 0x20 && byte != 0x09) { return index }
            index &+= 1
        }
        return end
    }
}

/// Sets of ASCII bytes, one bit each.
package struct ASCIISet: Sendable {
    private let low: UInt64
    private let high: UInt64

    /// `low` holds bits for bytes 0…63, `high` for 64…127; as literals, so that a set needs no initializer.
    private init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// `tchar` of RFC 9110 section 5.6.2: what methods and field names are made of.
    package static let token = ASCIISet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    /// What a path or query may hold: RFC 3986 `pchar`, `/`, `?`, and the brackets that clients leave unescaped.
    package static let target = ASCIISet(low: 0xAFFF_FFF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFF)
    /// What a Host value may hold here: names, addresses, brackets, port.
    package static let host = ASCIISet(low: 0x07FF_6000_0000_0000, high: 0x07FF_FFFE_AFFF_FFFE)

    @inline(__always)
    package func contains(_ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return ((byte < 64 ? self.low : self.high) &>> UInt64(byte & 63)) & 1 == 1
    }
}

extension Span<UInt8> {
    /// Whether the bytes of `range` are `text`, which must be lower case, ignoring ASCII case.
    @inline(__always)
    package func equals(_ range: Range<Int>, ignoringCase text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount, range.lowerBound >= 0, range.upperBound <= self.count else {
            return false
        }
        let wanted = unsafe text.utf8Start
        for index in 0..<range.count {
            var byte = self[range.lowerBound &+ index]
            if byte &- 0x41 < 26 { byte |= 0x20 }
            if unsafe byte != wanted[index] { return false }
        }
        return true
    }

    /// Whether `text` stands at `index`.
    @inline(__always)
    package func hasPrefix(_ text: StaticString, at index: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard index >= 0, length <= self.count &- index else { return false }
        let wanted = unsafe text.utf8Start
        for offset in 0..<length where unsafe self[index &+ offset] != wanted[offset] { return false }
        return true
    }
}
