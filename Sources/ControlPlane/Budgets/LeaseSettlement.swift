import Postgres
import Shared

/// Posts what records cost to the leases that they were charged to, in the transaction that stores the records: so each
/// is posted exactly once.
enum LeaseSettlement {
    static func fold(
        _ tx: inout Transaction, _ records: [UsageIngest.Accepted], process: UInt64, gateway: GatewayID,
        at now: Timestamp
    ) throws {
        var sums: [OrganizationID: [Charge: NanoUSD]] = [:]
        for accepted in records where !accepted.record.charges.isEmpty {
            for charge in Set(accepted.record.charges) {
                let sum = sums[accepted.organization]?[charge] ?? .zero
                sums[accepted.organization, default: [:]][charge] = sum.addingSaturating(accepted.record.cost)
            }
        }
        for (organization, charges) in sums.sorted(by: { $0.key < $1.key }) {
            try Self.post(charges, of: organization, process: process, gateway: gateway, at: now, &tx)
        }
    }

    /// Posts to the accounts of an organization's own budgets; one that is missing is opened, as when a gateway served
    /// from before it could ask.
    private static func post(
        _ charges: [Charge: NanoUSD], of organization: OrganizationID, process: UInt64, gateway: GatewayID,
        at now: Timestamp, _ tx: inout Transaction
    ) throws {
        let sorted = charges.keys.sorted()
        let posted = try Self.update(sorted, charges, organization, process, gateway, now, &tx)
        let missing = sorted.filter { !posted.contains($0) }
        guard !missing.isEmpty else { return }
        for charge in missing { try Self.open(charge, of: organization, now: now, &tx) }
        _ = try Self.update(missing, charges, organization, process, gateway, now, &tx)
    }

    private static func update(
        _ charges: [Charge], _ costs: [Charge: NanoUSD], _ organization: OrganizationID, _ process: UInt64,
        _ gateway: GatewayID, _ now: Timestamp, _ tx: inout Transaction
    ) throws -> Set<Charge> {
        let rows = try tx.query(
            """
            with charged as (
                select a.id, w.number, w.minute, w.cost
                from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w (number, minute, cost)
                join budget b on b.number = w.number and b.organization_id = $4
                join budget_account a on a.budget_id = b.id and a.start_minute = w.minute
                order by a.id),
            posted as (
                insert into budget_lease as l (account_id, gateway_id, process, settled, renewed_at)
                select id, $5, $6, cost, $7 from charged order by id
                on conflict (account_id, gateway_id, process) do update set settled = l.settled + excluded.settled)
            select number, minute as start_minute from charged
            """, charges.map { Int64($0.budget) }, charges.map { Int64($0.startMinute) },
            charges.map { costs[$0]?.amount ?? 0 }, organization, gateway, Int64(bitPattern: process), now
        )
        return Set(try rows.map { try Charge($0) })
    }

    private static func open(
        _ charge: Charge, of organization: OrganizationID, now: Timestamp, _ tx: inout Transaction
    ) throws {
        let row = try tx.queryOne(
            """
            select b.id, b.period, b.rolling_seconds, z.since, z.offsets, b.amount_nano_usd, b.hard, b.carry_over,
                b.created_at
            from budget b join zone_offset z on z.zone = b.time_zone
            where b.number = $1 and b.organization_id = $2
            """, Int64(charge.budget), organization
        )
        guard let terms = try row.map({ try LeaseStore.Terms($0) }) else { return }
        guard LeaseRenewal.isWindow(charge, terms, now: now) else { return }
        if let rolling = terms.rolling { return try RollingStore.open(terms.budget, rolling, at: now, &tx) }
        try LeaseStore.open([try LeaseRenewal.opening(charge, terms, &tx)], at: now, &tx)
    }
}
