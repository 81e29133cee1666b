package import Shared

/// Something that a provider serves, by the provider's own name.
package struct Model: Sendable, Hashable, Audited {
    package let id: ModelID
    package let provider: ProviderID
    package let owner: Ownership
    package var name: String
    /// Tokens; 0 when not known.
    package var contextWindow: Int64
    package var maxOutputTokens: Int64
    package var status: ActiveStatus
    package var stamps: Stamps

    package func applying(_ patch: JSONValue, at time: Timestamp) -> Model {
        var result = self
        if let name = patch["name"]?.string { result.name = name }
        if let status = patch["status"]?.string.flatMap({ ActiveStatus(rawValue: $0) }) { result.status = status }
        if let window = patch["context_window"]?.integer { result.contextWindow = window }
        if let tokens = patch["max_output_tokens"]?.integer { result.maxOutputTokens = tokens }
        result.stamps.advance(to: time)
        return result
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider), "status": .string(self.status.rawValue),
            "context_window": .integer(self.contextWindow), "max_output_tokens": .integer(self.maxOutputTokens),
            "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }

    private static let tokens = Schema.integer(0...Int64(Int32.max)).described("Tokens; 0 when not known.")

    package static let schema = Schema.named(
        "Model",
        .object(
            [
                .required("id", .id(ModelKind.self)), .required("provider", .id(ProviderKindID.self)),
                .required("name", .name), .required("context_window", Self.tokens),
                .required("max_output_tokens", Self.tokens), .required("status", .activeStatus),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("provider", .id(ProviderKindID.self)),
        .required("name", Schema.name.described("The provider's own.")),
        .optional("context_window", Self.tokens), .optional("max_output_tokens", Self.tokens),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("context_window", Self.tokens),
        .optional("max_output_tokens", Self.tokens), .optional("status", .activeStatus),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider), "name": .string(self.name),
            "context_window": .integer(self.contextWindow), "max_output_tokens": .integer(self.maxOutputTokens),
            "status": .string(self.status.rawValue),
        ].adding(self.stamps.json)
    }
}
