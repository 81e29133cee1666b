import Shared

/// The name of a tag, held in place: an error says which one it is about.
package struct TagName: Equatable, Sendable, BitwiseCopyable {
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
    private var count: UInt8 = 0

    /// The first bytes of a name, as many as a name may have.
    package init(_ name: Span<UInt8>) {
        for index in 0..<min(name.count, TagText.nameLimit) {
            let bits = UInt64(name[index]) << UInt64((index & 7) * 8)
            switch index >> 3 {
            case 0: self.words.0 |= bits
            case 1: self.words.1 |= bits
            case 2: self.words.2 |= bits
            case 3: self.words.3 |= bits
            default: self.words.4 |= bits
            }
            self.count += 1
        }
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words && left.count == right.count }

    package var utf8: [UInt8] {
        let words = [self.words.0, self.words.1, self.words.2, self.words.3, self.words.4]
        return (0..<Int(self.count)).map { UInt8(truncatingIfNeeded: words[$0 >> 3] >> UInt64(($0 & 7) * 8)) }
    }
}
