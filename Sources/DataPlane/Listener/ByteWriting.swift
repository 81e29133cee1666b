/// Where heads and framing are written: the shell's buffer, or an array in tests.
///
/// Used as a generic parameter inside this module only, so that each use is specialised.
package protocol ByteWriting {
    mutating func write(byte: UInt8)
    mutating func write(_ text: StaticString)
    mutating func write(_ bytes: Span<UInt8>)
}

extension Array: ByteWriting where Element == UInt8 {
    package mutating func write(byte: UInt8) { self.append(byte) }

    package mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { unsafe self.append(contentsOf: $0) }
    }

    package mutating func write(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { unsafe self.append(contentsOf: $0) }
    }
}

extension ByteWriting {
    /// Writes a non-negative number in decimal; a negative one as 0.
    package mutating func write(decimal value: Int) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        var rest = max(value, 0)
        repeat {
            start &-= 1
            digits[start] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        self.write(digits.span.extracting(start..<20))
    }

    /// Writes a non-negative number in hexadecimal without leading zeros; a negative one as 0.
    package mutating func write(hexadecimal value: Int) {
        var digits = InlineArray<16, UInt8>(repeating: 0)
        var start = 16
        var rest = max(value, 0)
        repeat {
            start &-= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            digits[start] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
            rest = rest &>> 4
        } while rest > 0
        self.write(digits.span.extracting(start..<16))
    }
}
