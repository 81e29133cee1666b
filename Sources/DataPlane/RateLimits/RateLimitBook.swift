package import Shared
import Synchronization

/// What one task keeps of the rate limits that a process uses: when to ask for what share, and what was answered.
///
/// Knows no network and no clock: the simulation runs it as it is.
package struct RateLimitBook {
    private struct Limit {
        let slot: RateLimitTable.Index
        var granted: Int64 = 0
        var returned: Int64 = 0
        var borrowed: Int64 = 0
        var generation: Int64 = 0
        /// `posted` when it was last asked for.
        var askedPosted: Int64 = 0
        var askedAt: UInt64 = 0
        var dueAt: UInt64 = 0
        /// The last uptime at which it was in use.
        var usedAt: UInt64 = 0
        /// The last answer gave nothing to what waited.
        var isStuck = false
        /// The last ask said that nothing is held any more.
        var isFinal = false
        /// The last ask came so late that others may have got what is held: it said that nothing is, and with the answer
        /// that comes true.
        var isLate = false
        var isListed = true
    }

    private let table: RateLimitTable
    /// All that were ever in use: sums are of the process's whole life.
    private var limits: [UInt32: Limit] = [:]
    private var listed: Set<UInt32> = []
    private var isEnding = false

    /// Nanoseconds after which a limit that is in use is asked for again.
    package static let renewal: UInt64 = 10_000_000_000
    /// Nanoseconds between two asks for a limit that is short.
    private static let shortRenewal: UInt64 = 1_000_000_000
    private static let stuckRenewal: UInt64 = 50_000_000
    /// Nanoseconds without use after which everything is given back.
    private static let idleTime: UInt64 = 60_000_000_000
    /// Nanoseconds after which a share may have been given to others, when nothing was heard: less than
    /// `ShareRules.silentSeconds` by any clock.
    package static let wordTime: UInt64 = 90_000_000_000
    private static let asksAtOnce = 512

    package init(table: RateLimitTable) { self.table = table }

    /// Limits that are in use.
    package var count: Int { self.listed.count }

    /// Takes in the limits that requests came to use since.
    package mutating func collect(uptime: UInt64) {
        for index in self.table.takeFresh() {
            let number = self.table.withSlot(index) { $0.number.load(ordering: .acquiring) }
            self.limits[number, default: Limit(slot: index)].isListed = true
            self.limits[number]?.dueAt = uptime
            self.limits[number]?.usedAt = uptime
            self.listed.insert(number)
        }
    }

    /// What to ask now.
    package mutating func asks(uptime: UInt64) -> [ShareAsk] {
        var asks: [ShareAsk] = []
        for number in self.listed where asks.count < Self.asksAtOnce {
            guard var limit = self.limits[number] else { continue }
            if let ask = self.ask(number, &limit, uptime: uptime) {
                asks.append(ask)
                self.limits[number] = limit
            }
        }
        return asks.sorted { $0.limit < $1.limit }
    }

    /// The process stops: everything that is held goes back with the next asks.
    package mutating func endAll(uptime: UInt64) {
        self.isEnding = true
        for number in self.listed { self.limits[number]?.dueAt = uptime }
    }

    private func ask(_ number: UInt32, _ limit: inout Limit, uptime: UInt64) -> ShareAsk? {
        self.table.withSlot(limit.slot) { slot -> ShareAsk? in
            let waiting = slot.units.waiting.load(ordering: .relaxed)
            let sinceAsked = uptime - min(uptime, limit.askedAt)
            let isShort = slot.isShort.load(ordering: .relaxed)
            let rate = slot.rate
            let isLate =
                rate.period != nil && limit.askedAt > 0
                && uptime >= slot.units.usableUntil.load(ordering: .acquiring)
            let share = isLate ? 0 : slot.share.load(ordering: .relaxed)
            let hasSpare = !isLate && share == 0 && waiting == 0 && slot.units.free > Self.kept(slot, share: 0)
            let isDue =
                uptime >= limit.dueAt || (waiting > 0 && (!limit.isStuck || sinceAsked >= Self.stuckRenewal))
                || ((isShort || hasSpare) && sinceAsked >= Self.shortRenewal)
            guard isDue else { return nil }
            slot.fill(rate, uptime: uptime)
            let posted = slot.units.posted.load(ordering: .sequentiallyConsistent)
            let reserved = slot.units.reserved.load(ordering: .sequentiallyConsistent)
            let used = max(0, posted - limit.askedPosted)
            if used > 0 || reserved > 0 || waiting > 0 { limit.usedAt = max(limit.usedAt, uptime) }
            let isUnused = self.isEnding || uptime - min(uptime, limit.usedAt) >= Self.idleTime
            let isIdle = isUnused && reserved == 0 && waiting == 0
            var ask = ShareAsk(limit: number)
            if isIdle, share > 0 { slot.setShare(0, rate, uptime: uptime) }
            ask.share = isIdle ? 0 : share
            if !isLate { self.giveBack(slot, &limit, share: ask.share, keeps: waiting > 0) }
            ask.generation = limit.generation
            ask.granted = limit.granted
            ask.returned = limit.returned
            ask.borrowed = limit.borrowed
            ask.spare = isLate ? 0 : max(0, slot.units.free - rate.capacity(of: ask.share))
            let missing = slot.units.waiting.exchange(0, ordering: .relaxed) - max(0, slot.units.free)
            ask.need = min(max(0, missing), BucketRate.amountLimit * BucketRate.granules)
            ask.largest = min(
                slot.units.largest.exchange(0, ordering: .relaxed), BucketRate.amountLimit * BucketRate.granules)
            slot.isShort.store(false, ordering: .relaxed)
            if !isIdle, rate.period != nil {
                ask.want = Self.want(
                    used: used, share: share, isShort: isShort || waiting > 0, rate,
                    nanoseconds: limit.askedAt > 0 ? sinceAsked : 0)
            }
            ask.isFinal = isIdle
            limit.isFinal = isIdle
            limit.isLate = isLate
            limit.askedPosted = posted
            limit.askedAt = max(1, uptime)
            limit.dueAt = uptime + Self.renewal
            return ask
        }
    }

    /// Gives back what is beyond the share, and takes from the others what was used beyond what there was.
    private func giveBack(
        _ slot: borrowing RateLimitSlot, _ limit: inout Limit, share: Int64, keeps: Bool
    ) {
        let free = slot.units.free
        if free < 0, share == 0, slot.rate.period != nil {
            slot.units.ceiling.wrappingAdd(-free, ordering: .sequentiallyConsistent)
            limit.borrowed += -free
        } else if !keeps {
            let kept = Self.kept(slot, share: share)
            if free > kept { limit.returned += slot.units.giveBack(upTo: free - kept) }
        }
    }

    /// Granules that a process may have free: what its share holds.
    ///
    /// Of places for requests at the same time as many as are in use: the next ones come soon.
    private static func kept(_ slot: borrowing RateLimitSlot, share: Int64) -> Int64 {
        let rate = slot.rate
        return rate.period == nil ? slot.units.reserved.load(ordering: .relaxed) : rate.capacity(of: share)
    }

    /// Parts of the limit that would do: twice what was used, and ever more while that does not do.
    private static func want(
        used: Int64, share: Int64, isShort: Bool, _ rate: BucketRate, nanoseconds: UInt64
    ) -> Int64 {
        var parts: Int64 = 0
        if nanoseconds > 0, let period = rate.period {
            let seconds = Double(max(nanoseconds, Self.shortRenewal)) / 1_000_000_000
            let whole = Double(rate.amount * BucketRate.granules) * seconds / Double(period.seconds)
            parts = Int64(min(Double(BucketRate.parts), Double(used) / whole * Double(BucketRate.parts)))
        }
        let twice = 2 * (isShort ? max(parts, share) : parts)
        return min(BucketRate.parts, isShort ? max(twice, BucketRate.parts / 4) : twice)
    }

    /// Takes the answers to asks in.
    ///
    /// - Parameter sentAt: the uptime before the asks were sent.
    package mutating func apply(_ grants: [ShareGrant], to asks: [ShareAsk], sentAt: UInt64, uptime: UInt64) {
        let asked = Dictionary(uniqueKeysWithValues: asks.map { ($0.limit, $0) })
        for grant in grants {
            guard let ask = asked[grant.limit], var limit = self.limits[grant.limit] else { continue }
            self.table.withSlot(limit.slot) { slot in
                if grant.isUnknown {
                    // Nobody else knows of it any more: a policy that does not name it is on its way.
                    slot.units.usableUntil.store(sentAt + Self.wordTime, ordering: .releasing)
                    return
                }
                let rate = slot.rate
                if limit.isLate {
                    limit.isLate = false
                    slot.setShare(0, rate, uptime: uptime)
                    _ = slot.units.giveBack(upTo: slot.units.free)
                }
                if grant.generation > limit.generation {
                    limit.generation = grant.generation
                    let share = slot.share.load(ordering: .relaxed)
                    slot.setShare(grant.share, rate, uptime: uptime)
                    if grant.share < share {
                        let free = max(0, slot.units.free)
                        let part = free.multipliedFullWidth(by: share - grant.share)
                        limit.returned += slot.units.giveBack(upTo: share.dividingFullWidth(part).quotient)
                        // Others wait for it.
                        limit.dueAt = uptime
                    }
                }
                let more = max(0, grant.granted - limit.granted)
                limit.granted += more
                limit.isStuck = more == 0 && ask.need > 0
                if more > 0 { slot.units.ceiling.wrappingAdd(more, ordering: .sequentiallyConsistent) }
                if grant.recall > 0 { limit.returned += slot.units.giveBack(upTo: grant.recall) }
                slot.units.left.store(grant.left, ordering: .relaxed)
                slot.units.usableUntil.store(sentAt + Self.wordTime, ordering: .releasing)
                slot.units.answeredAt.store(max(1, uptime), ordering: .releasing)
            }
            // Not before the control plane has heard that it uses nothing: of the newest share too.
            if ask.isFinal, grant.generation == ask.generation || grant.isUnknown {
                self.forget(grant.limit, &limit)
            } else if ask.isFinal {
                limit.dueAt = uptime
            }
            self.limits[grant.limit] = limit
        }
    }

    /// Stops asking for a limit, until it is used again.
    private mutating func forget(_ number: UInt32, _ limit: inout Limit) {
        self.table.unlist(limit.slot)
        limit.isListed = false
        self.listed.remove(number)
    }
}
