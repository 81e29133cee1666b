package import Logging
package import Postgres
package import Shared
import Synchronization

/// Raises an event for each threshold that a budget's window reaches, once, some seconds after the usage arrived; and takes
/// the checkpoints that rolling windows go by.
///
/// Every replica tries; one at a time looks, at accounts whose money changed since. The marks that it takes away, the
/// note that a threshold was reached, the event and its deliveries are one transaction: after a kill either all of it
/// happened or none of it, and then the marks are still there. An event is never raised twice for one threshold of one
/// window, whatever is spent or given afterwards: the note's key forbids it. Of a rolling window it is raised again when less was
/// spent in between.
package final class ThresholdWatch: Sendable {
    private let database: Database
    private let time: TimeSource
    private let logger: Logger
    private let state = Mutex(Figures())

    /// For metrics.
    package struct Figures: Sendable {
        /// Events that this replica raised.
        package var raised = 0
        package var failures = 0
    }

    /// "GHTHRS" as a number: the advisory lock of looking at thresholds.
    package static let lockKey: Int64 = 0x4748_5448_5253
    /// Marks that one transaction takes.
    package static let marksLimit: Int64 = 20_000
    static let interval: Duration = .seconds(2)

    package init(database: Database, time: TimeSource, logger: Logger) {
        self.database = database
        self.time = time
        self.logger = logger
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await self.lookAll()
            } catch is CancellationError {
                return
            } catch {
                self.state.withLock { $0.failures += 1 }
                self.logger.error("thresholds were not looked at", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Looks until no account waits, or another replica does.
    package func lookAll() async throws {
        while !Task.isCancelled {
            let time = self.time
            let round = try await self.database.transaction { tx in try Self.look(&tx, time: time) }
            self.state.withLock { $0.raised += round.raised }
            guard round.marks >= Self.marksLimit else { return }
        }
    }

    /// One round in the caller's transaction.
    ///
    /// - Returns: how many marks were taken, and events raised; none while another one looks.
    package static func look(
        _ tx: inout Transaction, time: TimeSource, limit: Int64 = ThresholdWatch.marksLimit
    ) throws -> (marks: Int, raised: Int) {
        let lock = try tx.queryOne("select pg_try_advisory_xact_lock($1) as taken", Self.lockKey)
        guard try lock?.get("taken") == true else { return (0, 0) }
        let (marks, taken) = try ThresholdStore.take(limit, &tx)
        guard !taken.isEmpty else { return (marks, 0) }
        // Not before what was taken had arrived.
        let now = time.now()
        let ids = taken.keys.sorted()
        var accounts = try ThresholdStore.accounts(ids, &tx)
        let rolling = accounts.compactMap { account in account.rolling.map { (id: account.id, window: $0) } }
        try RollingStore.check(rolling, at: now, &tx)
        let passed = try RollingStore.passed(rolling, at: now, &tx)
        let budgets = try BudgetStore.active(Set(accounts.map(\.budget)), &tx)
        let increases = try LeaseStore.increases(of: budgets.keys.sorted(), at: now, &tx)
        var raised = 0
        for index in accounts.indices {
            guard let budget = budgets[accounts[index].budget] else { continue }
            let limit = budget.amount.addingSaturating(NanoUSD(increases[budget.id] ?? 0))
                .addingSaturating(accounts[index].carried)
            if let window = accounts[index].rolling {
                let id = accounts[index].id
                let least = accounts[index].roll(
                    window, passed: passed[id] ?? 0, taken: taken[id] ?? 0, at: now)
                let fallen = accounts[index].fall(to: least, budget.thresholds, limit: limit)
                try ThresholdStore.fall(below: fallen, of: id, &tx)
            }
            let account = accounts[index]
            let percents = budget.thresholds.reached(spent: account.spent, limit: limit)
                .filter { !account.reached.contains($0) }
            // Several at once are listed in their order.
            let ids: [EventID] = percents.map { _ in time.newID() }.sorted()
            for (percent, id) in zip(percents, ids) {
                let event = Event(thresholdOf: budget, percent, in: account, limit: limit, id: id, at: now)
                guard try ThresholdStore.reach(percent, of: account.id, event: event.id, at: now, &tx) else { continue }
                try EventStore.raise(event, &tx)
                raised += 1
            }
        }
        return (marks, raised)
    }
}

extension ThresholdStore.Account {
    /// Makes it say what was spent in the window that ends now.
    ///
    /// - Parameters:
    ///   - passed: what had been spent when the window began.
    ///   - taken: what was spent since it was last looked at.
    /// - Returns: the least that was spent in any window since then.
    fileprivate mutating func roll(_ window: RollingWindow, passed: Int64, taken: Int64, at now: Timestamp) -> NanoUSD {
        // Marks that wait are looked at next: what they say would be taken twice for what came since.
        self.spent = NanoUSD(max(0, self.kept.amount - passed))
        self.start = now.adding(seconds: -window.seconds)
        self.end = now
        return NanoUSD(max(0, self.spent.amount - max(0, taken)))
    }

    /// Forgets thresholds above what was spent.
    ///
    /// - Returns: those.
    fileprivate mutating func fall(to spent: NanoUSD, _ thresholds: BudgetThresholds, limit: NanoUSD) -> [Int64] {
        let fallen = self.reached.subtracting(thresholds.reached(spent: spent, limit: limit))
        self.reached.subtract(fallen)
        return fallen.sorted()
    }
}

extension Event {
    /// That a window of a budget reached a threshold.
    fileprivate init(
        thresholdOf budget: Budget, _ percent: Int64, in account: ThresholdStore.Account, limit: NanoUSD, id: EventID,
        at now: Timestamp
    ) {
        self.init(
            id: id, type: Event.budgetThresholdCrossed, organization: budget.organization, subject: Target(budget.id),
            occurredAt: now,
            data: [
                "budget": JSONValue(budget.id), "name": .string(budget.name), "scope": .string(budget.scope),
                "tag": budget.subject.tag?.json ?? .null, "hard": .bool(budget.isHard),
                "threshold_percent": .integer(percent), "window": .string(budget.window.rawValue),
                "window_starts_at": JSONValue(account.start), "window_ends_at": JSONValue(account.end),
                "limit_nano_usd": .string(String(limit.amount)), "limit_usd": JSONValue(limit),
                "spent_nano_usd": .string(String(account.spent.amount)), "spent_usd": JSONValue(account.spent),
            ])
    }
}
