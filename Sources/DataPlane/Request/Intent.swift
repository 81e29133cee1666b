/// What one OpenAI-dialect request wants, as far as the gateway acts on it.
package struct Intent: Sendable {
    /// Which members bound a request's output depends on the endpoint: a bound the provider ignores is no bound.
    package enum Endpoint: Sendable { case chatCompletions, completions, responses, embeddings }

    /// What `stream_options.include_usage` says.
    package enum IncludeUsage: Sendable, Equatable { case absent, no, yes }

    package enum ServiceTier: UInt8, Sendable { case absent, auto, standard, flex, priority, scale, other }

    /// Members whose presence makes the input larger than the body, or runs work outside the request.
    package struct Features: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// `tools` with at least one element.
        package static let tools = Features(rawValue: 1)
        /// `previous_response_id`.
        package static let previousResponse = Features(rawValue: 2)
        /// `conversation`.
        package static let conversation = Features(rawValue: 4)
        /// `prompt` as an object: a prompt stored at the provider.
        package static let storedPrompt = Features(rawValue: 8)
        /// `background: true`.
        package static let background = Features(rawValue: 16)
        /// `web_search_options`.
        package static let webSearch = Features(rawValue: 32)
        /// An image, a file or an item that is named and not in the body, or whose length says nothing of its tokens.
        package static let references = Features(rawValue: 64)
        /// One of the provider's own tools.
        package static let hostedTools = Features(rawValue: 128)
    }

    /// The `model` member, unescaped; never empty, never with control characters.
    package var model = ShortText()
    package var streams = false
    package var includeUsage = IncludeUsage.absent
    /// Upper bound of output tokens for one choice, from the members this endpoint's provider heeds; nil when none.
    ///
    /// The largest when several are given, so that it stays a bound whichever the provider takes.
    package var outputBound: Int64?
    /// Choices wanted: `n` (1 when absent); with `best_of` the larger of both.
    package var choices: Int64 = 1
    package var serviceTier = ServiceTier.absent
    package var features: Features = []
    /// Length of the whole body in bytes.
    package var bodyBytes = 0

    /// The gateway has set `outputBound` lower than the client did.
    package var isLowered = false

    // Where the members are that may be rewritten, as absolute offsets into the body.
    package var modelRange = 0..<0
    /// The offset after the outermost `{`.
    package var insertionOffset = 0
    /// The value of `stream_options`; nil when absent.
    package var streamOptions: JSONValue?
    /// The value of `stream_options.include_usage`; nil when absent.
    package var includeUsageValue: JSONValue?
    /// The values that make the output bound; empty when absent, kept when null.
    package var boundRange = 0..<0
    /// Those of `max_completion_tokens`, where `max_tokens` may stand beside it.
    package var otherBoundRange = 0..<0
}

/// Why a body does not say clearly what is wanted; always the client's fault (400).
package struct IntentError: Error {
    package enum Code: String, Sendable {
        case invalidJSON = "invalid_json"
        case duplicateMember = "duplicate_member"
        case ambiguousMember = "ambiguous_member"
        case missingMember = "missing_member"
        case wrongType = "wrong_type"
        case outOfRange = "out_of_range"
        case tooLong = "too_long"
        case tooDeep = "too_deep"
    }

    package let code: Code
    /// The member it is about, as a path; empty when it is about none.
    package let member: StaticString
    /// Offset into the body of the byte or value that was refused.
    package let offset: Int
}
