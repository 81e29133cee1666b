import Shared
import Synchronization

/// What was taken in, for metrics.
package final class IngestFigures: Sendable {
    package struct Values: Sendable {
        package var stored = 0
        package var rejected = 0
        package var mispriced = 0
        package var repeated = 0
        package var lost = 0
        /// Records whose tags were counted under `(other)`.
        package var otherTags = 0
        /// Microseconds from the end of the oldest request of the last stored batch to its storing.
        package var lag: Int64 = 0
    }

    private let values = Mutex(Values())

    init() {}

    package var current: Values { self.values.withLock { $0 } }

    func add(_ result: UsageIngest.Result, of batch: UsageBatch, now: Timestamp) {
        let oldest = batch.records.lazy.map { $0.started.microseconds.addingSaturating($0.durationMicroseconds) }.min()
        self.values.withLock { values in
            if let oldest, oldest > 0, result.stored > 0 { values.lag = max(0, now.microseconds - oldest) }
            values.stored += result.stored
            values.rejected += result.rejected
            values.mispriced += result.mispriced
            values.lost += result.lost
            values.otherTags += result.otherTags
            if result.stored + result.rejected == 0 { values.repeated += 1 }
        }
    }
}
