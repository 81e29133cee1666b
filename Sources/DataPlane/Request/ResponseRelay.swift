import Shared

/// Reads an answer on its way to the client: finds its usage, and what of it the client must not see.
///
/// Bytes in, ranges to send out. Knows no channel.
struct ResponseRelay: ~Copyable {
    enum Mode {
        /// One JSON document, relayed as it comes.
        case document
        /// Server-sent events, relayed event by event.
        case events
        /// Not looked into.
        case opaque
    }

    private(set) var mode = Mode.opaque
    /// The usage event was asked for by the gateway: the client does not get it.
    private var dropsUsageEvent = false
    private(set) var usage = UsageScanner()
    /// What of a stream was text.
    private(set) var text = StreamedText()
    private var events = SSEScanner()
    /// The last event ended with a CR at the end of what there was: a LF after it is still a part of it.
    private var endedWithCR = false
    private var wasDropped = false

    init() {}

    mutating func reset(_ mode: Mode, dropsUsageEvent: Bool) {
        self.mode = mode
        self.dropsUsageEvent = dropsUsageEvent
        self.usage.reset()
        self.text = StreamedText()
        self.events.reset()
        self.endedWithCR = false
        self.wasDropped = false
    }

    /// Notes a piece of a document.
    mutating func scanDocument(_ bytes: Span<UInt8>) { self.usage.scan(bytes) }

    /// Goes through the complete events at the start of `bytes`.
    ///
    /// - Parameter send: called with ranges to relay, in order; neighbours are joined.
    /// - Returns: how many bytes are done with; the rest is an unfinished event, to be given again with more.
    mutating func scanEvents(_ bytes: Span<UInt8>, send: (Range<Int>) -> Void) -> Int {
        var start = 0
        var run = 0..<0
        while true {
            switch self.events.next(bytes, &start) {
            case .event(let range):
                let note = self.usage.read(bytes, self.events)
                if self.isText(note, bytes) { self.text.note(bytes.extracting(range)) }
                let kept = self.kept(range, of: bytes, drops: self.dropsUsageEvent && note.contains(.usageOnly))
                if kept.lowerBound == run.upperBound {
                    run = run.lowerBound..<kept.upperBound
                } else {
                    if !run.isEmpty { send(run) }
                    run = kept
                }
            case .needMore:
                if !run.isEmpty { send(run) }
                return start
            case .tooLarge:
                // Whatever this is, it is the provider's answer: pass it on unread.
                self.mode = .opaque
                if !run.isEmpty { send(run) }
                send(start..<bytes.count)
                return bytes.count
            }
        }
    }

    /// Whether the event just found brings a part of the text: events of a type do when the type says so (`….delta`).
    private func isText(_ note: UsageScanner.EventNote, _ bytes: Span<UInt8>) -> Bool {
        guard self.events.dataLineCount > 0, note.isDisjoint(with: [.done, .usageOnly, .finish]) else { return false }
        let type = self.events.eventType
        return type.isEmpty || (type.count >= 5 && bytes.hasPrefix("delta", at: type.upperBound - 5))
    }

    /// The part of an event that is relayed: nothing of one that is dropped, but the LF that ends the one before.
    private mutating func kept(_ range: Range<Int>, of bytes: Span<UInt8>, drops: Bool) -> Range<Int> {
        let own = range.lowerBound + (self.endedWithCR && !range.isEmpty && bytes[range.lowerBound] == 0x0A ? 1 : 0)
        let lower = self.wasDropped ? own : range.lowerBound
        self.wasDropped = drops
        self.endedWithCR = !range.isEmpty && bytes[range.upperBound - 1] == 0x0D
        return lower..<max(lower, drops ? own : range.upperBound)
    }

    /// The answer is complete; `rest` is what `scanEvents` left.
    ///
    /// - Returns: what of the rest is to be relayed.
    mutating func finish(rest: Span<UInt8>) -> Range<Int> {
        switch self.mode {
        case .document: self.usage.finish()
        case .events:
            var start = 0
            var drops = false
            if case .event = self.events.finish(rest, &start) {
                let note = self.usage.read(rest, self.events)
                drops = self.dropsUsageEvent && note.contains(.usageOnly)
            }
            return self.kept(0..<rest.count, of: rest, drops: drops)
        case .opaque: break
        }
        return 0..<rest.count
    }
}
