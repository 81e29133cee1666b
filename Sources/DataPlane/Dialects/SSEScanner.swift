/// Finds the events of a `text/event-stream` in bytes that grow (WHATWG HTML section 9.2).
///
/// Lines end with LF, CR LF or CR; a byte order mark may come first. No byte is looked at twice and none is kept: the
/// caller holds the bytes of the unfinished event, which is bounded. Ranges are valid until the next call.
package struct SSEScanner: ~Copyable {
    package enum Step: Equatable, Sendable {
        /// An event, a lone comment or a stray empty line: these bytes of the span, its final empty line included.
        case event(Range<Int>)
        /// The bytes from the start on are an unfinished event.
        case needMore
        /// The event is longer than `Limits.eventBytes`; relay on without looking, or cut.
        case tooLarge
    }

    private struct Line: BitwiseCopyable {
        var start: UInt32 = 0
        var end: UInt32 = 0
    }

    /// Absolute offset of the event under way, or after `event` of the next one.
    package private(set) var position = 0
    /// `data:` lines of the event; those beyond `Limits.eventDataLineCount` are not kept, see `isTruncated`.
    package private(set) var dataLineCount = 0
    /// The event has more data lines than are kept and must not be read, only relayed.
    package private(set) var isTruncated = false
    /// The event's data is `[DONE]`: OpenAI's end of a stream.
    package private(set) var isDone = false
    private var lines: [Line] = []
    private var type = Line()
    /// Where the event told last, or the one under way, starts in the span.
    private var base = 0

    // All counted from the start of the event under way.
    private var searched = 0
    private var lineStart = 0
    private var isFresh = true
    /// The last line ended with a CR at the very end of the bytes: a LF right after it belongs to it.
    private var skipsLF = false
    private var atStreamStart = true

    package init() { self.lines.reserveCapacity(Limits.eventDataLineCount) }

    /// Makes the scanner ready for another stream.
    package mutating func reset() {
        self.position = 0
        self.skipsLF = false
        self.atStreamStart = true
        self.beginEvent()
    }

    /// Data line `index` of the event, without name, colon and one space, in the span it was found in.
    package func data(_ index: Int) -> Range<Int> {
        guard index >= 0, index < self.lines.count else { return 0..<0 }
        return self.range(self.lines[index])
    }

    /// The event's type; empty when it has none.
    package var eventType: Range<Int> { self.range(self.type) }

    private func range(_ line: Line) -> Range<Int> {
        let start = self.base &+ Int(line.start)
        return start..<max(start, self.base &+ Int(line.end))
    }

    private mutating func beginEvent() {
        self.isFresh = true
        self.searched = 0
        self.lineStart = 0
        self.dataLineCount = 0
        self.lines.removeAll(keepingCapacity: true)
        self.isTruncated = false
        self.isDone = false
        self.type = Line()
    }

    /// Goes on with the event that starts at `bytes[start]`; `start` is moved past it when it is complete.
    ///
    /// After `needMore`, call again with the same bytes from `start` on and more behind them.
    package mutating func next(_ bytes: Span<UInt8>, _ start: inout Int) -> Step {
        if !self.isFresh { self.beginEvent() }
        self.base = start
        while true {
            if self.skipsLF, start &+ self.searched < bytes.count {
                self.skipsLF = false
                if bytes[start &+ self.searched] == 0x0A {
                    self.searched &+= 1
                    self.lineStart = self.searched
                }
            }
            let end = ByteSearch.firstLineEnd(in: bytes, from: min(start &+ self.searched, bytes.count))
            guard end &- start <= Limits.eventBytes else { return .tooLarge }
            guard end < bytes.count else {
                self.searched = max(self.searched, end &- start)
                return .needMore
            }
            let line = start &+ self.lineStart..<end
            self.takeLineEnd(bytes, start, end)
            if self.isEmpty(bytes, line) { return self.finishEvent(&start) }
            self.takeLine(bytes, line)
        }
    }

    /// Ends the stream: the unfinished event, its last line included, if it holds data.
    ///
    /// The standard discards such an event; providers do cut the last empty line, and its usage counts.
    package mutating func finish(_ bytes: Span<UInt8>, _ start: inout Int) -> Step {
        if !self.isFresh { self.beginEvent() }
        self.base = start
        let line = min(start &+ self.lineStart, bytes.count)..<bytes.count
        self.searched = max(bytes.count &- start, 0)
        if !line.isEmpty { self.takeLine(bytes, line) }
        return self.dataLineCount > 0 ? self.finishEvent(&start) : .needMore
    }

    private mutating func takeLineEnd(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) {
        var next = end &+ 1
        if bytes[end] == 0x0D {
            if next < bytes.count {
                if bytes[next] == 0x0A { next &+= 1 }
            } else {
                self.skipsLF = true
            }
        }
        self.searched = next &- start
        self.lineStart = self.searched
    }

    private mutating func finishEvent(_ start: inout Int) -> Step {
        let range = start..<start &+ self.searched
        self.position &+= self.searched
        start = range.upperBound
        self.isFresh = false
        self.atStreamStart = false
        return .event(range)
    }

    /// Whether the line ends the event; a byte order mark at the start of the stream is not part of its line.
    private func isEmpty(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
        if line.isEmpty { return true }
        return self.atStreamStart && line.count == 3 && bytes.hasPrefix("\u{FEFF}", at: line.lowerBound)
    }

    private mutating func takeLine(_ bytes: Span<UInt8>, _ line: Range<Int>) {
        var start = line.lowerBound
        if self.atStreamStart, bytes.hasPrefix("\u{FEFF}", at: start) { start &+= 3 }
        self.atStreamStart = false
        if bytes.hasPrefix("data", at: start), let value = Self.value(bytes, start &+ 4, line.upperBound) {
            self.addData(bytes, value)
        } else if bytes.hasPrefix("event", at: start), let value = Self.value(bytes, start &+ 5, line.upperBound) {
            self.type = self.relative(value)
        }
    }

    /// The value of a field whose name ends at `index`; nil when the name goes on.
    private static func value(_ bytes: Span<UInt8>, _ index: Int, _ end: Int) -> Range<Int>? {
        if index >= end { return index == end ? end..<end : nil }
        guard bytes[index] == 0x3A else { return nil }
        let start = index &+ 1
        return (start < end && bytes[start] == 0x20 ? start &+ 1 : start)..<end
    }

    private func relative(_ range: Range<Int>) -> Line {
        Line(
            start: UInt32(truncatingIfNeeded: range.lowerBound &- self.base),
            end: UInt32(truncatingIfNeeded: range.upperBound &- self.base)
        )
    }

    private mutating func addData(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        if self.dataLineCount < Limits.eventDataLineCount {
            self.lines.append(self.relative(value))
        } else {
            self.isTruncated = true
        }
        self.dataLineCount &+= 1
        self.isDone = self.dataLineCount == 1 && value.count == 6 && bytes.hasPrefix("[DONE]", at: value.lowerBound)
    }
}
