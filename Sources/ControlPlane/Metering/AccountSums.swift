package import Postgres
package import Shared

/// Whether what is kept with budgets' accounts is what their leases come to, to the nano-dollar.
///
/// Every minute some accounts are looked at, in the order of their numbers, and those again that differed before; all of
/// them when the whole ledger is read.
package struct AccountSums: Sendable, Equatable {
    /// An account of which it is not so; decimal amounts in nano-USD.
    package struct Difference: Sendable, Equatable {
        package let account: Int64
        package let budget: BudgetID
        /// When the window begins.
        package let start: Timestamp
        package let held: String
        package let leasesHeld: String
        package let settled: String
        package let leasesSettled: String
        /// Of a rolling budget: what its newest checkpoint says was settled; at most what was.
        package let checkpoint: String
    }

    /// The last account that was looked at; 0 when all were.
    package var to: Int64 = 0
    /// At most `differencesLimit`.
    package var differences: [Difference] = []

    /// Accounts that a check looks at.
    static let pageLimit = 2000
    /// Accounts that are named.
    static let differencesLimit = 20

    /// Looks at the next ones.
    static func next(after last: AccountSums, _ tx: inout Transaction) throws -> AccountSums {
        let page = try AccountSumsStore.page(after: last.to, limit: Self.pageLimit, &tx)
        let again = Set(last.differences.map(\.account)).subtracting(page)
        let found = try AccountSumsStore.differences(of: page + again.sorted(), &tx)
        return AccountSums(
            to: page.count < Self.pageLimit ? 0 : page.last ?? 0,
            differences: Array(found.prefix(Self.differencesLimit)))
    }

    /// Looks at all, a page at a time.
    static func all(_ tx: inout Transaction) throws -> AccountSums {
        var result = AccountSums()
        repeat {
            let page = try AccountSumsStore.page(after: result.to, limit: Self.pageLimit, &tx)
            result.differences += try AccountSumsStore.differences(of: page, &tx)
            result.to = page.count < Self.pageLimit ? 0 : page.last ?? 0
        } while result.to > 0 && result.differences.count < Self.differencesLimit
        result.differences = Array(result.differences.prefix(Self.differencesLimit))
        return result
    }
}

extension AccountSums.Difference: CustomStringConvertible {
    package var description: String {
        "\(self.budget) from \(self.start): \(self.held) held, by its leases \(self.leasesHeld); "
            + "\(self.settled) settled, by its leases \(self.leasesSettled), by its newest checkpoint \(self.checkpoint)"
    }
}

/// The SQL of comparing them.
package enum AccountSumsStore {
    static func page(after account: Int64, limit: Int, _ tx: inout Transaction) throws -> [Int64] {
        try tx.query("select id from budget_account where id > $1 order by id limit $2", account, Int64(limit))
            .map { try $0.get("id") }
    }

    /// Those of some accounts of which what is kept is not what leases come to, or a checkpoint says more; in one state of the database.
    package static func differences(
        of accounts: [Int64], _ tx: inout Transaction
    ) throws -> [AccountSums.Difference] {
        guard !accounts.isEmpty else { return [] }
        return try tx.query(
            """
            with noted as (
                select account_id, sum(amount) as held from budget_held_change
                where account_id = any ($1) group by account_id),
            waiting as (
                select account_id, sum(settled) as settled from budget_account_unseen group by account_id),
            kept as (
                select a.id, a.budget_id, a.start_minute, a.held + coalesce(n.held, 0) as held,
                    coalesce(l.held, 0) as leases_held,
                    coalesce(s.settled, 0) + coalesce(w.settled, 0) as settled,
                    coalesce(l.settled, 0) as leases_settled,
                    greatest(0, coalesce(c.settled, 0) - a.spent_before) as checkpoint
                from budget_account a
                -- Of each by its key.
                cross join lateral (
                    select sum(greatest(granted - returned, posted, settled)) as held, sum(settled) as settled
                    from budget_lease where account_id = a.id) l
                left join lateral (
                    select settled from budget_checkpoint where account_id = a.id order by step desc limit 1) c on true
                left join noted n on n.account_id = a.id left join waiting w on w.account_id = a.id
                left join budget_account_spent s on s.account_id = a.id
                where a.id = any ($1))
            select id, budget_id, start_minute, held::text as held, leases_held::text as leases_held,
                settled::text as settled, leases_settled::text as leases_settled, checkpoint::text as checkpoint
            from kept where held <> leases_held or settled <> leases_settled or checkpoint > settled order by id
            """, accounts
        ).map { row in
            AccountSums.Difference(
                account: try row.get("id"), budget: try row.get("budget_id"),
                start: Timestamp(microseconds: try row.get("start_minute", as: Int64.self) * 60_000_000),
                held: try row.get("held"), leasesHeld: try row.get("leases_held"), settled: try row.get("settled"),
                leasesSettled: try row.get("leases_settled"), checkpoint: try row.get("checkpoint"))
        }
    }
}
