package import Postgres
package import Shared

/// One check of the ledger, as it is remembered.
package struct LedgerCheck: Sendable, Equatable {
    package var identities: LedgerIdentities
    package var holds: Bool
    package var checkedAt: Timestamp
    /// When everything was last read, and not only what came since.
    package var wholeAt: Timestamp
    /// What came before these two was summed up once: `closed`.
    var eventsTo: Timestamp
    var daysTo: Int64
    var closed: Sums

    /// What is summed over records and over days.
    struct Sums: Sendable, Equatable {
        var events: Int64 = 0
        var eventCost: Int64 = 0
        var mispriced: Int64 = 0
        var dailyCost: Int64 = 0

        static func + (left: Self, right: Self) -> Self {
            Sums(
                events: left.events + right.events, eventCost: left.eventCost + right.eventCost,
                mispriced: left.mispriced + right.mispriced, dailyCost: left.dailyCost + right.dailyCost
            )
        }
    }

    /// Seconds that an hour stays open after its end, for transactions that began in it.
    static let grace: Int64 = 900
    /// Days that may still get usage without everything being read again.
    static let openDays: Int64 = 7
    /// Seconds between two whole readings; and from one to the next when the quick check finds a difference.
    static let wholeInterval: Int64 = 86_400
    static let doubtInterval: Int64 = 600

    /// Checks the ledger in one state of the database: the transaction is to be `repeatableReadWrite`.
    ///
    /// Reads the records of the last hour or so and the sums of the last days, and adds what was summed up before. Once a
    /// day, and before it says that something is wrong, it reads everything: usage of a day long past that is delivered
    /// late, or a record that was changed long after it came, is seen then.
    package static func run(_ tx: inout Transaction, now: Timestamp) throws -> LedgerCheck {
        if let last = try LedgerCheckStore.load(&tx), now < last.wholeAt.adding(seconds: Self.wholeInterval) {
            let quick = try Self.read(&tx, after: last, now: now)
            // A difference is believed only from a whole reading, which is not made every minute.
            if quick.holds || now < last.wholeAt.adding(seconds: Self.doubtInterval) {
                var check = quick
                check.holds = quick.holds || last.holds
                try LedgerCheckStore.save(&tx, check)
                return check
            }
        }
        _ = try tx.execute("set local statement_timeout = '10min'")
        let whole = try Self.read(&tx, after: nil, now: now)
        try LedgerCheckStore.save(&tx, whole)
        return whole
    }

    private static func read(_ tx: inout Transaction, after last: LedgerCheck?, now: Timestamp) throws -> LedgerCheck {
        let hour = (now.seconds - Self.grace) / 3600 * 3600
        let beginning = Timestamp(microseconds: 0)
        let (from, days) = (last?.eventsTo ?? beginning, last?.daysTo ?? 0)
        let eventsTo = max(from, Timestamp(microseconds: hour * 1_000_000))
        let daysTo = max(days, now.seconds / 86_400 - Self.openDays)
        let (closing, open) = try LedgerCheckStore.sums(&tx, from: from, to: eventsTo, days: days, to: daysTo)
        let closed = (last?.closed ?? Sums()) + closing
        let all = closed + open
        let streams = try LedgerCheckStore.streams(&tx)
        let identities = LedgerIdentities(
            events: all.events, rejected: streams.rejected, lost: streams.lost, watermarks: streams.watermarks,
            eventCost: all.eventCost, dailyCost: all.dailyCost, mispriced: all.mispriced
        )
        return LedgerCheck(
            identities: identities, holds: identities.holds, checkedAt: now, wholeAt: last?.wholeAt ?? now,
            eventsTo: eventsTo, daysTo: daysTo, closed: closed
        )
    }
}

/// The SQL of the ledger's checks.
package enum LedgerCheckStore {
    package static func load(_ tx: inout Transaction) throws -> LedgerCheck? {
        let row = try tx.queryOne("select *, days_to - date '1970-01-01' as day from ledger_check")
        return try row.map { row in
            LedgerCheck(
                identities: LedgerIdentities(
                    events: try row.get("events"), rejected: try row.get("rejected"), lost: try row.get("lost"),
                    watermarks: try row.get("watermarks"), eventCost: try row.get("event_cost"),
                    dailyCost: try row.get("daily_cost"), mispriced: try row.get("mispriced")
                ),
                holds: try row.get("holds"), checkedAt: try row.get("checked_at"), wholeAt: try row.get("whole_at"),
                eventsTo: try row.get("events_to"), daysTo: Int64(try row.get("day", as: Int32.self)),
                closed: .init(
                    events: try row.get("closed_events"), eventCost: try row.get("closed_event_cost"),
                    mispriced: try row.get("closed_mispriced"), dailyCost: try row.get("closed_daily_cost")
                )
            )
        }
    }

    static func save(_ tx: inout Transaction, _ check: LedgerCheck) throws {
        let identities = check.identities
        _ = try tx.execute("delete from ledger_check")
        _ = try tx.execute(
            """
            insert into ledger_check (checked_at, whole_at, holds, events, rejected, watermarks, event_cost, daily_cost,
                mispriced, events_to, closed_events, closed_event_cost, closed_mispriced, days_to, closed_daily_cost,
                lost)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, date '1970-01-01' + $14::int, $15, $16)
            """,
            check.checkedAt, check.wholeAt, check.holds, identities.events, identities.rejected, identities.watermarks,
            identities.eventCost, identities.dailyCost, identities.mispriced, check.eventsTo, check.closed.events,
            check.closed.eventCost, check.closed.mispriced, Int32(clamping: check.daysTo), check.closed.dailyCost,
            identities.lost
        )
    }

    /// Sums of what came from the first to the second bound, and of what came after it.
    static func sums(
        _ tx: inout Transaction, from: Timestamp, to: Timestamp, days: Int64, to daysTo: Int64
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
            let (count, cost, mispriced): (Int64, Int64, Int64) = (
                try row.get("events"), try row.get("cost"), try row.get("mispriced")
            )
            let sums = LedgerCheck.Sums(events: count, eventCost: cost, mispriced: mispriced)
            if try row.get("open", as: Bool.self) { result.open = sums } else { result.closing = sums }
        }
        let daily = try tx.query(
            """
            select day >= date '1970-01-01' + $2::int as open, sum(cost_nano_usd)::bigint as cost
            from usage_daily where day >= date '1970-01-01' + $1::int group by 1
            """, Int32(clamping: days), Int32(clamping: daysTo)
        )
        for row in daily {
            let cost: Int64 = try row.get("cost")
            let isOpen: Bool = try row.get("open")
            if isOpen { result.open.dailyCost = cost } else { result.closing.dailyCost = cost }
        }
        return result
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
