package import Shared
package import Synchronization

/// What this process has of one rate limit, shared by its loops: granules that are there, and a share by which more flow in.
///
/// The granules are those of a lease: what is granted or flows in raises the ceiling, requests reserve and settle. Whoever
/// looks lets in first what has flowed since.
package struct RateLimitSlot: ~Copyable {
    package let units = LeaseSlot()
    /// Parts of `BucketRate.parts` by which they flow in.
    package let share = Atomic<Int64>(0)
    /// The uptime up to which they were let in.
    package let filledAt = Atomic<UInt64>(0)
    /// Somebody was refused since the control plane was last asked.
    package let isShort = Atomic<Bool>(false)
    /// What answers use of it at the moment: an average, in tokens.
    package let usual = Atomic<Int64>(RateLimitSlot.firstUsual)
    /// Who uses it, where several keys share it: written before anybody knows the slot.
    var fair: UnsafeMutablePointer<FairUse>?
    /// The keeper knows of it.
    let isListed = Atomic<Bool>(false)
    /// The limit's number.
    let number = Atomic<UInt32>(0)
    // The rate of the newest policy, for the keeper: requests go by that of their own.
    private let amount = Atomic<Int64>(1)
    private let period = Atomic<UInt8>(0)
    private let burst = Atomic<Int64>(1)

    /// Tokens that an answer is thought to have before one was seen.
    private static let firstUsual: Int64 = 256

    init() {}

    deinit {
        self.fair?.deinitialize(count: 1)
        self.fair?.deallocate()
    }

    var rate: BucketRate {
        BucketRate(
            amount: self.amount.load(ordering: .relaxed),
            per: RateLimitPeriod(rawValue: self.period.load(ordering: .relaxed)),
            burst: self.burst.load(ordering: .relaxed)) ?? .least
    }

    /// A policy says what the limit is.
    func set(_ rate: BucketRate) {
        self.amount.store(rate.amount, ordering: .relaxed)
        self.period.store(rate.period?.rawValue ?? 0, ordering: .relaxed)
        self.burst.store(rate.burst, ordering: .relaxed)
    }

    /// Lets in what has flowed since the last time.
    ///
    /// - Parameter uptime: nanoseconds; an earlier one than the last lets nothing in.
    package func fill(_ rate: BucketRate, uptime: UInt64) {
        let share = self.share.load(ordering: .acquiring)
        guard share > 0 else { return }
        let filled = self.filledAt.load(ordering: .acquiring)
        guard uptime > filled else { return }
        let (flowed, time) = rate.granules(flowingInto: share, in: uptime - filled)
        guard flowed > 0 else { return }
        // Who wins this has the time to itself.
        guard
            self.filledAt.compareExchange(
                expected: filled, desired: filled + time, ordering: .acquiringAndReleasing
            ).exchanged
        else { return }
        let room = rate.capacity(of: share) - self.units.free
        guard room > 0 else { return }
        self.units.ceiling.wrappingAdd(min(flowed, room), ordering: .sequentiallyConsistent)
    }

    /// Changes the share; what flows in is counted by the old one until now, by the new one from now on.
    ///
    /// By one task only.
    func setShare(_ share: Int64, _ rate: BucketRate, uptime: UInt64) {
        self.fill(rate, uptime: uptime)
        // A loop that has read one of the two lets in by the smaller share, or finds that the time is taken.
        let isMore = share > self.share.load(ordering: .relaxed)
        if isMore { _ = self.filledAt.max(uptime, ordering: .sequentiallyConsistent) }
        self.share.store(share, ordering: .sequentiallyConsistent)
        if !isMore { _ = self.filledAt.max(uptime, ordering: .sequentiallyConsistent) }
    }

    /// Takes what an answer used into the average: a quarter of the difference.
    func note(_ used: Int64) {
        let known = self.usual.load(ordering: .relaxed)
        self.usual.store(known + (min(used, BucketRate.amountLimit) - known) / 4, ordering: .relaxed)
    }
}
