import Shared

/// What of the OpenAI API a request asks for; everything else is refused by name.
///
/// Operations on things that a provider stores (files, batches, stored responses, assistants) are not here: they would
/// let one tenant of a shared credential reach what another stored.
enum Operation: UInt8, CaseIterable {
    case chatCompletions, completions, embeddings, responses, moderations, imageGenerations, speech
    case listModels, getModel

    /// Which members of the body bound its output.
    var intentEndpoint: Intent.Endpoint {
        switch self {
        case .completions: .completions
        case .responses: .responses
        case .chatCompletions: .chatCompletions
        default: .embeddings
        }
    }

    /// Whether the answer may be a stream whose usage has to be asked for.
    var asksForStreamUsage: Bool { self == .chatCompletions || self == .completions }

    /// Whether the provider generates text that is charged as output.
    var generates: Bool { self == .chatCompletions || self == .completions || self == .responses }

    /// What a bound of the output is called where the client gave none.
    func outputBoundMember(at provider: ProviderKind) -> StaticString {
        switch self {
        case .responses: "max_output_tokens"
        // OpenAI's newer models refuse the old name, and only they know the new one.
        case .chatCompletions where provider == .openAI: "max_completion_tokens"
        default: "max_tokens"
        }
    }

    private var path: StaticString {
        switch self {
        case .chatCompletions: "/v1/chat/completions"
        case .completions: "/v1/completions"
        case .embeddings: "/v1/embeddings"
        case .responses: "/v1/responses"
        case .moderations: "/v1/moderations"
        case .imageGenerations: "/v1/images/generations"
        case .speech: "/v1/audio/speech"
        case .listModels: "/v1/models"
        case .getModel: "/v1/models/"
        }
    }

    /// What stands after the provider's base URL, which ends with its own `/v1`.
    var upstreamPath: StaticString {
        switch self {
        case .chatCompletions: "/chat/completions"
        case .completions: "/completions"
        case .embeddings: "/embeddings"
        case .responses: "/responses"
        case .moderations: "/moderations"
        case .imageGenerations: "/images/generations"
        case .speech: "/audio/speech"
        case .listModels, .getModel: "/models"
        }
    }

    /// What became of looking a path up.
    enum Match {
        case found(Operation)
        /// The path is known, the method is not.
        case wrongMethod
        case unknown
    }

    static func match(_ bytes: Span<UInt8>, _ head: borrowing RequestHead) -> Match {
        for operation in Self.allCases where operation != .getModel {
            guard head.path.count == operation.path.utf8CodeUnitCount,
                bytes.hasPrefix(operation.path, at: head.path.lowerBound)
            else { continue }
            let wanted: RequestHead.Method = operation == .listModels ? .get : .post
            return head.method == wanted ? .found(operation) : .wrongMethod
        }
        if head.path.count > 11, bytes.hasPrefix(Self.getModel.path, at: head.path.lowerBound) {
            return head.method == .get ? .found(.getModel) : .wrongMethod
        }
        return .unknown
    }
}
