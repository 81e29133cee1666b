import Postgres
import Shared

/// Posts what records cost to the leases that they were charged to, in the transaction that stores the records: so each
/// is posted exactly once.
enum LeaseSettlement {
    /// An organization's own budget in one of its windows; of others nothing is posted.
    private struct Bill: Hashable, Comparable {
        let charge: Charge
        let organization: OrganizationID

        static func < (left: Self, right: Self) -> Bool {
            (left.charge, left.organization) < (right.charge, right.organization)
        }
    }

    static func fold(
        _ tx: inout Transaction, _ records: [UsageIngest.Accepted], process: UInt64, gateway: GatewayID,
        at now: Timestamp
    ) throws {
        var costs: [Bill: NanoUSD] = [:]
        for accepted in records where !accepted.record.charges.isEmpty {
            for charge in Set(accepted.record.charges) {
                let bill = Bill(charge: charge, organization: accepted.organization)
                costs[bill] = (costs[bill] ?? .zero).addingSaturating(accepted.record.cost)
            }
        }
        let bills = costs.keys.sorted()
        guard !bills.isEmpty else { return }
        let posted = try Self.post(bills, costs, process, gateway, now, &tx)
        // One that is missing is opened, as when a gateway served from before it could ask.
        let missing = bills.filter { !posted.contains($0) }
        guard !missing.isEmpty else { return }
        for bill in missing { try Self.open(bill.charge, of: bill.organization, now: now, &tx) }
        _ = try Self.post(missing, costs, process, gateway, now, &tx)
    }

    /// Posts to the leases of accounts that there are, and marks the accounts for those who look at thresholds.
    private static func post(
        _ bills: [Bill], _ costs: [Bill: NanoUSD], _ process: UInt64, _ gateway: GatewayID, _ now: Timestamp,
        _ tx: inout Transaction
    ) throws -> Set<Bill> {
        let rows = try tx.query(
            """
            with charged as (
                select a.id, w.number, w.minute, w.cost, w.organization
                from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[]) as w (number, minute, cost, organization)
                join budget b on b.number = w.number and b.organization_id = w.organization
                join budget_account a on a.budget_id = b.id and a.start_minute = w.minute
                order by a.id),
            posted as (
                insert into budget_lease as l (account_id, gateway_id, process, settled, renewed_at, marked)
                select id, $5, $6, cost, $7, 1 from charged order by id
                on conflict (account_id, gateway_id, process) do update
                    set settled = l.settled + excluded.settled, marked = l.marked + 1),
            marks as (
                insert into budget_account_unseen (account_id, settled) select id, cost from charged where cost <> 0)
            select number, minute as start_minute, organization from charged
            """, bills.map { Int64($0.charge.budget) }, bills.map { Int64($0.charge.startMinute) },
            bills.map { costs[$0]?.amount ?? 0 },
            bills.map { SQLUUID(high: $0.organization.value.high, low: $0.organization.value.low) }, gateway,
            Int64(bitPattern: process), now
        )
        return Set(try rows.map { Bill(charge: try Charge($0), organization: try $0.get("organization")) })
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
