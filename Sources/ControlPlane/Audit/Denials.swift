package import Logging
package import Postgres
package import Shared
import Synchronization

/// Brings denials into the audit log without making anybody wait: they are collected in bounded memory and written
/// every second, and at the end.
///
/// Callers who are known and those who are not have lanes of their own, so that whoever has no credential cannot crowd
/// out what is known of those who have one.
package final class Denials: Sendable {
    /// The bounds; see `docs/operations.md`.
    package struct Limits: Sendable {
        /// Most entries that tell callers apart, for those who are known and for those who are not.
        package var known = 1024
        package var unknown = 3072
        /// Leaves of each lane that may be written at once, and the nanoseconds in which one more may.
        package var burst = 1000
        package var leafInterval: UInt64 = 10_000_000_000
        /// Most leaves of one transaction.
        package var batch = 256

        package init() {}
    }

    /// For metrics.
    package struct Figures: Sendable {
        /// Denials since the start, by reason.
        package var byReason: [String: Int] = [:]
        /// Entries that wait to be written.
        package var waiting = 0
        /// Denials whose caller could not be kept: they are in the log as a number.
        package var dropped = 0
        /// Leaves written.
        package var written = 0
        package var failures = 0
    }

    private struct Lane: Sendable {
        var waiting: DenialLane
        var budget: LeafBudget
    }

    /// What is being written; of an earlier attempt whose outcome is open, where its first leaf would be.
    private struct Batch: Sendable {
        var entries: [DenialLane.Entry]
        var isKnown: Bool
        var doubt: AuditReceipt?
    }

    private struct State {
        var known: Lane
        var unknown: Lane
        var inDoubt: Batch?
        var figures = Figures()

        subscript(isKnown isKnown: Bool) -> Lane {
            get { isKnown ? self.known : self.unknown }
            _modify { if isKnown { yield &self.known } else { yield &self.unknown } }
        }
    }

    private let database: Database
    private let leaves: DenialLeaves
    private let time: TimeSource
    private let logger: Logger
    private let limits: Limits
    private let state: Mutex<State>

    package static let interval: Duration = .seconds(1)

    package init(
        database: Database, keys: KeyEncryptionKeys, time: TimeSource, logger: Logger, limits: Limits = Limits()
    ) {
        self.database = database
        self.leaves = DenialLeaves(keys: keys)
        self.time = time
        self.logger = logger
        self.limits = limits
        let budget = LeafBudget(burst: limits.burst, interval: max(1, limits.leafInterval), now: time.uptime())
        self.state = Mutex(
            State(
                known: Lane(waiting: DenialLane(capacity: limits.known), budget: budget),
                unknown: Lane(waiting: DenialLane(capacity: limits.unknown), budget: budget)
            )
        )
    }

    package var figures: Figures {
        self.state.withLock { state in
            var figures = state.figures
            figures.waiting =
                state.known.waiting.depth + state.unknown.waiting.depth + (state.inDoubt?.entries.count ?? 0)
            return figures
        }
    }

    /// Notes a denial; never waits.
    package func record(_ denial: Denial) {
        self.state.withLock { state in
            state.figures.byReason[denial.reason, default: 0] += 1
            let isKept = state[isKnown: denial.caller.isActor].waiting.add(denial)
            if !isKept { state.figures.dropped += 1 }
        }
    }

    /// Writes every second until the task is cancelled, and then all that is left.
    package func run() async {
        while !Task.isCancelled {
            await self.flush()
            try? await Task.sleep(for: Self.interval)
        }
        // The last ones are written by a task that nobody has cancelled.
        await Task { await self.flush(everything: true) }.value
    }

    /// Writes what waits, as far as the budget reaches; one at a time.
    ///
    /// - Parameter everything: whatever the budget says.
    package func flush(everything: Bool = false) async {
        while let batch = self.nextBatch(everything) {
            do {
                try await self.write(batch)
            } catch {
                let waiting = self.figures.waiting
                self.logger.error(
                    everything ? "denials are lost" : "denials wait to be recorded",
                    metadata: ["error": "\(error)", "entries": "\(waiting)"]
                )
                return
            }
        }
    }

    private func nextBatch(_ everything: Bool) -> Batch? {
        let now = self.time.uptime()
        let limit = self.limits.batch
        return self.state.withLock { state in
            if let batch = state.inDoubt {
                state.inDoubt = nil
                return batch
            }
            for isKnown in [true, false] {
                let entries = Self.take(&state[isKnown: isKnown], limit, now, everything)
                if !entries.isEmpty { return Batch(entries: entries, isKnown: isKnown) }
            }
            return nil
        }
    }

    private static func take(_ lane: inout Lane, _ limit: Int, _ now: UInt64, _ everything: Bool) -> [DenialLane.Entry]
    {
        lane.budget.refill(now: now)
        let entries = lane.waiting.take(everything ? limit : min(limit, lane.budget.available))
        lane.budget.spend(entries.count)
        return entries
    }

    /// Writes a batch in one transaction; when that fails, it waits again.
    private func write(_ batch: Batch) async throws {
        let leaves = self.leaves
        // Where the first leaf of this attempt stands.
        let first = Mutex<AuditReceipt?>(batch.doubt)
        do {
            try await self.database.transaction(retrySerialization: 3) { tx in
                let receipt = try leaves.append(&tx, batch.entries)
                // Now the log is ours, so that an attempt whose outcome was open has ended one way or the other.
                if let doubt = batch.doubt, try AuditLogStore.has(doubt, &tx) { throw WrittenBefore() }
                first.withLock { $0 = receipt }
            }
        } catch is WrittenBefore {
            // Its transaction is rolled back: the leaves are there once.
        } catch PostgresError.commitUnknown(let message) {
            self.state.withLock { state in
                state.inDoubt = Batch(entries: batch.entries, isKnown: batch.isKnown, doubt: first.withLock { $0 })
                state.figures.failures += 1
            }
            throw PostgresError.commitUnknown(message)
        } catch {
            self.state.withLock { state in
                state.figures.failures += 1
                if batch.doubt != nil {
                    state.inDoubt = batch
                } else {
                    state[isKnown: batch.isKnown].budget.refund(batch.entries.count)
                    state.figures.dropped += Int(state[isKnown: batch.isKnown].waiting.putBack(batch.entries))
                }
            }
            throw error
        }
        self.state.withLock { $0.figures.written += batch.entries.count }
    }

    private struct WrittenBefore: Error {}
}
