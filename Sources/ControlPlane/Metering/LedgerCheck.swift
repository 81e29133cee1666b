package import Postgres
package import Shared

/// One check of the ledger, as it is remembered.
package struct LedgerCheck: Sendable, Equatable {
    package var identities: LedgerIdentities
    package var holds: Bool
    package var checkedAt: Timestamp
    /// When everything was last read, and not only what came since.
    package var wholeAt: Timestamp
    /// What came before this was summed up once: `closed`.
    var eventsTo: Timestamp
    var closed: Sums
    /// The same of each level, by the time of its sums.
    var levels: [UsageLevel: ClosedLevel]
    /// What is kept with budgets' accounts.
    package var accounts = AccountSums()

    /// What is summed over records.
    struct Sums: Sendable, Equatable {
        var events: Int64 = 0
        var eventCost: Int64 = 0
        var mispriced: Int64 = 0

        static func + (left: Self, right: Self) -> Self {
            Sums(
                events: left.events + right.events, eventCost: left.eventCost + right.eventCost,
                mispriced: left.mispriced + right.mispriced
            )
        }
    }

    struct ClosedLevel: Sendable, Equatable {
        var to = Timestamp(microseconds: 0)
        var sum = LedgerIdentities.Sum()
    }

    /// Seconds that an hour stays open after its end, for transactions that began in it.
    static let grace: Int64 = 900
    /// Seconds between two whole readings; and from one to the next when the quick check finds a difference.
    static let wholeInterval: Int64 = 86_400
    static let doubtInterval: Int64 = 600

    /// Checks the ledger in one state of the database: the transaction is to be `repeatableReadWrite`.
    ///
    /// Reads the records of the last hour or so and the latest sums of each level, and adds what was summed up before.
    /// Corrections of sums are found by an index of them, all of them each time: they are made long after the record.
    /// Once a day, and before it says that something is wrong, it reads everything: usage of a day long past that is
    /// delivered late, or a record that was changed long after it came, is seen then.
    package static func run(_ tx: inout Transaction, now: Timestamp) throws -> LedgerCheck {
        if let last = try LedgerCheckStore.load(&tx), now < last.wholeAt.adding(seconds: Self.wholeInterval) {
            let quick = try Self.read(&tx, after: last, now: now)
            // A difference is believed only from a whole reading, which is not made every minute; one of an account, of
            // which everything is read, at once.
            if quick.identities.holds || now < last.wholeAt.adding(seconds: Self.doubtInterval) {
                let held = last.holds || (last.identities.holds && !last.accounts.differences.isEmpty)
                var check = quick
                check.holds = (quick.identities.holds || held) && quick.accounts.differences.isEmpty
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
        let from = last?.eventsTo ?? Timestamp(microseconds: 0)
        let eventsTo = max(from, Timestamp(microseconds: hour * 1_000_000))
        let (closing, open) = try LedgerCheckStore.events(&tx, from: from, to: eventsTo)
        // What retention let go was closed when it went: only a whole reading has to be told; of corrections, each one.
        let dropped = try UsageRetentionStore.dropped(&tx)
        let gone = dropped[nil].map {
            Sums(events: $0.sum.records, eventCost: $0.sum.cost, mispriced: $0.mispriced)
        }
        let closed = (last?.closed ?? gone ?? Sums()) + closing
        let all = closed + open
        var levels: [UsageLevel: ClosedLevel] = [:]
        var sums: [UsageLevel: LedgerIdentities.Sum] = [:]
        for level in UsageLevel.allCases {
            let gone = dropped[level]?.sum ?? .init()
            let before = last?.levels[level] ?? ClosedLevel(sum: .init(records: gone.records, cost: gone.cost))
            let day = (now.seconds - level.openSeconds) / level.seconds * level.seconds
            let to = max(before.to, Timestamp(microseconds: day * 1_000_000))
            let (closing, open) = try LedgerCheckStore.sums(&tx, level, from: before.to, to: to)
            levels[level] = ClosedLevel(to: to, sum: before.sum + closing)
            let corrections = try LedgerCheckStore.corrections(&tx, level) + gone.corrections
            sums[level] = before.sum + closing + open + .init(corrections: corrections)
        }
        let rerated = try LedgerCheckStore.rerated(&tx)
        // Corrections are never changed: one by one they are added up by a whole reading, and else as re-ratings say.
        let corrections =
            try last.map { $0.identities.corrections + (rerated - $0.identities.rerated) }
            ?? LedgerCheckStore.corrections(&tx)
        let streams = try LedgerCheckStore.streams(&tx)
        let identities = LedgerIdentities(
            events: all.events, rejected: streams.rejected, lost: streams.lost, watermarks: streams.watermarks,
            eventCost: all.eventCost, corrections: corrections, rerated: rerated, levels: sums,
            unfolded: try LedgerCheckStore.unfolded(&tx), mispriced: all.mispriced
        )
        let accounts = try last.map { try AccountSums.next(after: $0.accounts, &tx) } ?? AccountSums.all(&tx)
        return LedgerCheck(
            identities: identities, holds: identities.holds && accounts.differences.isEmpty, checkedAt: now,
            wholeAt: last?.wholeAt ?? now, eventsTo: eventsTo, closed: closed, levels: levels, accounts: accounts
        )
    }
}
