package import Logging
package import Postgres
package import Shared
import Synchronization

/// Folds what was stored into the sums by minute, hour and day, about once a second.
///
/// Every replica tries; one at a time folds, each round in a transaction of its own. A record is in all levels or in
/// none, and counts in the minute in which its request began, however late it arrives.
package final class Rollups: Sendable {
    private let database: Database
    private let logger: Logger
    private let state = Mutex(Figures())

    /// For metrics.
    package struct Figures: Sendable {
        /// Records that this replica folded.
        package var folded: Int64 = 0
        package var failures = 0
        /// Records that waited when this replica last looked, and since when the oldest of them did.
        package var waiting: Int64 = 0
        package var waitingSince: Timestamp?
    }

    /// "GHFOLD" as a number: the advisory lock of folding.
    package static let lockKey: Int64 = 0x4748_464F_4C44
    /// Records and batches of one transaction: as many as a round can fold in a second or so.
    static let recordsLimit: Int64 = 50_000
    static let batchesLimit: Int64 = 2000
    static let interval: Duration = .seconds(1)

    package init(database: Database, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await self.foldAll()
            } catch is CancellationError {
                return
            } catch {
                self.state.withLock { $0.failures += 1 }
                self.logger.error("usage was not folded", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// Folds until nothing waits, or another replica does.
    package func foldAll() async throws {
        var isFirst = true
        while !Task.isCancelled {
            let round = try await self.database.transaction { tx in try Self.fold(&tx) }
            let backlog = try await self.database.transaction(.readOnly) { tx in try RollupStore.backlog(&tx) }
            self.state.withLock { state in
                state.folded += round?.records ?? 0
                state.waiting = backlog.records
                state.waitingSince = backlog.since
            }
            guard let round, round.records > 0 else { return }
            // Known to the index before the next round looks for what came meanwhile; and after a large backlog.
            if isFirst || backlog.records > 0 { try await self.summarize(round.from, round.to) }
            isFirst = false
            guard backlog.records > 0 else { return }
        }
    }

    /// What one round folded: records, which arrived from the one to the other instant.
    package struct Round: Sendable {
        package let records: Int64
        package let from: Timestamp
        package let to: Timestamp
    }

    /// One round in the caller's transaction; nil when another one folds, or nothing waits.
    package static func fold(
        _ tx: inout Transaction, records: Int64 = Rollups.recordsLimit
    ) throws -> Round? {
        let lock = try tx.queryOne("select pg_try_advisory_xact_lock($1) as taken", Self.lockKey)
        guard try lock?.get("taken") == true else { return nil }
        let batches = try RollupStore.waiting(&tx, records: records, batches: Self.batchesLimit)
        guard let from = batches.map(\.ingestedAt).min(), let to = batches.map(\.ingestedAt).max() else { return nil }
        return Round(records: try RollupStore.fold(&tx, batches), from: from, to: to)
    }

    private func summarize(_ from: Timestamp, _ to: Timestamp) async throws {
        _ = try await self.database.transaction { tx in
            try tx.query("select usage_event_summarize($1, $2)", from, to).count
        }
    }
}
