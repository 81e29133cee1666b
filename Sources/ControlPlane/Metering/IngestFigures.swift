import Synchronization

/// What was taken in, for metrics.
package final class IngestFigures: Sendable {
    package struct Values: Sendable {
        package var stored = 0
        package var rejected = 0
        package var mispriced = 0
        package var repeated = 0
        package var lost = 0
    }

    private let values = Mutex(Values())

    init() {}

    package var current: Values { self.values.withLock { $0 } }

    func add(_ result: UsageIngest.Result) {
        self.values.withLock { values in
            values.stored += result.stored
            values.rejected += result.rejected
            values.mispriced += result.mispriced
            values.lost += result.lost
            if result.stored + result.rejected == 0 { values.repeated += 1 }
        }
    }
}
