package import Postgres
import Shared

/// The SQL of what is kept with an account of all its leases.
///
/// What they hold together is the account's `held` and the rows of `budget_held_change`. Renewals write the first, under
/// the lock of the account; usage that arrives and processes that are closed add the second, and wait for nobody.
package enum LeaseSums {
    struct Sum {
        /// At most 2^61: whatever is said, a number, and twice as much is one too.
        var held: Int64
        var sharers: LeaseSharers
        /// Nothing is granted before.
        let frozenUntil: Timestamp?
    }

    /// What a renewal changes.
    struct Change {
        let account: Int64
        let held: Int64
        let sharers: LeaseSharers
    }

    /// Accounts of which one round of the jobs takes in what is noted.
    static let foldLimit: Int64 = 5000

    /// Holds accounts against every other renewal until the transaction ends; in one order, so that two that need the same
    /// ones do not wait for each other.
    static func lock(_ accounts: [Int64], _ tx: inout Transaction) throws -> [Int64: Sum] {
        guard !accounts.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select id, frozen_until, sharers, counted_at, least(held, 2305843009213693952)::bigint as held
            from budget_account where id = any ($1) order by id for no key update
            """, accounts)
        var result: [Int64: Sum] = [:]
        for row in rows {
            result[try row.get("id")] = Sum(
                held: try row.get("held"),
                sharers: LeaseSharers(
                    count: Int(try row.get("sharers", as: Int64.self)), countedAt: try row.optional("counted_at")),
                frozenUntil: try row.optional("frozen_until"))
        }
        for (account, held) in try Self.fold(accounts, &tx) { result[account]?.held = held }
        return result
    }

    /// Takes what is noted of accounts into their sums; by whoever holds them.
    ///
    /// A statement of its own, after the lock: what was committed while that was waited for is seen.
    ///
    /// - Returns: what leases of those hold of which something was noted.
    private static func fold(_ accounts: [Int64], _ tx: inout Transaction) throws -> [Int64: Int64] {
        let rows = try tx.query(
            """
            with gone as (
                delete from budget_held_change where account_id = any ($1) returning account_id, amount),
            sums as (select account_id, sum(amount) as amount from gone group by account_id)
            update budget_account a set held = a.held + s.amount from sums s where a.id = s.account_id
            returning a.id, least(a.held, 2305843009213693952)::bigint as held
            """, accounts)
        var result: [Int64: Int64] = [:]
        for row in rows { result[try row.get("id")] = try row.get("held") }
        return result
    }

    /// Takes in what is noted of accounts that nobody renews.
    ///
    /// - Returns: of how many.
    package static func foldNoted(_ tx: inout Transaction) throws -> Int {
        let rows = try tx.query(
            "select distinct account_id from budget_held_change order by account_id limit $1", Self.foldLimit)
        let accounts: [Int64] = try rows.map { try $0.get("account_id") }
        return try Self.lock(accounts, &tx).count
    }

    /// How many gateways besides one renewed since an instant.
    static func others(
        of accounts: [Int64], besides gateway: GatewayID, since: Timestamp, _ tx: inout Transaction
    ) throws -> [Int64: Int] {
        guard !accounts.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select w.account_id, l.others from unnest($1::bigint[]) as w (account_id)
            -- Of each by its key: the index of leases that are not closed would be read whole for each.
            cross join lateral (
                select count(distinct gateway_id) filter (
                    where state = 'open' and gateway_id <> $2 and renewed_at > $3) as others
                from budget_lease where account_id = w.account_id) l
            """, accounts, gateway, since)
        var result: [Int64: Int] = [:]
        for row in rows { result[try row.get("account_id")] = Int(try row.get("others", as: Int64.self)) }
        return result
    }

    /// Adds what a renewal changed to accounts that it holds.
    static func add(_ changes: [Change], _ tx: inout Transaction) throws {
        guard !changes.isEmpty else { return }
        _ = try tx.execute(
            """
            update budget_account a set held = a.held + w.held, sharers = w.sharers,
                counted_at = timestamptz 'epoch' + nullif(w.counted, -1) * interval '1 microsecond'
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) as w (id, held, sharers, counted)
            where a.id = w.id and a.id = any ($1)
            """, changes.map(\.account), changes.map(\.held), changes.map { Int64($0.sharers.count) },
            changes.map { $0.sharers.countedAt?.microseconds ?? -1 })
    }
}
