/// Reads usage out of answers of the OpenAI shapes, as their bytes pass by.
///
/// Chat and text completions, embeddings and the responses API; whole documents in pieces, or the events of a stream.
/// What cannot be read leaves usage unknown and never disturbs the relay. One per connection, reused.
package struct UsageScanner: ~Copyable {
    /// What the relay needs to know of one event.
    package struct EventNote: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// `[DONE]`.
        package static let done = EventNote(rawValue: 1)
        /// The event reports usage.
        package static let usage = EventNote(rawValue: 2)
        /// The event carries nothing but usage (`choices: []`): a client that did not ask for usage must not see it.
        package static let usageOnly = EventNote(rawValue: 4)
        /// The event ends a choice or the answer.
        package static let finish = EventNote(rawValue: 8)
    }

    private var scanner = JSONScanner(UsageScanner.table)
    private var sawEvent = false
    /// The document being scanned in pieces is not JSON; its usage stays unknown.
    private var isBroken = false

    /// The usage told last; nil when none was told, or the last one could not be read.
    package private(set) var usage: TokenUsage?
    /// The answer's own name of its model; empty when it was not seen.
    package private(set) var model = ShortText()
    package private(set) var serviceTier = Intent.ServiceTier.absent
    /// The answer came to its own end: a finish reason, a final response event, or a complete document.
    package private(set) var finished = false

    package init() {}

    /// Makes the scanner ready for another answer.
    package mutating func reset() {
        self.scanner.reset()
        self.sawEvent = false
        self.isBroken = false
        self.usage = nil
        self.model = ShortText()
        self.serviceTier = .absent
        self.finished = false
    }

    // MARK: Whole documents

    /// Takes the next piece of a JSON answer.
    package mutating func scan(_ bytes: Span<UInt8>) {
        guard !self.isBroken else { return }
        do throws(JSONError) {
            try self.scanner.scan(bytes)
        } catch {
            self.isBroken = true
        }
    }

    /// Says that the JSON answer is complete.
    package mutating func finish() {
        guard !self.isBroken, self.scanner.isComplete else { return }
        self.finished = true
        _ = self.take()
    }

    // MARK: Streams

    /// Looks at the event `events` has just found in `bytes`.
    ///
    /// Only the first event and those with a hint of usage are parsed.
    package mutating func read(_ bytes: Span<UInt8>, _ events: borrowing SSEScanner) -> EventNote {
        guard !events.isDone else {
            self.finished = true
            return .done
        }
        guard events.dataLineCount > 0, !events.isTruncated else { return [] }
        var hints: UsageHints = []
        for index in 0..<events.dataLineCount { hints.formUnion(.find(in: bytes, events.data(index))) }
        let end: EventNote = hints.contains(.finish) ? .finish : []
        if hints.contains(.finish) { self.finished = true }
        guard hints.contains(.usage) || !self.sawEvent else { return end }
        self.sawEvent = true
        self.scanner.reset()
        do throws(JSONError) {
            for index in 0..<events.dataLineCount {
                if index > 0 { try self.scanner.scan(Self.lineFeed.span) }
                try self.scanner.scan(bytes.extracting(events.data(index)))
            }
            try self.scanner.finish()
        } catch {
            if hints.contains(.usage) { self.usage = nil }
            return end
        }
        return self.take().union(end)
    }

    private static let lineFeed: InlineArray<1, UInt8> = [0x0A]
}

// MARK: - The members

extension UsageScanner {
    /// Positions in the table of the members of one `usage` object, counted from the object's own.
    private enum Count: Int, CaseIterable {
        case object, prompt, completion, input, output, total, cacheHit
        case promptDetails, promptCached, promptCacheWrite, promptAudio
        case completionDetails, completionReasoning, completionAudio
        case inputDetails, inputCached, inputCacheWrite, inputAudio
        case outputDetails, outputReasoning, outputAudio
    }

    private enum Member {
        static let model = Count.allCases.count
        static let serviceTier = model + 1
        static let choices = model + 2
        /// In the events of the responses API everything is inside `response`.
        static let response = model + 3
        static let responseUsage = model + 4
        static let responseModel = responseUsage + Count.allCases.count
        static let responseTier = responseModel + 1
    }

    private static func counts(at base: Int, in parent: Int) -> [JSONWanted] {
        func number(_ name: StaticString, in owner: Count = .object) -> JSONWanted {
            JSONWanted(name, in: base + owner.rawValue, capture: Limits.numberBytes, oversize: .forget)
        }
        return [
            JSONWanted("usage", in: parent),
            number("prompt_tokens"), number("completion_tokens"), number("input_tokens"), number("output_tokens"),
            number("total_tokens"), number("prompt_cache_hit_tokens"),
            JSONWanted("prompt_tokens_details", in: base), number("cached_tokens", in: .promptDetails),
            number("cache_write_tokens", in: .promptDetails), number("audio_tokens", in: .promptDetails),
            JSONWanted("completion_tokens_details", in: base), number("reasoning_tokens", in: .completionDetails),
            number("audio_tokens", in: .completionDetails),
            JSONWanted("input_tokens_details", in: base), number("cached_tokens", in: .inputDetails),
            number("cache_write_tokens", in: .inputDetails), number("audio_tokens", in: .inputDetails),
            JSONWanted("output_tokens_details", in: base), number("reasoning_tokens", in: .outputDetails),
            number("audio_tokens", in: .outputDetails),
        ]
    }

    private static let table = JSONTable(
        counts(at: 0, in: -1) + [
            JSONWanted("model", capture: Limits.modelBytes, oversize: .forget),
            JSONWanted("service_tier", capture: Limits.shortStringBytes, oversize: .forget),
            JSONWanted("choices"),
            JSONWanted("response"),
        ] + counts(at: Member.responseUsage, in: Member.response) + [
            JSONWanted("model", in: Member.response, capture: Limits.modelBytes, oversize: .forget),
            JSONWanted("service_tier", in: Member.response, capture: Limits.shortStringBytes, oversize: .forget),
        ]
    )

    /// Notes what the document just scanned says.
    private mutating func take() -> EventNote {
        if let text = self.text(Member.model) ?? self.text(Member.responseModel) { self.model = text }
        if let text = self.text(Member.serviceTier) ?? self.text(Member.responseTier) {
            self.serviceTier = Intent.ServiceTier(text)
        }
        let base: Int
        if self.scanner.value(0)?.kind == .object {
            base = 0
        } else if self.scanner.value(Member.responseUsage)?.kind == .object {
            base = Member.responseUsage
        } else {
            return []
        }
        self.usage = self.reported(base)?.disjoint
        let choices = self.scanner.value(Member.choices)
        return choices?.kind == .array && choices?.isEmpty == true ? [.usage, .usageOnly] : .usage
    }

    private mutating func text(_ index: Int) -> ShortText? {
        guard let value = self.scanner.value(index), value.kind == .string, !value.captured.isEmpty else { return nil }
        return JSONText.unescape(self.scanner.captures.span, value.captured)
    }

    // The readers below are mutating although they change nothing: borrowing `self` out of an `inout` copies all of it.

    private struct Unreadable: Error {}

    /// A count; nil when absent or null.
    private mutating func count(_ base: Int, _ member: Count) throws(Unreadable) -> Int64? {
        guard let value = self.scanner.value(base + member.rawValue), value.kind != .null else { return nil }
        guard value.kind == .number, let number = JSONText.integer(self.scanner.captures.span, value.captured) else {
            throw Unreadable()
        }
        return number
    }

    /// The first of these counts that is told; 0 when none is.
    private mutating func count(_ base: Int, _ first: Count, _ second: Count) throws(Unreadable) -> Int64 {
        if let number = try self.count(base, first) { return number }
        return try self.count(base, second) ?? 0
    }

    /// The counts of the usage object at `base`; nil when one is not a plain count or the input is not told.
    private mutating func reported(_ base: Int) -> ReportedUsage? {
        do throws(Unreadable) {
            let isInputTold =
                self.scanner.value(base + Count.prompt.rawValue)?.kind == .number
                || self.scanner.value(base + Count.input.rawValue)?.kind == .number
            guard isInputTold else { return nil }
            var told = ReportedUsage()
            told.input = try self.count(base, .prompt, .input)
            // Embeddings have no output.
            told.output = try self.count(base, .completion, .output)
            told.total = try self.count(base, .total)
            told.cacheRead = try self.count(base, .promptCached, .inputCached)
            if told.cacheRead == 0 { told.cacheRead = try self.count(base, .cacheHit) ?? 0 }
            told.cacheWrite = try self.count(base, .promptCacheWrite, .inputCacheWrite)
            told.audioInput = try self.count(base, .promptAudio, .inputAudio)
            told.reasoning = try self.count(base, .completionReasoning, .outputReasoning)
            told.audioOutput = try self.count(base, .completionAudio, .outputAudio)
            return told
        } catch {
            return nil
        }
    }
}
