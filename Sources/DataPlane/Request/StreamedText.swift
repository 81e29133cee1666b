/// How much text a stream of events has brought, without a look into them.
///
/// Events of one stream have the same frame around their text; the shortest one seen stands for it.
package struct StreamedText: Sendable, Equatable {
    private var events: Int64 = 0
    private var size: Int64 = 0
    private var least: Int64 = .max

    package init() {}

    /// Notes an event with text, of a size in bytes.
    package mutating func note(_ size: Int) {
        self.events &+= 1
        self.size &+= Int64(size)
        self.least = min(self.least, Int64(size))
    }

    /// Bytes of text: at least one an event.
    package var bytes: Int64 { self.events == 0 ? 0 : self.size &- self.events &* (self.least &- 1) }

    /// Whether nothing with text has come.
    package var isEmpty: Bool { self.events == 0 }

    /// Tokens that such text has at least and usually: one an event, and one for two bytes.
    package var usualTokens: Int64 { max(self.events, self.bytes / 2) }
}
