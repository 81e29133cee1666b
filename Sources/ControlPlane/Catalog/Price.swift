package import Shared

/// The whole price of a model from an instant on.
///
/// Never changed: a later one replaces it.
package struct Price: Sendable, Hashable, Audited {
    package let id: PriceID
    package let model: ModelID
    package let effectiveAt: Timestamp
    package let items: [PriceItem]
    package let createdAt: Timestamp

    package static let meters = Meter.allCases.map(\.name)
    package static let tiers = ServiceTier.allCases.map(\.name)

    /// Of items that the schema accepts; an item gives its price in one of the two forms.
    ///
    /// In the order of listing.
    package static func items(_ value: JSONValue?) throws(ControlError) -> [PriceItem] {
        var items: [PriceItem] = []
        for (index, item) in (value?.array ?? []).enumerated() {
            let nano = item["nano_usd_per_million"]?.string.flatMap { Int64($0) }
            let dollars = item["usd_per_million"]?.string.flatMap { NanoUSD(usd: $0)?.amount }
            guard let amount = nano ?? dollars, nano == nil || dollars == nil || nano == dollars else {
                throw .invalid(
                    "The item must have nano_usd_per_million or usd_per_million, and the same when both.",
                    at: "/items/\(index)"
                )
            }
            guard let meter = item["meter"]?.string.flatMap({ Meter(name: $0) }) else { continue }
            items.append(
                PriceItem(
                    meter: meter, nanoUSDPerMillion: amount,
                    abovePromptTokens: item["above_prompt_tokens"]?.integer ?? 0,
                    tier: item["tier"]?.string.flatMap { ServiceTier(name: $0) } ?? .standard
                )
            )
            let last = items[items.count - 1]
            guard
                !items.dropLast().contains(where: {
                    $0.meter == last.meter && $0.tier == last.tier && $0.abovePromptTokens == last.abovePromptTokens
                })
            else { throw .invalid("There is such an item already.", at: "/items/\(index)") }
        }
        return items.sorted { left, right in
            (left.meter.name, left.tier.name, left.abovePromptTokens)
                < (right.meter.name, right.tier.name, right.abovePromptTokens)
        }
    }

    package var auditState: JSONValue { self.json }

    private static func itemSchema(isAnswer: Bool) -> Schema {
        let amount = Schema.decimal.described("Nano-USD for a million units.")
        let dollars = Schema.string(.dollars).described("The same in dollars.")
        return .object([
            .required("meter", .string(.oneOf(Self.meters))),
            isAnswer ? .required("nano_usd_per_million", amount) : .optional("nano_usd_per_million", amount),
            isAnswer ? .required("usd_per_million", dollars) : .optional("usd_per_million", dollars),
            .optional("tier", .string(.oneOf(Self.tiers))),
            .optional("above_prompt_tokens", Schema.count.described("For prompts longer than this; 0 when absent.")),
        ])
    }

    package static let schema = Schema.named(
        "Price",
        .object([
            .required("id", .id(PriceKind.self)), .required("model", .id(ModelKind.self)),
            .required("effective_at", .timestamp), .required("created_at", .timestamp),
            .required("items", .list(of: Self.itemSchema(isAnswer: true))),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("model", .id(ModelKind.self)),
        .optional("effective_at", Schema.timestamp.described("Now when absent.")),
        .required("items", .array(of: Self.itemSchema(isAnswer: false), count: 1...64)),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "model": JSONValue(self.model), "effective_at": JSONValue(self.effectiveAt),
            "created_at": JSONValue(self.createdAt), "items": .array(self.items.map { Self.json($0) }),
        ]
    }

    private static func json(_ item: PriceItem) -> JSONValue {
        [
            "meter": .string(item.meter.name), "nano_usd_per_million": .string(String(item.nanoUSDPerMillion)),
            "usd_per_million": JSONValue(NanoUSD(item.nanoUSDPerMillion)), "tier": .string(item.tier.name),
            "above_prompt_tokens": .integer(item.abovePromptTokens),
        ]
    }
}
