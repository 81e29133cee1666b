import Shared
import Synchronization

/// What the book keeps of one account, beside its slot.
struct HeldAccount {
    let slot: LeaseTable.SlotIndex
    var granted: Int64 = 0
    var returned: Int64 = 0
    /// `posted` when it was last asked for.
    var askedPosted: Int64 = 0
    var askedAt: UInt64 = 0
    /// What it wished for then.
    var wished: Int64 = 0
    var dueAt: UInt64 = 0
    /// When it is looked at next: other entries of the queue are out of date.
    var lookAt: UInt64 = .max
    /// It waits to be looked at, because a request flagged it.
    var isFlagged = false
    /// The number of the request that it was last part of.
    var sequence: Int64 = 0
    var isDirect = false
    /// The last answer gave nothing to what waited.
    var isStuck = false
    /// The window is over, and every loop has had a turn since: nobody reserves any more.
    var isEnded = false
    /// The last ask said that it is final.
    var isFinal = false

    /// The least that is asked for: a cent.
    private static let leastWant: Int64 = 10_000_000
    /// Of what a budget has left, one gateway asks for at most this part ahead: a hundred of them for a fortieth.
    private static let plenty: Int64 = 4096
    /// Seconds of spending, as fast as since the last ask, that are asked for where there is plenty.
    private static let aheadSeconds: Int64 = 100
    /// Less than that says little about how fast it is.
    private static let leastSeconds: Int64 = 5
    /// Amounts are cut here, so that sums of them are numbers.
    private static let amountLimit = LeaseRequest.amountLimit / 8

    init(slot: LeaseTable.SlotIndex) { self.slot = slot }

    /// Whether it should be told at once when what is under way is over.
    func tells(underWay reserved: Int64) -> Bool { reserved > 0 && (self.isDirect || self.isEnded) }

    /// What it would like to have free: what was spent since the last ask twice, or a few of the largest requests.
    func wish(_ entry: borrowing LeaseSlot) -> Int64 {
        guard entry.isHard.load(ordering: .relaxed) == 1, !self.isEnded, !self.isDirect else { return 0 }
        return max(self.spent(entry) * 2, self.largest(entry) * 4, Self.leastWant)
    }

    /// What to ask for: the wish; where the budget has plenty left, what is spent until the renewal after the next one.
    ///
    /// Nothing while three fifths of that are free, and nobody waits, so that renewing what is little used changes nothing.
    func want(_ entry: borrowing LeaseSlot, isWaiting: Bool, uptime: UInt64) -> Int64 {
        let wish = self.wish(entry)
        guard wish > 0 else { return 0 }
        let most = max(0, entry.left.load(ordering: .relaxed)) / Self.plenty
        let seconds = max(Self.leastSeconds, Int64((uptime - min(uptime, self.askedAt)) / 1_000_000_000))
        let ahead = min(min(self.spent(entry), most) / seconds * Self.aheadSeconds, most)
        let want = max(wish, ahead)
        return isWaiting || want > most || entry.free < want / 5 * 3 ? want : 0
    }

    /// Whether the budget has so much left that it does not matter to others, for a minute, what is free here.
    func isPlentiful(_ entry: borrowing LeaseSlot) -> Bool {
        guard !self.isDirect, !self.isEnded else { return false }
        let most = max(0, entry.left.load(ordering: .relaxed)) / Self.plenty
        return entry.isHard.load(ordering: .relaxed) == 0 || max(entry.free, self.wish(entry), self.wished) <= most
    }

    /// Whether less is free than may soon be spent.
    func isLow(_ entry: borrowing LeaseSlot) -> Bool {
        let wish = self.wish(entry)
        return wish > 0 && entry.free * 10 < wish * 3
    }

    /// Says from where on requests flag it: what nobody flagged is not low.
    ///
    /// Low is `free < 0.3 * wish`. Of what is free now, requests may spend `x` until then, beside what was spent since the
    /// last ask and what is under way. With many, it is low when `free - x < 0.6 * (spent + underWay + x)`, so not while
    /// more than three eighths of `free + spent + underWay` are free; with one for all of `x`, when `free - x < 1.2 * x`,
    /// so not while more than six elevenths of `free` are.
    func setComfort(_ entry: borrowing LeaseSlot) {
        let free = min(max(0, entry.free), Self.amountLimit)
        let underWay = min(max(0, entry.reserved.load(ordering: .relaxed)), Self.amountLimit)
        let level = max(
            free * 5 / 8, (free + self.spent(entry) + underWay) / 8 * 3, self.largest(entry) * 6 / 5,
            Self.leastWant * 3 / 10)
        entry.comfort.store(entry.ceiling.load(ordering: .relaxed) - level, ordering: .sequentiallyConsistent)
    }

    private func spent(_ entry: borrowing LeaseSlot) -> Int64 {
        min(max(0, entry.posted.load(ordering: .sequentiallyConsistent) - self.askedPosted), Self.amountLimit)
    }

    private func largest(_ entry: borrowing LeaseSlot) -> Int64 {
        min(entry.largest.load(ordering: .relaxed), Self.amountLimit)
    }
}
