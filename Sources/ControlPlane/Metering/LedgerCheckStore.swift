package import Postgres
import Shared

/// The SQL of the ledger's checks.
package enum LedgerCheckStore {
    package static func load(_ tx: inout Transaction) throws -> LedgerCheck? {
        guard let row = try tx.queryOne("select * from ledger_check") else { return nil }
        var sums: [UsageLevel: LedgerIdentities.Sum] = [:]
        var levels: [UsageLevel: LedgerCheck.ClosedLevel] = [:]
        for row in try tx.query("select * from ledger_level") {
            guard let level = UsageLevel(rawValue: try row.get("level")) else { continue }
            sums[level] = .init(
                records: try row.get("records"), cost: try row.get("cost_nano_usd"),
                corrections: try row.get("corrections_nano_usd")
            )
            levels[level] = .init(
                to: try row.get("closed_to"),
                sum: .init(records: try row.get("closed_records"), cost: try row.get("closed_cost"))
            )
        }
        let accounts = AccountSums(
            to: try row.get("accounts_to"),
            differences: try AccountSumsStore.differences(of: try row.get("accounts_differing"), &tx))
        return LedgerCheck(
            identities: LedgerIdentities(
                events: try row.get("events"), rejected: try row.get("rejected"), lost: try row.get("lost"),
                watermarks: try row.get("watermarks"), eventCost: try row.get("event_cost"),
                corrections: try row.get("corrections"), rerated: try row.get("rerated"), levels: sums,
                unfolded: .init(
                    records: try row.get("unfolded_records"), cost: try row.get("unfolded_cost"),
                    corrections: try row.get("unfolded_corrections")
                ),
                mispriced: try row.get("mispriced")
            ),
            holds: try row.get("holds"), checkedAt: try row.get("checked_at"), wholeAt: try row.get("whole_at"),
            eventsTo: try row.get("events_to"),
            closed: .init(
                events: try row.get("closed_events"), eventCost: try row.get("closed_event_cost"),
                mispriced: try row.get("closed_mispriced")
            ), levels: levels, accounts: accounts
        )
    }

    static func save(_ tx: inout Transaction, _ check: LedgerCheck) throws {
        let identities = check.identities
        _ = try tx.execute("delete from ledger_check")
        _ = try tx.execute(
            """
            insert into ledger_check (checked_at, whole_at, holds, events, rejected, watermarks, event_cost, mispriced,
                events_to, closed_events, closed_event_cost, closed_mispriced, lost, unfolded_records, unfolded_cost,
                corrections, rerated, unfolded_corrections, accounts_to, accounts_differing)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
            """,
            check.checkedAt, check.wholeAt, check.holds, identities.events, identities.rejected, identities.watermarks,
            identities.eventCost, identities.mispriced, check.eventsTo, check.closed.events, check.closed.eventCost,
            check.closed.mispriced, identities.lost, identities.unfolded.records, identities.unfolded.cost,
            identities.corrections, identities.rerated, identities.unfolded.corrections, check.accounts.to,
            check.accounts.differences.map(\.account)
        )
        _ = try tx.execute("delete from ledger_level")
        for level in UsageLevel.allCases {
            let (sum, closed) = (identities.levels[level] ?? .init(), check.levels[level] ?? .init())
            _ = try tx.execute(
                """
                insert into ledger_level (level, records, cost_nano_usd, closed_to, closed_records, closed_cost,
                    corrections_nano_usd)
                values ($1, $2, $3, $4, $5, $6, $7)
                """, level.rawValue, sum.records, sum.cost, closed.to, closed.sum.records, closed.sum.cost,
                sum.corrections
            )
        }
    }

    /// Sums of the records that came from the first to the second bound, and of those that came after it.
    static func events(
        _ tx: inout Transaction, from: Timestamp, to: Timestamp
    ) throws -> (closing: LedgerCheck.Sums, open: LedgerCheck.Sums) {
        var result = (closing: LedgerCheck.Sums(), open: LedgerCheck.Sums())
        let events = try tx.query(
            """
            select ingested_at >= $2 as open, count(*) as events, coalesce(sum(cost_nano_usd), 0)::bigint as cost,
                count(*) filter (where cost_nano_usd <> checked_cost_nano_usd) as mispriced
            from usage_event where ingested_at >= $1 group by 1
            """, from, to
        )
        for row in events {
            let sums = LedgerCheck.Sums(
                events: try row.get("events"), eventCost: try row.get("cost"), mispriced: try row.get("mispriced")
            )
            if try row.get("open", as: Bool.self) { result.open = sums } else { result.closing = sums }
        }
        return result
    }

    /// The same of a level, by the time of its sums.
    static func sums(
        _ tx: inout Transaction, _ level: UsageLevel, from: Timestamp, to: Timestamp
    ) throws -> (closing: LedgerIdentities.Sum, open: LedgerIdentities.Sum) {
        var result = (closing: LedgerIdentities.Sum(), open: LedgerIdentities.Sum())
        let rows = try tx.query(
            "select starts_at >= $2 as open, sum(requests)::bigint as records, sum(cost_nano_usd)::bigint as cost from "
                + level.table + " where starts_at >= $1 group by 1", from, to
        )
        for row in rows {
            let sum = LedgerIdentities.Sum(records: try row.get("records"), cost: try row.get("cost"))
            if try row.get("open", as: Bool.self) { result.open = sum } else { result.closing = sum }
        }
        return result
    }

    /// What the corrections in a level change: of the rows that have some, by their own index.
    static func corrections(_ tx: inout Transaction, _ level: UsageLevel) throws -> Int64 {
        let row = try tx.queryOne(
            "select coalesce(sum(corrections_nano_usd), 0)::bigint as corrections from " + level.table
                + " where corrections_nano_usd <> 0")
        return try row?.get("corrections") ?? 0
    }

    /// What all corrections change, one by one.
    static func corrections(_ tx: inout Transaction) throws -> Int64 {
        let row = try tx.queryOne(
            "select coalesce(sum(after_nano_usd - before_nano_usd), 0)::bigint as corrections from usage_correction")
        return try row?.get("corrections") ?? 0
    }

    /// What re-ratings say that they changed, one row each.
    static func rerated(_ tx: inout Transaction) throws -> Int64 {
        let row = try tx.queryOne(
            "select coalesce(sum(after_nano_usd - before_nano_usd), 0)::bigint as rerated from rerating")
        return try row?.get("rerated") ?? 0
    }

    /// One row a batch or re-rating that waits.
    static func unfolded(_ tx: inout Transaction) throws -> LedgerIdentities.Sum {
        let row = try tx.queryOne(
            """
            select coalesce(sum(records), 0)::bigint as records, coalesce(sum(cost_nano_usd), 0)::bigint as cost,
                (select coalesce(sum(difference_nano_usd), 0)::bigint from rerating_unfolded) as corrections
            from usage_unfolded
            """
        )
        return .init(
            records: try row?.get("records") ?? 0, cost: try row?.get("cost") ?? 0,
            corrections: try row?.get("corrections") ?? 0)
    }

    /// One row a stream, and one a rejected record or a gap, of which there are few unless a gateway is wrong.
    static func streams(_ tx: inout Transaction) throws -> (rejected: Int64, lost: Int64, watermarks: Int64) {
        let row = try tx.queryOne(
            """
            select (select count(*) from usage_rejected) as rejected,
                (select coalesce(sum(to_seq - from_seq + 1), 0)::bigint from usage_gap) as lost,
                (select coalesce(sum(last_seq), 0)::bigint from usage_stream) as watermarks
            """
        )
        return (try row?.get("rejected") ?? 0, try row?.get("lost") ?? 0, try row?.get("watermarks") ?? 0)
    }
}
