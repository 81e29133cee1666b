package import Logging
package import Postgres
package import Shared
import Synchronization

/// Folds what was stored into the sums of every level, about once a second: records, and corrections of re-ratings.
///
/// Every replica tries; one at a time folds, each round in a transaction of its own. A record is in all levels or in
/// none, and counts in the minute in which its request began, however late it arrives. So does a correction, in the
/// series and the minute of its record, and not before that.
package final class Rollups: Sendable {
    private let database: Database
    private let logger: Logger
    private let state = Mutex(Figures())

    /// For metrics.
    package struct Figures: Sendable {
        /// Records that this replica folded.
        package var folded: Int64 = 0
        /// Corrections that this replica folded.
        package var foldedCorrections: Int64 = 0
        package var failures = 0
        /// Records and corrections that waited when this replica last looked, and since when the oldest of them did.
        package var waiting: Int64 = 0
        package var waitingCorrections: Int64 = 0
        package var waitingSince: Timestamp?
    }

    /// "GHFOLD" as a number: the advisory lock of folding.
    package static let lockKey: Int64 = 0x4748_464F_4C44
    /// Records (as many corrections) and batches of one transaction: what a round can fold in a second or so.
    package static let recordsLimit: Int64 = 50_000
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
                state.foldedCorrections += round?.corrections ?? 0
                state.waiting = backlog.records
                state.waitingCorrections = backlog.corrections
                state.waitingSince = backlog.since
            }
            guard let round, round.records + round.corrections > 0 else { return }
            let isLast = backlog.records + backlog.corrections == 0
            // Known to the index before the next round looks for what came meanwhile; and after a large backlog.
            if let arrivals = round.arrivals, isFirst || !isLast {
                try await self.summarize(arrivals.lowerBound, arrivals.upperBound)
            }
            isFirst = false
            guard !isLast else { return }
        }
    }

    /// What one round folded: records, which arrived from the one to the other instant, and corrections.
    package struct Round: Sendable {
        package let records: Int64
        package let arrivals: ClosedRange<Timestamp>?
        package let corrections: Int64
    }

    /// One round in the caller's transaction; nil when another one folds, or nothing waits.
    package static func fold(
        _ tx: inout Transaction, records: Int64 = Rollups.recordsLimit
    ) throws -> Round? {
        let lock = try tx.queryOne("select pg_try_advisory_xact_lock($1) as taken", Self.lockKey)
        guard try lock?.get("taken") == true else { return nil }
        let batches = try RollupStore.waiting(&tx, records: records, batches: Self.batchesLimit)
        let folded = try RollupStore.fold(&tx, batches)
        let reratings = try RollupStore.waitingCorrections(&tx, corrections: records)
        let corrections = try RollupStore.fold(&tx, corrections: reratings)
        guard !batches.isEmpty || !reratings.isEmpty else { return nil }
        let arrivals = batches.map(\.ingestedAt)
        return Round(
            records: folded, arrivals: arrivals.min().flatMap { first in arrivals.max().map { first...$0 } },
            corrections: corrections)
    }

    private func summarize(_ from: Timestamp, _ to: Timestamp) async throws {
        _ = try await self.database.transaction { tx in
            try tx.query("select usage_event_summarize($1, $2)", from, to).count
        }
    }
}
