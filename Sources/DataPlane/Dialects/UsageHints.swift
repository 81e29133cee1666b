/// What a quick look at an event's bytes finds, to decide whether it is worth parsing.
struct UsageHints: OptionSet {
    let rawValue: UInt8
    /// A member `usage` that is not null.
    static let usage = UsageHints(rawValue: 1)
    /// A `finish_reason` that is a string, or one of the events that end a response.
    static let finish = UsageHints(rawValue: 2)

    /// Looks through `bytes[range]` once.
    ///
    /// Inside a JSON string a quote is escaped, so the needles cannot come from a model's text.
    static func find(in bytes: Span<UInt8>, _ range: Range<Int>) -> UsageHints {
        var hints: UsageHints = []
        ByteSearch.eachQuoted(in: bytes, range, 0x75, 0x66, 0x72) { index in
            switch bytes[index &+ 1] {
            case 0x75:
                if bytes.hasPrefix("\"usage\"", at: index),
                    let first = Self.firstOfValue(bytes, index &+ 7, range.upperBound), first != 0x6E
                {
                    hints.insert(.usage)
                }
            case 0x66:
                if bytes.hasPrefix("\"finish_reason\"", at: index),
                    Self.firstOfValue(bytes, index &+ 15, range.upperBound) == 0x22
                {
                    hints.insert(.finish)
                }
            default:
                if bytes.hasPrefix("\"response.completed\"", at: index)
                    || bytes.hasPrefix("\"response.incomplete\"", at: index)
                    || bytes.hasPrefix("\"response.failed\"", at: index)
                {
                    hints.insert(.finish)
                }
            }
        }
        return hints
    }

    /// The first byte of the value after a member name that ends before `index`; nil when no value follows.
    private static func firstOfValue(_ bytes: Span<UInt8>, _ index: Int, _ end: Int) -> UInt8? {
        var index = index
        while index < end, JSONScanner.isSpace(bytes[index]) { index &+= 1 }
        guard index < end, bytes[index] == 0x3A else { return nil }
        index &+= 1
        while index < end, JSONScanner.isSpace(bytes[index]) { index &+= 1 }
        return index < end ? bytes[index] : nil
    }
}
