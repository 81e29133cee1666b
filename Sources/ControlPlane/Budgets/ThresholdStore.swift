import Postgres
import Shared

/// The SQL of thresholds: which accounts are to be looked at, and which thresholds were reached before.
enum ThresholdStore {
    /// An account as far as its thresholds go.
    struct Account {
        let id: Int64
        let budget: BudgetID
        let start: Timestamp
        /// Nil for never.
        let end: Timestamp?
        /// As far as usage has arrived, with what was spent before there was a budget.
        let spent: NanoUSD
        let carried: NanoUSD
        let reached: Set<Int64>
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
    /// - Returns: how many marks, and the accounts.
    static func take(_ limit: Int64, _ tx: inout Transaction) throws -> (marks: Int, accounts: [Int64]) {
        let rows = try tx.query(
            """
            delete from budget_account_unseen where ctid = any (array(
                select ctid from budget_account_unseen limit $1)) returning account_id
            """, limit)
        let accounts: [Int64] = try rows.map { try $0.get("account_id") }
        return (accounts.count, Set(accounts).sorted())
    }

    /// Of these, those that may have reached a threshold: what was spent comes to the lowest one of the amount at least.
    ///
    /// Increases and what was carried over only raise what a threshold stands for.
    static func accounts(_ ids: [Int64], _ tx: inout Transaction) throws -> [Account] {
        try tx.query(
            """
            with waiting as (
                select account_id, sum(settled) as settled from budget_account_unseen group by account_id)
            select a.id, a.budget_id, a.start_minute, a.ends_at, a.spent_before, a.carried,
                least(coalesce(s.settled, 0) + coalesce(w.settled, 0), 9223372036854775807)::bigint as settled,
                array(select c.percent from budget_threshold_crossing c where c.account_id = a.id) as reached
            from budget_account a join budget b on b.id = a.budget_id
            left join budget_account_spent s on s.account_id = a.id
            left join waiting w on w.account_id = a.id
            where a.id = any ($1) and b.thresholds[1]::numeric * b.amount_nano_usd
                <= 100 * (coalesce(s.settled, 0) + coalesce(w.settled, 0) + a.spent_before)
            order by a.id
            """, ids
        ).map { row in
            let reached: [Int64] = try row.get("reached")
            let settled: NanoUSD = try row.get("settled")
            return Account(
                id: try row.get("id"), budget: try row.get("budget_id"),
                start: Timestamp(microseconds: try row.get("start_minute", as: Int64.self) * 60_000_000),
                end: try row.optional("ends_at"), spent: settled.addingSaturating(try row.get("spent_before")),
                carried: try row.get("carried"), reached: Set(reached))
        }
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
