package import Logging
package import Postgres
package import Shared
import Synchronization

/// What one replica does once a minute: check the ledger, make room ahead for usage, remove what nobody needs.
///
/// Each is bounded and in transactions of its own; one that fails does not keep the others, and is tried again with the
/// next round.
package final class Jobs: Sendable {
    private let database: Database
    private let lock: AdvisoryLock
    private let time: TimeSource
    private let logger: Logger
    private let state = Mutex(Figures())
    private let hold = Mutex<AdvisoryLockHold?>(nil)

    /// For metrics.
    package struct Figures: Sendable {
        package var isLeader = false
        package var failures = 0
        /// Nil until the ledger was checked here.
        package var ledger: LedgerCheck?
        /// Days after today that have a partition; nil until it was looked at here.
        package var partitionsAhead: Int?
        package var removed: [String: Int] = [:]
    }

    /// "GHJOBS" as a number: the advisory lock of the jobs.
    package static let lockKey: Int64 = 0x4748_4A4F_4253
    static let interval: Duration = .seconds(60)

    package init(database: Database, lock: AdvisoryLock, time: TimeSource, logger: Logger) {
        self.database = database
        self.lock = lock
        self.time = time
        self.logger = logger
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                if try await self.lead() { await self.round() }
            } catch {
                self.failed("jobs", error)
            }
            try? await Task.sleep(for: Self.interval)
        }
        await self.hold.withLock { $0 }?.release()
    }

    private func lead() async throws -> Bool {
        if self.hold.withLock({ $0?.isHeld != true }) {
            let taken = try await self.lock.tryAcquire(Self.lockKey)
            self.hold.withLock { $0 = taken }
        }
        let leads = self.hold.withLock { $0?.isHeld == true }
        self.state.withLock { state in
            // What another replica knows better by now is not said.
            if !leads { state = Figures(failures: state.failures, removed: state.removed) }
            state.isLeader = leads
        }
        return leads
    }

    /// Everything once.
    package func round() async {
        await self.attempt("usage partitions") {
            let ahead = try await UsagePartitions.prepare(self.database)
            self.state.withLock { $0.partitionsAhead = ahead }
            if ahead == 0 {
                self.logger.warning("no partition of usage could be made ahead: the default one takes what comes")
            }
        }
        await self.attempt("ledger check") { try await self.checkLedger() }
        await self.attempt("usage retention") {
            let gone = try await UsageKeeping.apply(self.database, at: self.time.now())
            self.state.withLock { $0.removed.merge(gone) { $0 + $1 } }
        }
        await self.attempt("leases") {
            let now = self.time.now()
            let (silent, zones, _, _) = try await self.database.transaction { tx in
                (
                    try LeaseStore.suspend(before: now.adding(seconds: -LeaseRules.reclaimSeconds), &tx),
                    try ZoneOffsetStore.renew(at: now, &tx),
                    try ShareStore.forget(before: now.adding(seconds: -ShareRules.keptSeconds), &tx),
                    try LeaseSums.foldNoted(&tx)
                )
            }
            if silent > 0 {
                self.logger.warning("gateways hold money and say nothing", metadata: ["leases": "\(silent)"])
            }
            if zones > 0 { self.logger.info("time zones were looked up", metadata: ["zones": "\(zones)"]) }
        }
        await self.attempt("old events") {
            let now = self.time.now()
            let gone = try await self.database.transaction { tx in try Events.removeOld(&tx, at: now) }
            self.state.withLock { $0.removed["event", default: 0] += gone }
        }
        await self.attempt("old approvals") {
            let now = self.time.now()
            let gone = try await self.database.transaction { tx in try Approvals.removeOld(&tx, at: now) }
            self.state.withLock { $0.removed["approval", default: 0] += gone }
        }
        await self.attempt("removals") {
            let removed = try await self.database.transaction { tx in try Removals.run(&tx) }
            self.state.withLock { $0.removed.merge(removed) { $0 + $1 } }
        }
        await self.attempt("removals of access") {
            let removed = try await self.database.transaction(retrySerialization: 3) { tx in
                try AccessRemovals.run(&tx)
            }
            self.state.withLock { $0.removed.merge(removed) { $0 + $1 } }
        }
    }

    private func checkLedger() async throws {
        let now = self.time.now()
        let check = try await self.database.transaction(.repeatableReadWrite, retrySerialization: 3) { tx in
            try LedgerCheck.run(&tx, now: now)
        }
        let before = self.state.withLock { state in
            defer { state.ledger = check }
            return state.ledger
        }
        guard !check.holds, before?.holds != false else { return }
        self.logger.error(
            "the ledger does not hold",
            metadata: [
                "events": "\(check.identities.events)", "rejected": "\(check.identities.rejected)",
                "lost": "\(check.identities.lost)", "watermarks": "\(check.identities.watermarks)",
                "event_cost": "\(check.identities.eventCost)", "unfolded": "\(check.identities.unfolded)",
                "levels": "\(check.identities.levels)", "accounts": "\(check.accounts.differences)",
            ]
        )
    }

    private func attempt(_ name: String, _ body: () async throws -> Void) async {
        guard !Task.isCancelled else { return }
        do {
            try await body()
        } catch is CancellationError {
            return
        } catch {
            self.failed(name, error)
        }
    }

    private func failed(_ name: String, _ error: any Error) {
        self.state.withLock { $0.failures += 1 }
        self.logger.error("a job failed", metadata: ["job": "\(name)", "error": "\(error)"])
    }
}
