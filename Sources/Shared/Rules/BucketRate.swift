/// How a bucket of units fills: `amount` units in each period, never more than `burst` of them in it.
///
/// From a full bucket, at most `burst + amount * t / period` units can be taken in any time t: what a generic cell rate
/// algorithm (ITU-T I.371) with the same burst would let through. A bucket may be split: a holder of `share` parts has
/// its part of the rate and of the burst, and parts that sum to the whole let through what the whole would.
///
/// What flows is counted in granules, so that hardly anything is lost where slow buckets are split anew.
package struct BucketRate: Hashable, Sendable {
    package let amount: Int64
    /// Nil for a bucket that does not fill by itself: what is taken is put back.
    package let period: RateLimitPeriod?
    package let burst: Int64

    /// Parts that a whole bucket has.
    package static let parts: Int64 = 1 << 16
    /// Granules of a unit.
    package static let granules: Int64 = 1000
    /// Units, at most: so that granules times parts are a number of 63 bits.
    package static let amountLimit: Int64 = 100_000_000_000

    /// Nil when an amount is not from 1 to `amountLimit`.
    ///
    /// - Parameter burst: without meaning where there is no period.
    package init?(amount: Int64, per period: RateLimitPeriod?, burst: Int64) {
        guard (1...Self.amountLimit).contains(amount) else { return nil }
        guard period == nil || (1...Self.amountLimit).contains(burst) else { return nil }
        self.init(amount: amount, period: period, burst: period == nil ? amount : burst)
    }

    /// A unit a day.
    package static let least = BucketRate(amount: 1, period: .day, burst: 1)

    private init(amount: Int64, period: RateLimitPeriod?, burst: Int64) {
        self.amount = amount
        self.period = period
        self.burst = burst
    }

    /// Granules that the whole bucket holds at most.
    package var capacity: Int64 { self.burst * Self.granules }

    /// Granules that some parts hold at most.
    package func capacity(of share: Int64) -> Int64 {
        Self.parts.dividingFullWidth(self.capacity.multipliedFullWidth(by: share)).quotient
    }

    /// Whole granules that flow into some parts within a time, and the nanoseconds that they take of it.
    ///
    /// - Parameters:
    ///   - share: 0 … `parts`.
    ///   - nanoseconds: not more than a year of it counts.
    package func granules(flowingInto share: Int64, in nanoseconds: UInt64) -> (granules: Int64, nanoseconds: UInt64) {
        guard share > 0, let (rate, whole) = self.flow(into: share) else { return (0, 0) }
        let most = UInt64(Self.amountLimit * Self.granules)
        let product = rate.multipliedFullWidth(by: min(nanoseconds, Self.longest))
        guard product.high < whole else { return (Int64(most), nanoseconds) }
        let flowed = whole.dividingFullWidth(product).quotient
        guard flowed > 0 else { return (0, 0) }
        guard flowed < most else { return (Int64(most), nanoseconds) }
        // Rounded up: nothing flows before its time.
        let (spent, rest) = rate.dividingFullWidth(flowed.multipliedFullWidth(by: whole))
        return (Int64(flowed), min(nanoseconds, spent + (rest > 0 ? 1 : 0)))
    }

    /// Nanoseconds until a number of granules has flowed into some parts; nil when it never has.
    package func nanoseconds(for granules: Int64, into share: Int64) -> UInt64? {
        guard granules > 0 else { return 0 }
        guard share > 0, let (rate, whole) = self.flow(into: share) else { return nil }
        let product = UInt64(granules).multipliedFullWidth(by: whole)
        guard product.high < rate else { return nil }
        let (time, rest) = rate.dividingFullWidth(product)
        return time &+ (rest > 0 ? 1 : 0)
    }

    /// Granules times parts that flow in so many nanoseconds times parts; nil where nothing does.
    private func flow(into share: Int64) -> (rate: UInt64, whole: UInt64)? {
        guard let period = self.period else { return nil }
        return (
            UInt64(self.amount) &* UInt64(Self.granules) &* UInt64(share),
            UInt64(Self.parts) &* UInt64(period.seconds) &* 1_000_000_000
        )
    }

    /// A year.
    private static let longest: UInt64 = 366 * 86400 * 1_000_000_000
}
