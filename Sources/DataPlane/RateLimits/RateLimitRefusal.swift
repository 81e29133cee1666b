package import Shared

/// Which rate limit refused, and when it will not.
package struct RateLimitRefusal: Sendable, Equatable {
    package let limit: RateLimitID
    package let level: BudgetLevel
    package let meter: RateLimitMeter
    package let rate: BucketRate
    /// Units that are there, here.
    package var left: Int64
    /// Units that were wanted; 0 for more than are ever there.
    package var needed: Int64

    /// - Parameters:
    ///   - left: granules.
    ///   - needed: granules.
    init(_ entry: RateLimitEntry, left: Int64, needed: Int64) {
        self.limit = entry.id
        self.level = entry.level
        self.meter = entry.meter
        self.rate = entry.rate
        self.left = max(0, left / BucketRate.granules)
        self.needed = max(0, needed / BucketRate.granules)
    }
}
