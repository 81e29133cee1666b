package import Shared

/// Prices for models of one provider that somebody wants and somebody else approves.
package struct PriceProposal: Sendable, Hashable, Audited {
    package enum Status: String, Sendable, CaseIterable {
        case open, approved, rejected
    }

    /// What an entry would do.
    package enum Effect: String, Sendable, CaseIterable {
        /// The model has no price yet.
        case new
        case changed
        case unchanged
        /// The provider has no such model: nothing is done.
        case unknownModel = "unknown_model"
    }

    /// The price of one model.
    package struct Entry: Sendable, Hashable {
        package let modelName: String
        package let model: ModelID?
        package let effect: Effect
        /// The price that would be replaced.
        package let before: PriceID?
        package let items: [PriceItem]
        package let uplift: PriceFactor
    }

    package let id: PriceProposalID
    package let provider: ProviderID
    package let organization: OrganizationID?
    /// Where the prices are from.
    package let source: String
    /// When they take effect; nil for the moment of approval.
    package let effectiveAt: Timestamp?
    package var status: Status
    package let requestedBy: Actor
    package var decidedBy: Actor?
    package var decidedAt: Timestamp?
    /// Entries by what they would do.
    package let counts: [Effect: Int]
    /// SHA-256 of the entries' stored form: what was proposed is what is approved.
    package let contentSHA256: [UInt8]
    package var stamps: Stamps

    package static let entriesLimit = 1000

    package func decided(_ status: Status, by actor: Actor, at time: Timestamp) -> PriceProposal {
        var result = self
        result.status = status
        result.decidedBy = actor
        result.decidedAt = time
        result.stamps.advance(to: time)
        return result
    }

    package var auditState: JSONValue {
        .object(self.state.merging(["content_sha256": .string(Hex.encode(self.contentSHA256))]) { $1 })
    }

    package var auditPersonal: JSONValue { ["source": .string(self.source)] }

    private var state: [String: JSONValue] {
        [
            "id": JSONValue(self.id), "provider": JSONValue(self.provider),
            "effective_at": JSONValue(self.effectiveAt), "status": .string(self.status.rawValue),
            "requested_by": Self.json(self.requestedBy), "decided_by": self.decidedBy.map(Self.json) ?? .null,
            "decided_at": JSONValue(self.decidedAt),
            "entries": .object(
                Dictionary(
                    uniqueKeysWithValues: Effect.allCases.map { effect in
                        (effect.rawValue, .integer(Int64(self.counts[effect] ?? 0)))
                    })),
        ]
    }

    package var json: JSONValue {
        .object(self.state.merging(["source": .string(self.source)]) { $1 }.merging(self.stamps.json) { $1 })
    }

    private static func json(_ actor: Actor) -> JSONValue {
        ["kind": .string(actor.kind.rawValue), "id": .string(actor.text)]
    }

    private static let actor = Schema.object([
        .required("kind", .string(.length(1...64))), .required("id", .string(.length(1...64))),
    ])

    package static let schema = Schema.named(
        "PriceProposal",
        .object(
            [
                .required("id", .id(PriceProposalKind.self)), .required("provider", .id(ProviderKindID.self)),
                .required("source", .string(.length(0...500))), .required("effective_at", Schema.timestamp.orNull),
                .required("status", .string(.oneOf(Status.allCases.map(\.rawValue)))),
                .required("requested_by", Self.actor), .required("decided_by", Self.actor.orNull),
                .required("decided_at", Schema.timestamp.orNull),
                .required("entries", .object(Effect.allCases.map { .required($0.rawValue, .count) })),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("provider", .id(ProviderKindID.self)),
        .optional("source", Schema.string(.length(0...500)).described("Where the prices are from.")),
        .optional("effective_at", Schema.timestamp.described("The moment of approval when absent.")),
        .required(
            "entries",
            .array(
                of: .object([
                    .required("model", .string(.length(1...200))),
                    .optional("uplift_ppm", .integer(PriceFactor.range)),
                    .required("items", .array(of: PriceItems.schema(isAnswer: false), count: 1...PriceItems.limit)),
                ]), count: 1...Self.entriesLimit)),
    ])
}

extension PriceProposal.Entry {
    package static let schema = Schema.named(
        "PriceProposalEntry",
        .object([
            .required("model_name", .string(.length(1...200))), .required("model", Schema.id(ModelKind.self).orNull),
            .required("effect", .string(.oneOf(PriceProposal.Effect.allCases.map(\.rawValue)))),
            .required("before", Schema.id(PriceKind.self).orNull.described("The price that would be replaced.")),
            .required("uplift_ppm", .integer(PriceFactor.range)),
            .required("items", .list(of: PriceItems.schema(isAnswer: true))),
        ])
    )

    package var json: JSONValue {
        [
            "model_name": .string(self.modelName), "model": JSONValue(self.model),
            "effect": .string(self.effect.rawValue), "before": JSONValue(self.before),
            "uplift_ppm": .integer(self.uplift.partsPerMillion),
            "items": .array(self.items.map { PriceItems.json($0) }),
        ]
    }
}
