/// Reads an `Intent` out of a body that arrives in pieces: one scan, no decoding, no byte kept but short scalars.
///
/// One per connection; `reset()` between requests.
package struct IntentReader: ~Copyable {
    private var scanner = JSONScanner(IntentReader.table)

    package init() {}

    package mutating func reset() { self.scanner.reset() }

    /// Takes the next piece of the body.
    package mutating func scan(_ bytes: Span<UInt8>) throws(IntentError) {
        do throws(JSONError) {
            try self.scanner.scan(bytes)
        } catch {
            throw Self.translate(error)
        }
    }

    /// Says that the body is complete and answers what it wants.
    package borrowing func finish(for endpoint: Intent.Endpoint) throws(IntentError) -> Intent {
        do throws(JSONError) {
            try self.scanner.finish()
        } catch {
            throw Self.translate(error)
        }
        var intent = Intent()
        intent.bodyBytes = self.scanner.position
        intent.insertionOffset = self.scanner.rootOffset &+ 1
        try self.readModel(into: &intent)
        intent.streams = try self.flag(.stream) ?? false
        try self.readStreamOptions(into: &intent)
        try self.readOutputBound(into: &intent, endpoint)
        let count = try self.integer(.n, from: 1) ?? 1
        let best = endpoint == .completions ? try self.integer(.bestOf, from: 0) ?? 1 : 1
        intent.choices = max(count, best)
        intent.serviceTier = try self.serviceTier()
        intent.features = try self.features()
        return intent
    }
}

// MARK: - The members

extension IntentReader {
    /// Positions in `table`; the names are there.
    private enum Member: Int {
        case model, stream, streamOptions, includeUsage, maxTokens, maxCompletionTokens, maxOutputTokens, n, bestOf
        case serviceTier, tools, previousResponse, conversation, prompt, background, webSearch
    }

    private static let table = JSONTable([
        JSONWanted("model", capture: Limits.modelBytes),
        JSONWanted("stream"),
        JSONWanted("stream_options"),
        JSONWanted("include_usage", in: Member.streamOptions.rawValue),
        JSONWanted("max_tokens", capture: Limits.numberBytes),
        JSONWanted("max_completion_tokens", capture: Limits.numberBytes),
        JSONWanted("max_output_tokens", capture: Limits.numberBytes),
        JSONWanted("n", capture: Limits.numberBytes),
        JSONWanted("best_of", capture: Limits.numberBytes),
        JSONWanted("service_tier", capture: Limits.shortStringBytes),
        JSONWanted("tools"),
        JSONWanted("previous_response_id"),
        JSONWanted("conversation"),
        JSONWanted("prompt"),
        JSONWanted("background"),
        JSONWanted("web_search_options"),
    ])

    private static func name(_ index: Int) -> StaticString {
        switch Member(rawValue: index) {
        case .includeUsage: "stream_options.include_usage"
        case .none: ""
        default: self.table.wanted[index].name
        }
    }

    private static func translate(_ error: JSONError) -> IntentError {
        let code: IntentError.Code =
            switch error.code {
            case .duplicateMember: .duplicateMember
            case .ambiguousMember: .ambiguousMember
            case .memberTooLong: .tooLong
            case .tooDeep: .tooDeep
            case .syntax, .notUTF8, .notAnObject, .incomplete, .trailingBytes: .invalidJSON
            }
        return IntentError(code: code, member: self.name(error.member), offset: error.offset)
    }

    private static func fail(_ code: IntentError.Code, _ member: Member, _ value: JSONValue?) -> IntentError {
        IntentError(code: code, member: self.name(member.rawValue), offset: value?.range.lowerBound ?? 0)
    }

    /// The member's value unless it is absent or null; OpenAI's API takes null as absent everywhere.
    private func value(_ member: Member) -> JSONValue? {
        guard let value = self.scanner.value(member.rawValue), value.kind != .null else { return nil }
        return value
    }

    private func flag(_ member: Member) throws(IntentError) -> Bool? {
        guard let value = self.value(member) else { return nil }
        guard value.kind == .yes || value.kind == .no else { throw Self.fail(.wrongType, member, value) }
        return value.kind == .yes
    }

    private func integer(_ member: Member, from least: Int64) throws(IntentError) -> Int64? {
        guard let value = self.value(member) else { return nil }
        guard value.kind == .number else { throw Self.fail(.wrongType, member, value) }
        guard let number = JSONText.integer(self.scanner.captures.span, value.captured), number >= least else {
            throw Self.fail(.outOfRange, member, value)
        }
        return number
    }

    private func readModel(into intent: inout Intent) throws(IntentError) {
        guard let value = self.value(.model) else { throw Self.fail(.missingMember, .model, nil) }
        guard value.kind == .string else { throw Self.fail(.wrongType, .model, value) }
        guard let text = JSONText.unescape(self.scanner.captures.span, value.captured), !text.isEmpty else {
            throw Self.fail(.outOfRange, .model, value)
        }
        intent.model = text
        intent.modelRange = value.range
    }

    private func readStreamOptions(into intent: inout Intent) throws(IntentError) {
        intent.streamOptions = self.scanner.value(Member.streamOptions.rawValue)
        guard let options = self.value(.streamOptions) else { return }
        guard options.kind == .object else { throw Self.fail(.wrongType, .streamOptions, options) }
        intent.includeUsageValue = self.scanner.value(Member.includeUsage.rawValue)
        guard let wanted = try self.flag(.includeUsage) else { return }
        intent.includeUsage = wanted ? .yes : .no
    }

    private func readOutputBound(into intent: inout Intent, _ endpoint: Intent.Endpoint) throws(IntentError) {
        let plain = try self.integer(.maxTokens, from: 0)
        let completion = try self.integer(.maxCompletionTokens, from: 0)
        let output = try self.integer(.maxOutputTokens, from: 0)
        intent.outputBound =
            switch endpoint {
            case .chatCompletions:
                if let plain, let completion { max(plain, completion) } else { completion ?? plain }
            case .completions: plain
            case .responses: output
            case .embeddings: nil
            }
        switch endpoint {
        case .chatCompletions:
            intent.boundRange = self.range(.maxTokens)
            intent.otherBoundRange = self.range(.maxCompletionTokens)
        case .completions: intent.boundRange = self.range(.maxTokens)
        case .responses: intent.boundRange = self.range(.maxOutputTokens)
        case .embeddings: break
        }
    }

    private func range(_ member: Member) -> Range<Int> { self.scanner.value(member.rawValue)?.range ?? 0..<0 }

    private func serviceTier() throws(IntentError) -> Intent.ServiceTier {
        guard let value = self.value(.serviceTier) else { return .absent }
        guard value.kind == .string else { throw Self.fail(.wrongType, .serviceTier, value) }
        guard let text = JSONText.unescape(self.scanner.captures.span, value.captured) else { return .other }
        return Intent.ServiceTier(text)
    }

    private func features() throws(IntentError) -> Intent.Features {
        var features: Intent.Features = []
        if let tools = self.value(.tools), !tools.isEmpty { features.insert(.tools) }
        if self.value(.previousResponse) != nil { features.insert(.previousResponse) }
        if self.value(.conversation) != nil { features.insert(.conversation) }
        if let prompt = self.value(.prompt), prompt.kind == .object { features.insert(.storedPrompt) }
        if try self.flag(.background) == true { features.insert(.background) }
        if self.value(.webSearch) != nil { features.insert(.webSearch) }
        if self.scanner.clues.contains(.references) { features.insert(.references) }
        if self.scanner.clues.contains(.hostedTools), features.contains(.tools) { features.insert(.hostedTools) }
        return features
    }
}

extension Intent.ServiceTier {
    /// The tier a request asks for or an answer reports.
    package init(_ text: ShortText) {
        self =
            if text.equals("auto") {
                .auto
            } else if text.equals("default") || text.equals("standard") {
                .standard
            } else if text.equals("flex") {
                .flex
            } else if text.equals("priority") {
                .priority
            } else if text.equals("scale") {
                .scale
            } else {
                .other
            }
    }
}
