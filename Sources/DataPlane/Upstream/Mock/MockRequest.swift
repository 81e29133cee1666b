import FoundationEssentials

/// What the mock reads of a request.
///
/// It is a provider: it decodes whole bodies, off the request path.
struct MockRequest: Decodable {
    struct Message: Decodable {
        let role: String
        let content: Content?
    }

    /// A string, or parts of which the texts count.
    enum Content: Decodable {
        case text(String)

        init(from decoder: any Decoder) throws {
            struct Part: Decodable {
                let text: String?
            }
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                let parts = try container.decode([Part].self)
                self = .text(parts.compactMap(\.text).joined(separator: " "))
            }
        }

        var text: String {
            switch self {
            case .text(let text): text
            }
        }
    }

    struct Tool: Decodable {
        struct Function: Decodable {
            let name: String
        }
        let type: String
        let function: Function?
        let name: String?
    }

    struct StreamOptions: Decodable {
        let includeUsage: Bool?

        enum CodingKeys: String, CodingKey {
            case includeUsage = "include_usage"
        }
    }

    struct ResponseFormat: Decodable {
        let type: String
    }

    /// How to misbehave, from the member `mock` of the body.
    struct Behaviour: Decodable {
        /// Wait before the answer.
        var delayMilliseconds: Int?
        /// Wait between events.
        var eventDelayMilliseconds: Int?
        /// Answer with this status and an error body.
        var status: Int?
        /// Close the connection after this many events (0: after the head).
        var cutAfterEvents: Int?
        /// Close the connection without an answer.
        var hangUp: Bool?
        /// Answer with this many words.
        var words: Int?
        /// Leave usage out.
        var omitUsage: Bool?

        enum CodingKeys: String, CodingKey {
            case delayMilliseconds = "delay_ms"
            case eventDelayMilliseconds = "event_delay_ms"
            case status, words
            case cutAfterEvents = "cut_after_events"
            case hangUp = "hang_up"
            case omitUsage = "omit_usage"
        }
    }

    /// Text, or a list of texts (completions and embeddings), or of messages (responses).
    enum Input: Decodable {
        case texts([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .texts([text])
            } else if let texts = try? container.decode([String].self) {
                self = .texts(texts)
            } else {
                self = .texts(try container.decode([Message].self).map { $0.content?.text ?? "" })
            }
        }

        var texts: [String] {
            switch self {
            case .texts(let texts): texts
            }
        }
    }

    let model: String
    let messages: [Message]?
    let prompt: Input?
    let input: Input?
    let stream: Bool?
    let streamOptions: StreamOptions?
    let tools: [Tool]?
    let responseFormat: ResponseFormat?
    let maxTokens: Int?
    let maxCompletionTokens: Int?
    let mock: Behaviour?

    enum CodingKeys: String, CodingKey {
        case model, messages, prompt, input, stream, tools, mock
        case streamOptions = "stream_options"
        case responseFormat = "response_format"
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
    }
}
