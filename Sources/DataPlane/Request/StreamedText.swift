/// How much text a stream of events has brought, by their sizes.
///
/// Events of one stream have the same frame around their text. The shortest event stands for it, but for what the first
/// ones show to be text: a provider may send large pieces of one size.
package struct StreamedText: Sendable, Equatable {
    private var events: Int64 = 0
    private var size: Int64 = 0
    /// Bytes of the frame at most.
    private var frame: Int64 = .max

    package init() {}

    /// Notes an event that brings text.
    ///
    /// - Parameter data: the event.
    package mutating func note(_ data: Span<UInt8>) {
        if self.events < Self.looks {
            let frame = Int64(data.count - Self.longestString(data)) + Self.identifier
            self.frame = min(self.frame, frame)
        }
        self.events &+= 1
        self.size &+= Int64(data.count)
        self.frame = min(self.frame, Int64(data.count))
    }

    /// Bytes of text: at least one an event.
    package var bytes: Int64 {
        guard self.events > 0 else { return 0 }
        return max(self.events, self.size &- self.events &* (self.frame &- 1))
    }

    /// Whether nothing with text has come.
    package var isEmpty: Bool { self.events == 0 }

    /// Tokens that such text has at least and usually: one an event, and one for two bytes.
    package var usualTokens: Int64 { max(self.events, self.bytes / 2) }

    /// Events that are looked into.
    private static let looks = 2
    /// A string up to this long may be an identifier.
    private static let identifier: Int64 = 72

    /// Bytes of the longest JSON string.
    private static func longestString(_ bytes: Span<UInt8>) -> Int {
        var longest = 0
        var start = -1
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x5C: index &+= 1
            case 0x22:
                if start < 0 {
                    start = index &+ 1
                } else {
                    longest = max(longest, index &- start)
                    start = -1
                }
            default: break
            }
            index &+= 1
        }
        return longest
    }
}
