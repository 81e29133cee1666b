package import Shared

/// Which rate limit refused, and when it will not.
package struct RateLimitRefusal: Sendable, Equatable {
    package let limit: RateLimitID
    package let level: BudgetLevel
    package let meter: RateLimitMeter
    package let rate: BucketRate
    /// Units that are there, here.
    package var left: Int64

    /// - Parameter left: granules.
    init(_ entry: RateLimitEntry, left: Int64) {
        self.limit = entry.id
        self.level = entry.level
        self.meter = entry.meter
        self.rate = entry.rate
        self.left = max(0, left / BucketRate.granules)
    }
}
