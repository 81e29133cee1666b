package import Shared

/// The whole price of a model from an instant on; or of models that have none.
///
/// Never changed: a later one replaces it.
package struct Price: Sendable, Hashable, Audited {
    package let id: PriceID
    /// Nil for the fallback: what models without a price are charged at, in groups that let them be estimated.
    package let model: ModelID?
    package let effectiveAt: Timestamp
    package let items: [PriceItem]
    /// What all of it is multiplied by where the provider's account is, for data residency or a region.
    package let uplift: PriceFactor
    package let createdAt: Timestamp

    package var auditState: JSONValue { self.json }

    /// A price that is to be: what of it a request says.
    package struct Draft: Sendable {
        package let effectiveAt: Timestamp?
        package let items: [PriceItem]
        package let uplift: PriceFactor

        /// Of a body that `creationSchema` accepts.
        package init(_ body: JSONValue) throws(ControlError) {
            self.effectiveAt = body["effective_at"]?.string.flatMap { Timestamp($0) }
            self.items = try PriceItems.read(body["items"])
            self.uplift = body["uplift_ppm"]?.integer.flatMap { PriceFactor(partsPerMillion: $0) } ?? .one
        }
    }

    private static let model = Schema.id(ModelKind.self).orNull.described(
        "Null for the fallback price, at which gateway groups with unpriced_models 'estimate' charge models without one."
    )
    private static let uplift = Schema.integer(PriceFactor.range).described(
        "What the whole price is multiplied by, in parts per million: 1100000 for a region that costs a tenth more.")

    package static let schema = Schema.named(
        "Price",
        .object([
            .required("id", .id(PriceKind.self)), .required("model", Self.model),
            .required("effective_at", .timestamp), .required("created_at", .timestamp),
            .required("uplift_ppm", Self.uplift),
            .required("items", .list(of: PriceItems.schema(isAnswer: true))),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("model", Self.model), .optional("effective_at", Schema.timestamp.described("Now when absent.")),
        .optional("uplift_ppm", Self.uplift),
        .required("items", .array(of: PriceItems.schema(isAnswer: false), count: 1...PriceItems.limit)),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "model": JSONValue(self.model), "effective_at": JSONValue(self.effectiveAt),
            "created_at": JSONValue(self.createdAt), "uplift_ppm": .integer(self.uplift.partsPerMillion),
            "items": .array(self.items.map { PriceItems.json($0) }),
        ]
    }
}
