import Postgres
import Shared

/// The SQL of rolling windows: checkpoints of what was settled, and what has left a window by them.
enum RollingStore {
    /// Opens the account of a rolling budget, unless somebody just did, with what its subject spent in the last window.
    ///
    /// That is taken from the sums of usage, by the minute in which requests began; of a day and longer, by the hour but
    /// for the first one. It leaves the window as it came.
    static func open(
        _ budget: BudgetID, _ window: RollingWindow, at now: Timestamp, _ tx: inout Transaction
    ) throws {
        let (minute, hour): (Int64, Int64) = (60_000_000, 3_600_000_000)
        let start = now.adding(seconds: -window.seconds).microseconds
        // The minute and, of short windows, the hour that a window begins in, are counted whole: rather too much.
        let from = start / minute * minute
        let isLong = window.seconds > 3600
        let hours = isLong ? (start + hour - 1) / hour * hour : now.microseconds + hour
        _ = try tx.execute(
            BudgetSpending.series + """
                ,
                used as (
                    select m.starts_at + interval '1 minute' as ends_at, m.cost_nano_usd as cost from usage_minute m
                    where m.series_id in (select id from series) and m.starts_at >= $2::timestamptz
                        and m.starts_at < $3::timestamptz
                    union all
                    select h.starts_at + interval '1 hour', h.cost_nano_usd from usage_hour h
                    where h.series_id in (select id from series) and h.starts_at >= $3::timestamptz),
                -- What is recorded was spent by now.
                steps as (
                    select (extract(epoch from least(ends_at, $4::timestamptz)) * 1000000)::bigint / $5::bigint as step,
                        max(least(ends_at, $4::timestamptz)) as taken_at, sum(cost) as cost
                    from used group by 1),
                sums as (
                    select step, taken_at, least(sum(cost) over (order by step), $6::bigint)::bigint as settled from steps),
                made as (
                    insert into budget_account (budget_id, start_minute, spent_before, created_at)
                    select $1, 0, coalesce((select max(settled) from sums), 0), $4::timestamptz
                    on conflict do nothing returning id)
                insert into budget_checkpoint (account_id, step, taken_at, settled)
                select made.id, sums.step, sums.taken_at, sums.settled from made cross join sums
                """,
            budget, Timestamp(microseconds: from), Timestamp(microseconds: hours), now, window.stepLength,
            RollingWindow.settledLimit
        )
    }

    /// What had left the windows of accounts by an instant, all told; nothing where there is no checkpoint so old.
    ///
    /// - Parameter now: not after money is granted by it.
    static func passed(
        _ accounts: [(id: Int64, window: RollingWindow)], at now: Timestamp, _ tx: inout Transaction
    ) throws -> [Int64: Int64] {
        guard !accounts.isEmpty else { return [:] }
        let cutoffs = accounts.map { $0.window.cutoff(at: now) }
        let rows = try tx.query(
            """
            select w.account_id, c.settled from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w (account_id, step, cutoff)
            cross join lateral (
                select k.settled from budget_checkpoint k
                where k.account_id = w.account_id and k.step <= w.step
                    and k.taken_at <= timestamptz 'epoch' + w.cutoff * interval '1 microsecond'
                order by k.step desc limit 1) c
            """, accounts.map(\.id), zip(accounts, cutoffs).map { $0.window.step(of: $1) },
            cutoffs.map(\.microseconds))
        var result: [Int64: Int64] = [:]
        for row in rows { result[try row.get("account_id")] = try row.get("settled") }
        return result
    }

    /// Takes checkpoints of accounts; by whoever keeps what was spent, one at a time.
    ///
    /// - Parameter now: not before what is kept as spent was stored.
    static func check(
        _ accounts: [(id: Int64, window: RollingWindow)], at now: Timestamp, _ tx: inout Transaction
    ) throws {
        guard !accounts.isEmpty else { return }
        let (ids, steps) = (accounts.map(\.id), accounts.map { $0.window.step(of: now) })
        try Self.removeAhead(ids, of: steps, &tx)
        let rows = try tx.query(
            """
            insert into budget_checkpoint as c (account_id, step, taken_at, settled)
            select a.id, w.step, $3, least(a.spent_before + coalesce(s.settled, 0), $4::bigint)::bigint
            from unnest($1::bigint[], $2::bigint[]) as w (account_id, step)
            join budget_account a on a.id = w.account_id
            left join budget_account_spent s on s.account_id = a.id order by a.id
            -- A clock that was put back does not make what was settled any older.
            on conflict (account_id, step) do update
                set taken_at = greatest(c.taken_at, excluded.taken_at), settled = excluded.settled
            returning account_id, xmax = 0 as is_new
            """, ids, steps, now, RollingWindow.settledLimit)
        let stepped = Set(try rows.filter { try $0.get("is_new") }.map { try $0.get("account_id", as: Int64.self) })
        try Self.thinOut(accounts.filter { stepped.contains($0.id) }, at: now, &tx)
    }

    /// Removes checkpoints of a clock that was ahead: they say less than is known now, and would be the newest.
    private static func removeAhead(_ accounts: [Int64], of steps: [Int64], _ tx: inout Transaction) throws {
        // Mostly there are none, which is seen by the newest of each.
        let rows = try tx.query(
            """
            select w.account_id, w.step from unnest($1::bigint[], $2::bigint[]) as w (account_id, step)
            where w.step < (select k.step from budget_checkpoint k
                where k.account_id = w.account_id order by k.step desc limit 1)
            """, accounts, steps)
        for row in rows {
            _ = try tx.execute(
                "delete from budget_checkpoint where account_id = $1 and step > $2",
                try row.get("account_id", as: Int64.self), try row.get("step", as: Int64.self))
        }
    }

    /// Removes checkpoints that no window begins with any more.
    private static func thinOut(
        _ accounts: [(id: Int64, window: RollingWindow)], at now: Timestamp, _ tx: inout Transaction
    ) throws {
        guard !accounts.isEmpty else { return }
        let kept = accounts.map { $0.window.keptSince(at: now) }
        _ = try tx.execute(
            """
            delete from budget_checkpoint c using (
                select w.account_id, (
                    select k.step from budget_checkpoint k
                    where k.account_id = w.account_id and k.step <= w.step
                        and k.taken_at <= timestamptz 'epoch' + w.kept * interval '1 microsecond'
                    order by k.step desc limit 1) as oldest
                from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w (account_id, step, kept)) w
            where c.account_id = w.account_id and c.step < w.oldest
            """, accounts.map(\.id), zip(accounts, kept).map { $0.window.step(of: $1) }, kept.map(\.microseconds))
    }
}
