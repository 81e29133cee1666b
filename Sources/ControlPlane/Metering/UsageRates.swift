import Postgres
import Shared

/// The prices and adjustments that the records of a batch were charged at, and should have been.
///
/// Both are never changed, so that a record that comes days later is still priced as it was. A record names what its
/// gateway went by, which may be older than what was in force at that instant: a snapshot takes a moment to arrive, or
/// days. It is held against what the gateway must have known: entries that were there a minute before its snapshot was
/// made. Of a snapshot that is not kept any more nothing is known, and what the record names counts.
struct UsageRates {
    private let prices: [PriceID: Price]
    private let adjustments: [AdjustmentID: PriceAdjustment]
    /// The prices of models, and the adjustments of organizations, that were in force while the records began.
    private let ofModels: [ModelID: [Price]]
    private let ofOrganizations: [NodeID: [Adjustment]]
    /// When snapshots of the records were made.
    private let snapshots: [SnapshotVersion: Timestamp]

    /// Seconds before a snapshot from which on an entry need not be in it: clocks differ, and transactions take time.
    private static let tolerance: Int64 = 60

    /// - Parameter records: such as can be: their times are ones that SQL has.
    init(
        _ tx: inout Transaction, of records: [UsageRecord], _ organizations: Set<OrganizationID>, group: GatewayGroupID
    ) throws {
        let began = records.map(\.started)
        let span = (began.min() ?? Timestamp(microseconds: 0), began.max() ?? Timestamp(microseconds: 0))
        let inForce = try PriceStore.inForce(of: Set(records.compactMap(\.model)), from: span.0, to: span.1, &tx)
        self.prices = try PriceStore.prices(inForce.union(records.compactMap(\.price)), &tx)
        self.adjustments = try AdjustmentStore.rules(Set(records.compactMap(\.adjustment)), &tx)
        var ofModels: [ModelID: [Price]] = [:]
        for id in inForce {
            if let price = self.prices[id], let model = price.model { ofModels[model, default: []].append(price) }
        }
        self.ofModels = ofModels
        self.ofOrganizations = Dictionary(
            grouping: try AdjustmentStore.inForce(of: organizations, from: span.0, to: span.1, &tx),
            by: \.rule.organization
        )
        self.snapshots = try Self.snapshots(Set(records.map(\.snapshot)), of: group, &tx)
    }

    private static func snapshots(
        _ versions: Set<SnapshotVersion>, of group: GatewayGroupID, _ tx: inout Transaction
    ) throws -> [SnapshotVersion: Timestamp] {
        let wanted = Array(versions)
        let rows = try tx.query(
            """
            select s.epoch, s.version, s.created_at from unnest($2::bigint[], $3::bigint[]) as wanted (epoch, version)
            join snapshot s on s.group_id = $1 and s.epoch = wanted.epoch and s.version = wanted.version
            """, group, wanted.map { Int64($0.epoch) }, wanted.map { Int64($0.version) }
        )
        var found: [SnapshotVersion: Timestamp] = [:]
        for row in rows {
            let version = SnapshotVersion(
                epoch: Int(try row.get("epoch", as: Int32.self)), version: Int(try row.get("version", as: Int64.self)))
            found[version] = try row.get("created_at")
        }
        return found
    }

    /// The cost by the rule that the gateway goes by; none when there is no price that it can have gone by.
    func cost(of record: UsageRecord, organization: OrganizationID) -> NanoUSD {
        guard let price = self.price(of: record) else { return .zero }
        return Pricing.cost(
            of: record.counters, items: price.items, tier: record.serviceTier, at: record.started,
            uplift: price.uplift, adjustment: self.factor(of: record, organization)
        )
    }

    /// Whether a gateway that went by the record's snapshot must have had an entry.
    private func isKnown(_ createdAt: Timestamp, to record: UsageRecord) -> Bool {
        guard let made = self.snapshots[record.snapshot] else { return false }
        return createdAt.adding(seconds: Self.tolerance) <= made
    }

    /// The price that the record names, when it can be: the model's own, or the fallback for an estimate, and not older
    /// than the newest that the gateway must have known.
    private func price(of record: UsageRecord) -> Price? {
        let known = record.model.flatMap { self.ofModels[$0] }?
            .filter { $0.effectiveAt <= record.started && self.isKnown($0.createdAt, to: record) }
            .max { $0.effectiveAt < $1.effectiveAt }
        guard let named = record.price.flatMap({ self.prices[$0] }), named.effectiveAt <= record.started else {
            return known
        }
        if named.model == nil { return known ?? (record.isEstimate ? named : nil) }
        guard named.model == record.model else { return known }
        return known.map { $0.effectiveAt > named.effectiveAt } ?? false ? known : named
    }

    /// The factor of the adjustment that the record names, when it can be: the organization's, for this provider and
    /// model, and none that the gateway must have known is nearer.
    private func factor(of record: UsageRecord, _ organization: OrganizationID) -> PriceFactor {
        guard let provider = record.provider, let model = record.model else { return .one }
        func fits(_ rule: PriceAdjustment) -> Bool {
            rule.organization == organization.node && rule.fits(provider: provider, model: model, at: record.started)
        }
        let known = self.ofOrganizations[organization.node]?
            .filter { fits($0.rule) && self.isKnown($0.createdAt, to: record) }
            .map(\.rule).min { $0.precedes($1) }
        guard let named = record.adjustment.flatMap({ self.adjustments[$0] }), fits(named) else {
            return known?.factor ?? .one
        }
        return known.map { $0.precedes(named) } ?? false ? known?.factor ?? .one : named.factor
    }
}
