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
        var frozenUntil: Timestamp?
    }

    /// Where what leases hold is cut, here and in SQL: 2^61.
    static let heldLimit: Int64 = 2_305_843_009_213_693_952

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
            result[try row.get("id")] = try Sum(row)
        }
        for (account, held) in try Self.fold(accounts, &tx) { result[account]?.held = held }
        return result
    }

    /// The accounts of which something is noted: mostly none.
    static func noted(_ accounts: [Int64], _ tx: inout Transaction) throws -> [Int64] {
        guard !accounts.isEmpty else { return [] }
        return try tx.query(
            "select distinct account_id from budget_held_change where account_id = any ($1)", accounts
        ).map { try $0.get("account_id") }
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

    /// Gateways that renewed an account since an instant, as far as it is stored.
    struct Stored {
        /// How many besides those that renew now.
        var others = 0
        /// Those of them with other processes of theirs, and those with the one that renews now.
        var before: Set<GatewayID> = []
        var same: Set<GatewayID> = []
    }

    static func sharers(
        of accounts: [Int64], besides callers: [GatewayCaller], since: Timestamp, _ tx: inout Transaction
    ) throws -> [Int64: Stored] {
        guard !accounts.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select w.account_id, l.others, l.before, l.same from unnest($1::bigint[]) as w (account_id)
            -- Of each by its key: the index of leases that are not closed would be read whole for each.
            cross join lateral (
                select count(distinct gateway_id) filter (where gateway_id <> all ($2)) as others,
                    coalesce(array_agg(distinct gateway_id) filter (where gateway_id = any ($2)
                        and process <> ($3::bigint[])[array_position($2::uuid[], gateway_id)]), '{}') as before,
                    coalesce(array_agg(distinct gateway_id) filter (where gateway_id = any ($2)
                        and process = ($3::bigint[])[array_position($2::uuid[], gateway_id)]), '{}') as same
                from budget_lease where account_id = w.account_id and state = 'open' and renewed_at > $4) l
            """, accounts, callers.map { SQLUUID(high: $0.id.value.high, low: $0.id.value.low) },
            callers.map { Int64(bitPattern: $0.process) }, since)
        func gateways(_ row: Row, _ column: String) throws -> Set<GatewayID> {
            Set(try row.get(column, as: [SQLUUID].self).map { GatewayID(UUIDValue(high: $0.high, low: $0.low)) })
        }
        var result: [Int64: Stored] = [:]
        for row in rows {
            result[try row.get("account_id")] = Stored(
                others: Int(try row.get("others", as: Int64.self)), before: try gateways(row, "before"),
                same: try gateways(row, "same"))
        }
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

extension LeaseSums.Sum {
    /// Of a row of `budget_account`, with `held` cut.
    init(_ row: Row) throws {
        self.init(
            held: try row.get("held"),
            sharers: LeaseSharers(
                count: Int(try row.get("sharers", as: Int64.self)), countedAt: try row.optional("counted_at")),
            frozenUntil: try row.optional("frozen_until"))
    }
}
