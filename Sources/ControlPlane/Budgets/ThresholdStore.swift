import Postgres
import Shared

/// The SQL of thresholds: which accounts are to be looked at, and which thresholds were reached before.
enum ThresholdStore {
    /// An account as far as its thresholds go.
    struct Account {
        let id: Int64
        let budget: BudgetID
        var start: Timestamp
        /// Nil for never.
        var end: Timestamp?
        /// Of a rolling budget.
        let rolling: RollingWindow?
        /// As far as usage has arrived, with what was spent before there was a budget.
        var spent: NanoUSD
        /// The same without what marks say that were not taken yet.
        let kept: NanoUSD
        let carried: NanoUSD
        var reached: Set<Int64>
    }

    /// Has a budget's newest window looked at, because what may be spent in it, or its thresholds, changed.
    static func mark(_ budget: BudgetID, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            """
            insert into budget_account_unseen (account_id)
            select id from budget_account where budget_id = $1 order by start_minute desc limit 1
            """, budget)
    }

    /// Takes marks away, which adds what they say to what is kept as spent (`budget_account_spend`).
    ///
    /// - Returns: how many marks, and what was spent of which accounts by them.
    static func take(_ limit: Int64, _ tx: inout Transaction) throws -> (marks: Int, accounts: [Int64: Int64]) {
        let rows = try tx.query(
            """
            delete from budget_account_unseen where ctid = any (array(
                select ctid from budget_account_unseen limit $1)) returning account_id, settled
            """, limit)
        var accounts: [Int64: Int64] = [:]
        for row in rows {
            let id: Int64 = try row.get("account_id")
            accounts[id] = NanoUSD(accounts[id] ?? 0).addingSaturating(try row.get("settled")).amount
        }
        return (rows.count, accounts)
    }

    /// Of these, those that may have reached a threshold: what was spent comes to the lowest one of the amount at least.
    ///
    /// Increases and what was carried over only raise what a threshold stands for. Of rolling budgets all: checkpoints are taken
    /// of them.
    static func accounts(_ ids: [Int64], _ tx: inout Transaction) throws -> [Account] {
        try tx.query(
            """
            with waiting as (
                select account_id, sum(settled) as settled from budget_account_unseen group by account_id)
            select a.id, a.budget_id, a.start_minute, a.ends_at, a.spent_before, a.carried, b.rolling_seconds,
                least(coalesce(s.settled, 0) + coalesce(w.settled, 0), 9223372036854775807)::bigint as settled,
                least(coalesce(s.settled, 0), 9223372036854775807)::bigint as kept,
                array(select c.percent from budget_threshold_crossing c where c.account_id = a.id) as reached
            from budget_account a join budget b on b.id = a.budget_id
            left join budget_account_spent s on s.account_id = a.id
            left join waiting w on w.account_id = a.id
            where a.id = any ($1) and (b.rolling_seconds is not null
                or b.thresholds[1]::numeric * b.amount_nano_usd
                    <= 100 * (coalesce(s.settled, 0) + coalesce(w.settled, 0) + a.spent_before))
            order by a.id
            """, ids
        ).map { row in
            let reached: [Int64] = try row.get("reached")
            let settled: NanoUSD = try row.get("settled")
            let kept: NanoUSD = try row.get("kept")
            let before: NanoUSD = try row.get("spent_before")
            return Account(
                id: try row.get("id"), budget: try row.get("budget_id"),
                start: Timestamp(microseconds: try row.get("start_minute", as: Int64.self) * 60_000_000),
                end: try row.optional("ends_at"),
                rolling: try row.optional("rolling_seconds").map { RollingWindow(stored: $0) },
                spent: settled.addingSaturating(before), kept: kept.addingSaturating(before),
                carried: try row.get("carried"), reached: Set(reached))
        }
    }

    /// Forgets that an account reached thresholds.
    static func fall(below percents: [Int64], of account: Int64, _ tx: inout Transaction) throws {
        guard !percents.isEmpty else { return }
        _ = try tx.execute(
            "delete from budget_threshold_crossing where account_id = $1 and percent = any ($2)", account, percents)
    }

    /// Notes that an account reached a threshold.
    ///
    /// - Returns: whether it had not before.
    static func reach(
        _ percent: Int64, of account: Int64, event: EventID, at now: Timestamp, _ tx: inout Transaction
    ) throws -> Bool {
        try tx.execute(
            """
            insert into budget_threshold_crossing (account_id, percent, event_id, crossed_at) values ($1, $2, $3, $4)
            on conflict do nothing
            """, account, percent, event, now) == 1
    }
}
