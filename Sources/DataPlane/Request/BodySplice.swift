/// The body to send upstream: the client's bytes with a few values replaced, as a list of pieces.
///
/// Every byte that is not part of an edit stays as it was. The client's segments are neither copied nor joined: a piece
/// is a range of the original body, or of `text`, where replacements are kept. One per connection, reused.
package struct BodySplice: ~Copyable {
    /// Part of the outgoing body, in order.
    package enum Piece: Equatable {
        /// Bytes of the client's body, as absolute offsets.
        case original(Range<Int>)
        /// Bytes of `text`.
        case replacement(Range<Int>)
    }

    private struct Edit {
        var original = 0..<0
        var text = 0..<0
    }

    /// The bytes of all replacements.
    package private(set) var text: [UInt8] = []
    private var edits: [Edit] = []
    private var bodyBytes = 0

    package init() {
        self.text.reserveCapacity(4 * Limits.modelBytes)
        self.edits.reserveCapacity(Limits.bodyEditCount)
    }

    /// Begins with the unchanged body of `intent`.
    package mutating func reset(for intent: borrowing Intent) {
        self.text.removeAll(keepingCapacity: true)
        self.edits.removeAll(keepingCapacity: true)
        self.bodyBytes = intent.bodyBytes
    }

    /// Sends `model` in place of the client's; UTF-8, escaped here.
    ///
    /// False when the edit does not fit.
    package mutating func replaceModel(_ model: Span<UInt8>, in intent: borrowing Intent) -> Bool {
        let start = self.text.count
        self.text.append(0x22)
        for index in model.indices { self.appendEscaped(model[index]) }
        self.text.append(0x22)
        return self.add(intent.modelRange, from: start)
    }

    /// Makes `stream_options.include_usage` true, keeping the object's other members.
    ///
    /// Changes nothing when it already is. False when the edit does not fit.
    package mutating func includeUsage(in intent: borrowing Intent) -> Bool {
        guard intent.includeUsage != .yes else { return true }
        let start = self.text.count
        guard let options = intent.streamOptions else {
            self.append("\"stream_options\":{\"include_usage\":true},")
            return self.add(intent.insertionOffset..<intent.insertionOffset, from: start)
        }
        if let value = intent.includeUsageValue {
            self.append("true")
            return self.add(value.range, from: start)
        }
        if options.kind == .object, !options.isEmpty {
            self.append("\"include_usage\":true,")
            let inside = options.range.lowerBound &+ 1
            return self.add(inside..<inside, from: start)
        }
        self.append("{\"include_usage\":true}")
        return self.add(options.range, from: start)
    }

    /// Sends `bound` as the output bound of each choice, in place of every one that the client gave.
    ///
    /// - Parameter member: what a bound is called where the client gave none.
    package mutating func replaceBound(_ bound: Int64, in intent: borrowing Intent, or member: StaticString) -> Bool {
        if intent.boundRange.isEmpty, intent.otherBoundRange.isEmpty {
            let start = self.text.count
            self.append("\"")
            self.append(member)
            self.append("\":")
            self.appendDecimal(bound)
            self.append(",")
            return self.add(intent.insertionOffset..<intent.insertionOffset, from: start)
        }
        guard self.replace(intent.boundRange, with: bound) else { return false }
        return self.replace(intent.otherBoundRange, with: bound)
    }

    private mutating func replace(_ range: Range<Int>, with number: Int64) -> Bool {
        guard !range.isEmpty else { return true }
        let start = self.text.count
        self.appendDecimal(number)
        return self.add(range, from: start)
    }

    private mutating func appendDecimal(_ number: Int64) {
        var divisor: Int64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        var rest = number
        while divisor > 0 {
            self.text.append(0x30 &+ UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// Length of the outgoing body, for its Content-Length.
    package var contentLength: Int {
        var length = self.bodyBytes
        for edit in self.edits { length = length &- edit.original.count &+ edit.text.count }
        return length
    }

    /// Calls `body` with the pieces of the outgoing body in order; empty ones are left out.
    package borrowing func forEachPiece(_ body: (Piece) -> Void) {
        var at = 0
        for edit in self.edits {
            if at < edit.original.lowerBound { body(.original(at..<edit.original.lowerBound)) }
            if !edit.text.isEmpty { body(.replacement(edit.text)) }
            at = edit.original.upperBound
        }
        if at < self.bodyBytes { body(.original(at..<self.bodyBytes)) }
    }

    /// Maps a range of the body onto the segments it arrived in: calls `body` with (segment, range in that segment).
    ///
    /// `lengths` are the segments' byte counts in order.
    package static func forEachSlice(
        of range: Range<Int>,
        segments lengths: Span<Int>,
        _ body: (Int, Range<Int>) -> Void
    ) {
        var start = 0
        for segment in lengths.indices {
            let end = start &+ lengths[segment]
            let from = max(range.lowerBound, start)
            let to = min(range.upperBound, end)
            if from < to { body(segment, from &- start..<to &- start) }
            if end >= range.upperBound { return }
            start = end
        }
    }

    // MARK: Edits

    /// Keeps the edits ordered; values of different members never overlap.
    private mutating func add(_ original: Range<Int>, from start: Int) -> Bool {
        guard self.edits.count < Limits.bodyEditCount, original.upperBound <= self.bodyBytes else { return false }
        var index = self.edits.count
        while index > 0, self.edits[index &- 1].original.lowerBound > original.lowerBound { index &-= 1 }
        if index > 0, self.edits[index &- 1].original.upperBound > original.lowerBound { return false }
        self.edits.insert(Edit(original: original, text: start..<self.text.count), at: index)
        return true
    }

    private mutating func append(_ text: StaticString) {
        let start = unsafe text.utf8Start
        for index in 0..<text.utf8CodeUnitCount { unsafe self.text.append(start[index]) }
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case 0x22, 0x5C:
            self.text.append(0x5C)
            self.text.append(byte)
        case 0..<0x20:
            self.append("\\u00")
            self.text.append(0x30 &+ (byte &>> 4))
            self.text.append(byte & 15 < 10 ? 0x30 &+ (byte & 15) : 0x57 &+ (byte & 15))
        default:
            self.text.append(byte)
        }
    }
}
