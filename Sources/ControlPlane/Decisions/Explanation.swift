package import Shared

/// Whether a request would be served now, and by which rules: every one is looked at, also after one that refuses.
package struct Explanation: Sendable {
    /// A request that nobody has sent.
    package struct Question: Sendable {
        package let key: VirtualKeyID
        /// The name that the client would use.
        package let model: String
        package let promptBytes: Int64
        package let maxTokens: Int64?
        package let choices: Int64
        /// Those of its head: `gatehouse-tags`.
        package let tags: [String: String]
        /// Where it would come from; nil for somewhere that the key allows.
        package let address: IPAddress?
    }

    enum Result: String, Sendable {
        case pass, fail
        /// On what only gateways know.
        case depends
    }

    /// One rule, and what it says of the request.
    struct Check: Sendable {
        let name: String
        let result: Result
        /// The error's code where it refuses; as gateways have it.
        let code: String?
        let level: BudgetLevel?
        let id: String?
        let model: ModelID?
        let detail: String
    }

    private(set) var checks: [Check] = []
    var route: RouteID?

    init() {}

    mutating func pass(
        _ name: String, _ detail: String, level: BudgetLevel? = nil, id: String? = nil, model: ModelID? = nil
    ) {
        self.checks.append(
            Check(name: name, result: .pass, code: nil, level: level, id: id, model: model, detail: detail))
    }

    mutating func depends(
        _ name: String, _ detail: String, level: BudgetLevel? = nil, id: String? = nil, model: ModelID? = nil
    ) {
        self.checks.append(
            Check(name: name, result: .depends, code: nil, level: level, id: id, model: model, detail: detail))
    }

    mutating func fail(
        _ name: String, _ code: String, _ detail: String, level: BudgetLevel? = nil, id: String? = nil,
        model: ModelID? = nil
    ) {
        self.checks.append(
            Check(name: name, result: .fail, code: code, level: level, id: id, model: model, detail: detail))
    }

    /// No where one refuses, which a gateway would meet first; depends where one may.
    var verdict: (wouldPass: String, code: String?) {
        if let refusing = self.checks.first(where: { $0.result == .fail }) { return ("no", refusing.code) }
        return (self.checks.contains { $0.result == .depends } ? "depends" : "yes", nil)
    }

    package var json: JSONValue {
        let (wouldPass, code) = self.verdict
        return [
            "would_pass": .string(wouldPass), "code": code.map { .string($0) } ?? .null, "route": JSONValue(self.route),
            "checks": .array(self.checks.map(\.json)),
        ]
    }

    package static let schema = Schema.named(
        "Explanation",
        .object([
            .required(
                "would_pass",
                Schema.choice("yes", "no", "depends").described("'depends': on what only gateways know at the moment.")),
            .required("code", Schema.string(.length(1...64)).orNull.described("Of the error that it would get.")),
            .required("route", Schema.id(RouteKind.self).orNull),
            .required(
                "checks",
                .list(
                    of: .object([
                        .required("check", .string(.length(1...32))),
                        .required("result", .choice("pass", "fail", "depends")),
                        .required("code", Schema.string(.length(1...64)).orNull),
                        .required(
                            "level", Schema.choice("organization", "unit", "project", "user", "key", "tag").orNull),
                        .required("id", Schema.string(.length(1...64)).orNull.described("Of the rule.")),
                        .required("model", Schema.id(ModelKind.self).orNull),
                        .required("detail", .string(.length(1...1000))),
                    ]))),
        ])
    )
}

extension Explanation.Check {
    fileprivate var json: JSONValue {
        [
            "check": .string(self.name), "result": .string(self.result.rawValue),
            "code": self.code.map { .string($0) } ?? .null,
            "level": self.level.map { .string($0.name.description) } ?? .null,
            "id": self.id.map { .string($0) } ?? .null, "model": JSONValue(self.model), "detail": .string(self.detail),
        ]
    }
}

extension Explanation.Question {
    private static let bytesLimit: Int64 = 1 << 30
    private static let tokensLimit: Int64 = 1 << 32

    package static let schema = Schema.object([
        .required("key", Schema.id(VirtualKeyKind.self).described("Whose request it would be.")),
        .required("model", Schema.string(.length(1...200)).described("As the client would name it.")),
        .optional("prompt_bytes", Schema.integer(0...Self.bytesLimit).described("Of its body; 0 when absent.")),
        .optional("max_tokens", Schema.integer(1...Self.tokensLimit).described("No bound of its own when absent.")),
        .optional("choices", Schema.integer(1...128).described("1 when absent.")),
        .optional(
            "tags",
            Schema.map(valueLength: TagText.valueLimit, count: TagText.countLimit, nullValues: false).described(
                "Those that it would name itself.")),
        .optional(
            "address", Schema.string(.length(2...45)).described("Where it would come from; not looked at when absent.")),
    ])

    /// Of a body that `schema` accepts.
    package init(_ body: JSONValue) throws(ControlError) {
        guard let key = body["key"]?.string.flatMap({ VirtualKeyID($0) }) else { throw .notFound("virtual key") }
        self.key = key
        self.model = body["model"]?.string ?? ""
        self.promptBytes = body["prompt_bytes"]?.integer ?? 0
        self.maxTokens = body["max_tokens"]?.integer
        self.choices = body["choices"]?.integer ?? 1
        self.tags = Metadata.read(body["tags"] ?? [:])
        self.address = body["address"]?.string.flatMap { IPAddress($0) }
        if body["address"] != nil, self.address == nil { throw .invalid("It must be an IP address.", at: "/address") }
    }
}
