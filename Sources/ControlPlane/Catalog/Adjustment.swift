package import Shared

/// A discount or margin of an organization, with why there is one.
///
/// Never changed: a later one of the same narrowing replaces it.
package struct Adjustment: Sendable, Hashable, Audited {
    package let rule: PriceAdjustment
    package let reason: String
    package let createdAt: Timestamp

    /// Most entries that one organization has in force and to come.
    package static let limit = 500

    package var auditState: JSONValue { .object(self.state) }
    package var auditPersonal: JSONValue { ["reason": .string(self.reason)] }

    private var state: [String: JSONValue] {
        [
            "id": JSONValue(self.rule.id), "organization": JSONValue(OrganizationID(self.rule.organization.value)),
            "provider": JSONValue(self.rule.provider), "model": JSONValue(self.rule.model),
            "factor_ppm": .integer(self.rule.factor.partsPerMillion), "effective_at": JSONValue(self.rule.effective),
            "created_at": JSONValue(self.createdAt),
        ]
    }

    package var json: JSONValue { .object(self.state.merging(["reason": .string(self.reason)]) { $1 }) }

    private static let factor = Schema.integer(PriceFactor.range).described(
        "What a cost is multiplied by, in parts per million: 850000 is 15 % off, 1050000 a margin of 5 %.")
    private static let provider = Schema.id(ProviderKindID.self).orNull.described("Only what this provider answers.")
    private static let model = Schema.id(ModelKind.self).orNull.described("Only what this model answers.")
    private static let reason = Schema.string(.length(0...500))

    package static let schema = Schema.named(
        "PriceAdjustment",
        .object([
            .required("id", .id(AdjustmentKind.self)), .required("organization", .id(OrganizationKind.self)),
            .required("provider", Self.provider), .required("model", Self.model),
            .required("factor_ppm", Self.factor), .required("effective_at", .timestamp),
            .required("reason", Self.reason), .required("created_at", .timestamp),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("organization", .id(OrganizationKind.self)),
        .optional("provider", Self.provider), .optional("model", Self.model), .required("factor_ppm", Self.factor),
        .optional("effective_at", Schema.timestamp.described("Now when absent, and not before.")),
        .optional("reason", Self.reason),
    ])
}
