/// What a price is charged for.
///
/// Numbers are part of the wire format: append only. Where nothing else is said, the unit is one token.
package enum Meter: UInt8, CaseIterable, Sendable {
    /// Tokens of the prompt that no other meter counts.
    case input = 1
    /// Tokens of the prompt that were read from a cache.
    case cachedInput = 2
    /// Tokens that were written to a cache for five minutes.
    case cacheWrite5m = 3
    /// Tokens that were written to a cache for an hour.
    case cacheWrite1h = 4
    /// Tokens of the answer that no other meter counts.
    case output = 5
    /// Tokens of the answer that the model thought and did not say.
    case reasoning = 6
    /// Tokens of audio in the prompt.
    case audioInput = 7
    /// Tokens of audio in the answer.
    case audioOutput = 8
    /// Generated images, by number.
    case image = 9
    /// Requests that a provider answered, by number.
    case request = 10
    /// Tokens of images in the prompt.
    case imageInput = 11
    /// Tokens of generated images.
    case imageOutput = 12
    /// Length of the audio or video that was sent, in milliseconds.
    case inputMilliseconds = 13
    /// Length of the audio or video that was generated, in milliseconds.
    case outputMilliseconds = 14
    /// Characters of the text that was sent to be spoken.
    case character = 15
    /// Pages of documents, by number.
    case page = 16
    /// Searches, of the web or of documents that were sent along, by number.
    case search = 17

    /// The numbers of all cases: what a loop on the request path goes over without an array of cases.
    package static let numbers: ClosedRange<UInt8> = 1...17

    /// The meters whose units are tokens of the prompt, and those whose units are tokens of the answer.
    package static let promptTokens: [Meter] = [
        .input, .cachedInput, .cacheWrite5m, .cacheWrite1h, .audioInput, .imageInput,
    ]
    package static let outputTokens: [Meter] = [.output, .reasoning, .audioOutput, .imageOutput]

    /// The name in the API and in SQL.
    package var name: String {
        switch self {
        case .input: "input"
        case .cachedInput: "cached_input"
        case .cacheWrite5m: "cache_write_5m"
        case .cacheWrite1h: "cache_write_1h"
        case .output: "output"
        case .reasoning: "reasoning"
        case .audioInput: "audio_input"
        case .audioOutput: "audio_output"
        case .image: "image"
        case .request: "request"
        case .imageInput: "image_input"
        case .imageOutput: "image_output"
        case .inputMilliseconds: "input_ms"
        case .outputMilliseconds: "output_ms"
        case .character: "character"
        case .page: "page"
        case .search: "search"
        }
    }

    package init?(name: String) {
        guard let meter = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = meter
    }

    /// The meter whose price applies when this one has none: a cached token never costs less than nothing said,
    /// nor more than the book says of its kind.
    ///
    /// Tokens fall back to tokens; what is not a token has no other price.
    package var fallback: Meter? {
        switch self {
        case .cachedInput, .cacheWrite5m, .audioInput, .imageInput: .input
        case .cacheWrite1h: .cacheWrite5m
        case .reasoning, .audioOutput, .imageOutput: .output
        case .input, .output, .image, .request, .inputMilliseconds, .outputMilliseconds, .character, .page, .search: nil
        }
    }
}
