import Shared
package import Synchronization

/// What a process knows of one budget: the slot of its current window, and the latest window that it ever had one of.
struct LeaseCell: ~Copyable {
    /// 0 for none.
    let slot = Atomic<UInt32>(0)
    let newest = Atomic<UInt64>(0)
}

/// All accounts that this process holds money of, or charges: one table for all loops, without a lock.
///
/// A budget has a *cell*, for as long as the process lives; the cell names the *slot* of the budget's current window.
/// Slots are used again, but only after every loop has had a turn since nobody could find them any more.
package final class LeaseTable: @unchecked Sendable {
    package typealias Cell = UInt32
    package typealias SlotIndex = UInt32

    private static let chunkBits: UInt32 = 10
    private static let chunkSize = 1 << 10
    /// Chunks of slots, and of cells: four million each.
    private static let chunkLimit = 4096
    /// Slots that are made ahead.
    private static let ahead = 2 * LeaseTable.chunkSize

    // Unchecked: a chunk is written once, by `prepare` or `cell`, before an index into it is handed to anybody.
    private let slotChunks: UnsafeMutablePointer<UnsafeMutablePointer<LeaseSlot>?>
    private let cellChunks: UnsafeMutablePointer<UnsafeMutablePointer<LeaseCell>?>
    /// Slots that were ever used; index 0 is none.
    private let used = Atomic<UInt32>(1)
    /// Slots that there is memory of.
    private let made = Atomic<UInt32>(0)
    /// The stack of free slots: a counter above, so that a slot that left and came back is not taken for one that stayed.
    private let freeHead = Atomic<UInt64>(0)
    /// The stack of slots that were opened and that the keeper has not taken yet.
    private let freshHead = Atomic<UInt32>(0)
    /// The stack of slots that requests want the keeper to look at.
    private let flaggedHead = Atomic<UInt32>(0)
    private let cells = Mutex<[UInt32: Cell]>([:])
    /// The control plane did not answer the last time.
    package let isAway = Atomic<Bool>(false)
    /// The control plane answered this process once.
    package let isKnown = Atomic<Bool>(false)
    /// What the process has of rate limits.
    package let rates = RateLimitTable()

    package init() {
        self.slotChunks = .allocate(capacity: Self.chunkLimit)
        self.slotChunks.initialize(repeating: nil, count: Self.chunkLimit)
        self.cellChunks = .allocate(capacity: Self.chunkLimit)
        self.cellChunks.initialize(repeating: nil, count: Self.chunkLimit)
        self.prepare()
    }

    deinit {
        for index in 0..<Self.chunkLimit {
            if let chunk = self.slotChunks[index] {
                chunk.deinitialize(count: Self.chunkSize)
                chunk.deallocate()
            }
            if let chunk = self.cellChunks[index] {
                chunk.deinitialize(count: Self.chunkSize)
                chunk.deallocate()
            }
        }
        self.slotChunks.deallocate()
        self.cellChunks.deallocate()
    }

    /// Makes memory for slots ahead of need; called by one task, now and then.
    package func prepare() {
        var made = self.made.load(ordering: .relaxed)
        let wanted = Int(self.used.load(ordering: .relaxed)) + Self.ahead
        while Int(made) < wanted, Int(made) >> Self.chunkBits < Self.chunkLimit {
            let chunk = UnsafeMutablePointer<LeaseSlot>.allocate(capacity: Self.chunkSize)
            for index in 0..<Self.chunkSize { (chunk + index).initialize(to: LeaseSlot()) }
            self.slotChunks[Int(made >> Self.chunkBits)] = chunk
            made += UInt32(Self.chunkSize)
            self.made.store(made, ordering: .releasing)
        }
    }

    // MARK: Cells

    /// The cell of a budget: the same one for as long as the process lives; nil when there is no room for more.
    package func cell(of budget: UInt32) -> Cell? {
        self.cells.withLock { cells in
            if let known = cells[budget] { return known }
            let cell = Cell(cells.count)
            let chunk = Int(cell >> Self.chunkBits)
            guard chunk < Self.chunkLimit else { return nil }
            if self.cellChunks[chunk] == nil {
                let made = UnsafeMutablePointer<LeaseCell>.allocate(capacity: Self.chunkSize)
                for index in 0..<Self.chunkSize { (made + index).initialize(to: LeaseCell()) }
                self.cellChunks[chunk] = made
            }
            cells[budget] = cell
            return cell
        }
    }

    private func cellPointer(_ cell: Cell) -> UnsafeMutablePointer<LeaseCell>? {
        self.cellChunks[Int(cell >> Self.chunkBits)].map { $0 + Int(cell) & (Self.chunkSize - 1) }
    }

    // MARK: Slots

    /// The slot of an index that `slot(of:…)` returned.
    @inline(__always)
    package func withSlot<Result>(_ index: SlotIndex, _ body: (borrowing LeaseSlot) -> Result) -> Result? {
        guard let chunk = self.slotChunks[Int(index >> Self.chunkBits)] else { return nil }
        return body(chunk[Int(index) & (Self.chunkSize - 1)])
    }

    /// The slot of a budget's window that `now` is in, opened when there is none yet; 0 when there is none now.
    ///
    /// No window is opened twice: what a process says of an account are sums since it began with it. So a clock that is
    /// put back behind the end of a window finds the next one, or none until it has caught up.
    func slot(of budget: BudgetEntry, in zones: [ZoneOffsets], at now: Timestamp) -> SlotIndex {
        guard let cell = self.cellPointer(budget.cell) else { return 0 }
        let current = cell.pointee.slot.load(ordering: .acquiring)
        if current != 0,
            self.withSlot(current, { now.microseconds < $0.endsAt.load(ordering: .relaxed) }) == true
        {
            return current
        }
        let window = BudgetWindow.containing(now, budget.period, in: zones[Int(budget.zone)])
        return self.open(
            cell, Charge(budget: budget.number, startMinute: window.startMinute).value, endsAt: window.end,
            isHard: budget.isHard)
    }

    @inline(never)
    private func open(
        _ cell: UnsafeMutablePointer<LeaseCell>, _ account: UInt64, endsAt: Int64, isHard: Bool
    ) -> SlotIndex {
        let newest = cell.pointee.newest.load(ordering: .acquiring)
        guard account > newest else { return self.opened(cell, account) }
        let fresh = self.takeFree()
        guard fresh != 0 else { return 0 }
        let (won, _) = cell.pointee.newest.compareExchange(
            expected: newest, desired: account, ordering: .acquiringAndReleasing)
        guard won else {
            self.release(fresh)
            return self.opened(cell, account)
        }
        _ = self.withSlot(fresh) { $0.open(account, endsAt: endsAt, isHard: isHard) }
        cell.pointee.slot.store(fresh, ordering: .releasing)
        self.pushFresh(fresh)
        return fresh
    }

    /// The slot of an account that another loop opens at this moment; 0 when it is not there soon, or over.
    private func opened(_ cell: UnsafeMutablePointer<LeaseCell>, _ account: UInt64) -> SlotIndex {
        for _ in 0..<256 {
            let current = cell.pointee.slot.load(ordering: .acquiring)
            if current != 0, self.withSlot(current, { $0.account.load(ordering: .relaxed) >= account }) == true {
                return current
            }
        }
        return 0
    }

    /// Makes a budget's cell name no slot, if it names this one.
    func unlink(_ index: SlotIndex, budget: UInt32) {
        guard let cell = self.cell(of: budget), let pointer = self.cellPointer(cell) else { return }
        _ = pointer.pointee.slot.compareExchange(expected: index, desired: 0, ordering: .acquiringAndReleasing)
    }

    private func takeFree() -> SlotIndex {
        var head = self.freeHead.load(ordering: .acquiring)
        while UInt32(truncatingIfNeeded: head) != 0 {
            let index = UInt32(truncatingIfNeeded: head)
            let next = self.withSlot(index) { $0.link.load(ordering: .relaxed) } ?? 0
            let desired = ((head >> 32) &+ 1) << 32 | UInt64(next)
            let (won, found) = self.freeHead.compareExchange(
                expected: head, desired: desired, ordering: .acquiringAndReleasing)
            if won { return index }
            head = found
        }
        var index = self.used.load(ordering: .relaxed)
        while index < self.made.load(ordering: .acquiring) {
            let (won, found) = self.used.compareExchange(
                expected: index, desired: index + 1, ordering: .acquiringAndReleasing)
            if won { return index }
            index = found
        }
        return 0
    }

    /// Puts a slot that nobody can find any more back.
    func release(_ index: SlotIndex) {
        var head = self.freeHead.load(ordering: .relaxed)
        while true {
            _ = self.withSlot(index) { slot in
                slot.account.store(0, ordering: .relaxed)
                slot.link.store(UInt32(truncatingIfNeeded: head), ordering: .relaxed)
            }
            let desired = ((head >> 32) &+ 1) << 32 | UInt64(index)
            let (won, found) = self.freeHead.compareExchange(
                expected: head, desired: desired, ordering: .acquiringAndReleasing)
            if won { return }
            head = found
        }
    }

    private func pushFresh(_ index: SlotIndex) {
        var head = self.freshHead.load(ordering: .relaxed)
        while true {
            _ = self.withSlot(index) { $0.link.store(head, ordering: .relaxed) }
            let (won, found) = self.freshHead.compareExchange(
                expected: head, desired: index, ordering: .acquiringAndReleasing)
            if won { return }
            head = found
        }
    }

    /// The slots that were opened since the last time; for one task.
    func takeFresh() -> [SlotIndex] {
        var result: [SlotIndex] = []
        var index = self.freshHead.exchange(0, ordering: .acquiringAndReleasing)
        while index != 0 {
            result.append(index)
            index = self.withSlot(index) { $0.link.load(ordering: .relaxed) } ?? 0
        }
        return result
    }

    /// Has the keeper look at a slot whose money is short: once, however many requests say so until it has.
    func flag(_ index: SlotIndex) {
        _ = self.withSlot(index) { slot in
            guard slot.isFlagged.load(ordering: .sequentiallyConsistent) == 0 else { return }
            self.pushFlagged(slot, index)
        }
    }

    @inline(never)
    private func pushFlagged(_ slot: borrowing LeaseSlot, _ index: SlotIndex) {
        guard slot.isFlagged.exchange(1, ordering: .sequentiallyConsistent) == 0 else { return }
        var head = self.flaggedHead.load(ordering: .relaxed)
        while true {
            slot.flagLink.store(head, ordering: .relaxed)
            let (won, found) = self.flaggedHead.compareExchange(
                expected: head, desired: index, ordering: .acquiringAndReleasing)
            if won { return }
            head = found
        }
    }

    /// The accounts of the slots that were flagged since the last time; for one task.
    func takeFlagged(_ body: (Charge) -> Void) {
        guard self.flaggedHead.load(ordering: .relaxed) != 0 else { return }
        var index = self.flaggedHead.exchange(0, ordering: .acquiringAndReleasing)
        while index != 0 {
            index =
                self.withSlot(index) { slot in
                    let next = slot.flagLink.load(ordering: .relaxed)
                    // From here on it is put there again. What was noted before the flag was seen is read after this.
                    slot.isFlagged.store(0, ordering: .sequentiallyConsistent)
                    if let charge = Charge(value: slot.account.load(ordering: .acquiring)) { body(charge) }
                    return next
                } ?? 0
        }
    }
}
