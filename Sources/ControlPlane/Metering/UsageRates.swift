import Postgres
import Shared

/// The prices and adjustments that the records of a batch name: what their costs are computed from again.
///
/// Both are never changed, so that a record that comes days later is still priced as it was. That they are the right
/// ones is checked as far as a record can tell: the model's own, the organization's own, for this provider and model,
/// and effective when the request began.
struct UsageRates {
    private let prices: [PriceID: Price]
    private let adjustments: [AdjustmentID: PriceAdjustment]

    init(_ tx: inout Transaction, of records: [UsageRecord]) throws {
        self.prices = try PriceStore.prices(Set(records.compactMap(\.price)), &tx)
        self.adjustments = try AdjustmentStore.rules(Set(records.compactMap(\.adjustment)), &tx)
    }

    /// The cost by the rule that the gateway goes by; none when the record names a price that it cannot have had.
    func cost(of record: UsageRecord, organization: OrganizationID) -> NanoUSD {
        guard let price = record.price.flatMap({ self.prices[$0] }), price.effectiveAt <= record.started,
            price.model == nil ? record.isEstimate : price.model == record.model
        else { return .zero }
        return Pricing.cost(
            of: record.counters, items: price.items, tier: record.serviceTier, at: record.started,
            uplift: price.uplift, adjustment: self.factor(of: record, organization)
        )
    }

    private func factor(of record: UsageRecord, _ organization: OrganizationID) -> PriceFactor {
        guard let adjustment = record.adjustment.flatMap({ self.adjustments[$0] }),
            adjustment.organization == organization.node, let provider = record.provider, let model = record.model,
            adjustment.fits(provider: provider, model: model, at: record.started)
        else { return .one }
        return adjustment.factor
    }
}
