package import Synchronization

/// What this process holds of one account, shared by its loops: a budget in one of its windows.
///
/// Money is there to be reserved as long as `posted + reserved` stays within `ceiling`. Whoever reserves adds first and
/// looks afterwards; whoever settles posts first and lets go afterwards; whoever gives back lowers the ceiling first and
/// looks afterwards. So in whichever order that meets, what is looked at is never less than what is spent.
package struct LeaseSlot: ~Copyable {
    /// The charge that names the account; 0 while the slot is free.
    package let account = Atomic<UInt64>(0)
    /// Microseconds since 1970 at which the window ends.
    package let endsAt = Atomic<Int64>(0)
    /// What was granted and not given back.
    package let ceiling = Atomic<Int64>(0)
    /// What finished requests cost.
    package let posted = Atomic<Int64>(0)
    /// What requests under way may cost.
    package let reserved = Atomic<Int64>(0)
    /// The largest amount that was asked for since the control plane was last asked.
    package let largest = Atomic<Int64>(0)
    /// What requests wait for, since the control plane was last asked.
    package let waiting = Atomic<Int64>(0)
    /// What the budget had left for others when the control plane last answered.
    package let left = Atomic<Int64>(0)
    /// The uptime of that answer; 0 for none yet.
    package let answeredAt = Atomic<UInt64>(0)
    /// The uptime until which the ceiling holds without another word of the control plane.
    package let usableUntil = Atomic<UInt64>(0)
    /// Never more than the ceiling: as long as `posted + reserved` is within, the keeper, who writes it, has nothing to do.
    let comfort = Atomic<Int64>(0)
    /// 1 for a hard budget.
    package let isHard = Atomic<UInt8>(0)
    /// The next one in whichever list the slot is in.
    let link = Atomic<UInt32>(0)
    /// 1 from when the slot is put among those that the keeper should look at, until the keeper takes it from there.
    let isFlagged = Atomic<UInt8>(0)
    /// The next one of those.
    let flagLink = Atomic<UInt32>(0)

    /// What could be reserved now.
    package var free: Int64 {
        self.ceiling.load(ordering: .sequentiallyConsistent)
            - self.reserved.load(ordering: .sequentiallyConsistent)
            - self.posted.load(ordering: .sequentiallyConsistent)
    }

    /// What is free here, and what others had left when the control plane last answered.
    var there: Int64 {
        let (sum, overflow) = max(0, self.left.load(ordering: .relaxed)).addingReportingOverflow(max(0, self.free))
        return overflow ? .max : sum
    }

    /// Reserves `amount`; false, and nothing is changed, when there is not so much.
    ///
    /// - Parameter index: its own in the table, to which the keeper is pointed when money becomes short.
    func reserve(_ amount: Int64, at index: LeaseTable.SlotIndex, in table: LeaseTable) -> Bool {
        let reserved = self.reserved.wrappingAdd(amount, ordering: .sequentiallyConsistent).newValue
        let posted = self.posted.load(ordering: .sequentiallyConsistent)
        // What is within comfort is within the ceiling: whoever lowers the ceiling lowers comfort first.
        if reserved + posted <= self.comfort.load(ordering: .sequentiallyConsistent) { return true }
        table.flag(index)
        guard reserved + posted <= self.ceiling.load(ordering: .sequentiallyConsistent) else {
            self.reserved.wrappingSubtract(amount, ordering: .sequentiallyConsistent)
            return false
        }
        return true
    }

    /// Reserves what is within the ceiling and `allowance` above it; false, and nothing is changed, when that is not so much.
    func reserve(_ amount: Int64, beyond allowance: Int64 = 0) -> Bool {
        let reserved = self.reserved.wrappingAdd(amount, ordering: .sequentiallyConsistent).newValue
        let posted = self.posted.load(ordering: .sequentiallyConsistent)
        let lacking = reserved + posted - self.ceiling.load(ordering: .sequentiallyConsistent)
        guard lacking <= allowance else {
            self.reserved.wrappingSubtract(amount, ordering: .sequentiallyConsistent)
            return false
        }
        return true
    }

    /// Notes that a request waits for `amount`.
    func wait(for amount: Int64, at index: LeaseTable.SlotIndex, in table: LeaseTable) {
        self.waiting.wrappingAdd(amount, ordering: .sequentiallyConsistent)
        table.flag(index)
    }

    /// Reserves without a bound.
    func reserveAnyway(_ amount: Int64) { self.reserved.wrappingAdd(amount, ordering: .sequentiallyConsistent) }

    /// Ends a reservation with what was spent of it, or beyond it.
    func settle(reserved amount: Int64, cost: Int64) {
        if cost > 0 { self.posted.wrappingAdd(cost, ordering: .sequentiallyConsistent) }
        self.reserved.wrappingSubtract(amount, ordering: .sequentiallyConsistent)
    }

    /// Takes up to `amount` of what is free out of the ceiling.
    ///
    /// - Returns: how much.
    func giveBack(upTo amount: Int64) -> Int64 {
        let wanted = min(amount, self.free)
        guard wanted > 0 else { return 0 }
        let lower = self.ceiling.load(ordering: .relaxed) - wanted
        if self.comfort.load(ordering: .relaxed) > lower {
            self.comfort.store(lower, ordering: .sequentiallyConsistent)
        }
        self.ceiling.wrappingSubtract(wanted, ordering: .sequentiallyConsistent)
        let shortfall = max(0, -self.free)
        guard shortfall > 0 else { return wanted }
        let kept = min(shortfall, wanted)
        self.ceiling.wrappingAdd(kept, ordering: .sequentiallyConsistent)
        return wanted - kept
    }

    /// Keeps the larger one.
    static func raise(_ value: borrowing Atomic<Int64>, to amount: Int64) {
        if value.load(ordering: .relaxed) < amount { _ = value.max(amount, ordering: .relaxed) }
    }

    /// Makes a free slot one of an account; nobody else has it yet.
    func open(_ account: UInt64, endsAt: Int64, isHard: Bool) {
        self.endsAt.store(endsAt, ordering: .relaxed)
        self.ceiling.store(0, ordering: .relaxed)
        self.comfort.store(0, ordering: .relaxed)
        self.posted.store(0, ordering: .relaxed)
        self.reserved.store(0, ordering: .relaxed)
        self.largest.store(0, ordering: .relaxed)
        self.waiting.store(0, ordering: .relaxed)
        self.left.store(0, ordering: .relaxed)
        self.answeredAt.store(0, ordering: .relaxed)
        self.usableUntil.store(0, ordering: .relaxed)
        self.isHard.store(isHard ? 1 : 0, ordering: .relaxed)
        self.account.store(account, ordering: .releasing)
    }
}
