package import Shared

/// The part of one rate limit that no process has: granules that are there, and what flows in by the parts that are left.
package struct SharePool: Sendable, Hashable {
    package var granules: Int64
    /// Up to when they have flowed in.
    package var filledAt: Timestamp
    /// Parts by which they flow in since: those that no process has.
    package var left: Int64

    package init(granules: Int64, filledAt: Timestamp, left: Int64 = BucketRate.parts) {
        self.granules = granules
        self.filledAt = filledAt
        self.left = left
    }
}

/// What one process of a gateway has of a rate limit.
package struct ShareState: Sendable, Hashable {
    /// Parts that it may be using: what it was last told, or said when that is more.
    package var share: Int64 = 0
    /// Parts that it was last told to use.
    package var target: Int64 = 0
    package var generation: Int64 = 0
    package var granted: Int64 = 0
    package var returned: Int64 = 0
    package var borrowed: Int64 = 0
    /// Granules that it has beyond what its share holds, as far as is known.
    package var fresh: Int64 = 0
    /// Parts that it would like to have.
    package var want: Int64 = 0
    /// Granules of its largest request.
    package var largest: Int64 = 0
    package var sequence: Int64 = 0
    /// It has said something before.
    package var isKnown = false
    /// It has said nothing for `ShareRules.silentSeconds`: others may have got what it had.
    package var isSilent = false

    package init() {}
}

/// What other processes have of a rate limit, all together.
package struct ShareOthers: Sendable, Hashable {
    /// Parts that they may be using.
    package var shares: Int64 = 0
    /// What each of those that were heard of lately would like to have.
    package var wants: [Int64] = []
    package var fresh: Int64 = 0
    /// Granules that they hold of a limit that does not fill by itself.
    package var held: Int64 = 0
    /// When the last of those fell silent that had parts, the process itself among them.
    package var silentSince: Timestamp?

    package init() {}
}

/// The one rule by which a rate limit is shared.
///
/// Parts that processes may use never sum to more than the whole by an answer: who is to have less says that it uses less
/// before another is told to use more. Granules move with the parts. So in any time t all processes together let through at
/// most `burst + amount * t / period`, and what requests used beyond what was reserved for them; that is paid back.
package enum ShareRules {
    /// Seconds after which a process that says nothing has no share any more.
    package static let silentSeconds: Int64 = 120
    /// Seconds after which a process that says nothing is forgotten.
    package static let keptSeconds: Int64 = 86400
    /// Seconds within which a process that was heard of counts among those that share.
    package static let sharingSeconds: Int64 = 30

    /// Takes in what a process says, and decides what it gets.
    ///
    /// - Parameters:
    ///   - isFrozen: nothing is granted.
    ///   - sequence: of the request; nothing is taken in of one that came before, or twice: newer ones say it too, and a
    ///     process that has sent a newer one takes no answer to an older one.
    package static func renew(
        _ state: inout ShareState, _ pool: inout SharePool, _ ask: ShareAsk, sequence: Int64, of rate: BucketRate,
        others: ShareOthers, isFrozen: Bool, now: Timestamp
    ) -> ShareGrant {
        let isNew = !state.isKnown
        if isNew {
            // Sums of before it was forgotten, or before a database was lost, say nothing about now.
            state.isKnown = true
            (state.granted, state.returned, state.borrowed) = (ask.granted, ask.returned, ask.borrowed)
            state.generation = ask.generation
        }
        if isNew || sequence > state.sequence {
            self.take(&state, &pool, ask, sequence: sequence, of: rate, others, isFrozen: isFrozen, now)
        }
        var grant = ShareGrant(limit: ask.limit)
        grant.generation = state.generation
        grant.share = state.target
        grant.granted = state.granted
        grant.left = max(0, pool.granules)
        // Places that others have got since, when nothing was heard of this one for long.
        if rate.period == nil { grant.recall = max(0, -pool.granules) }
        return grant
    }

    private static func take(
        _ state: inout ShareState, _ pool: inout SharePool, _ ask: ShareAsk, sequence: Int64, of rate: BucketRate,
        _ others: ShareOthers, isFrozen: Bool, _ now: Timestamp
    ) {
        let whole = BucketRate.parts - others.shares
        defer { self.leave(whole - state.share, in: &pool, now) }
        let (share, fresh) = state.isSilent ? (0, 0) : (state.share, state.fresh)
        if state.isSilent {
            // Others may have got what it had, and what was on its way to it: that does not come back from it.
            (state.granted, state.returned) = (ask.granted, ask.returned)
        }
        state.isSilent = false
        self.fill(
            &pool, rate, left: whole - share, fresh: others.fresh + fresh, silentSince: others.silentSince, now)
        let isLost = ask.granted > state.granted || ask.generation > state.generation
        state.fresh = ask.granted >= state.granted ? ask.spare : max(state.fresh, ask.spare)
        let (returned, borrowed) = (max(0, ask.returned - state.returned), max(0, ask.borrowed - state.borrowed))
        state.granted = max(state.granted, ask.granted)
        state.returned += returned
        state.borrowed += borrowed
        state.sequence = sequence
        state.want = ask.want
        state.largest = max(ask.largest, 1)
        // What it was told since, and does not know, it will not hear any more.
        (state.share, state.generation) = (ask.share, max(state.generation, ask.generation))
        if state.share > max(0, whole) {
            // Others have got it since: nothing was heard of this one for long.
            state.share = max(0, whole)
            state.target = state.share
            state.generation += 1
        }
        if rate.period == nil {
            // What is taken is put back: what nobody has is there.
            pool.granules = rate.capacity - others.held - max(0, state.granted - state.returned)
        } else {
            let room = self.room(rate, whole - state.share, others.fresh + state.fresh)
            // Bounded, whatever is said: what is owed no process could have used.
            let sum = pool.granules + min(returned, rate.capacity) - min(borrowed, self.mostOwed)
            pool.granules = max(-self.mostOwed, min(sum, room))
        }
        guard !isFrozen, !isLost else {
            if state.target != state.share {
                state.target = state.share
                state.generation += 1
            }
            return
        }
        if rate.period != nil { self.move(&state, &pool, rate, others) }
        let given = min(ask.need, max(0, pool.granules))
        // Not for less than one of them: it would lie there.
        guard given > 0, given >= min(ask.need, state.largest) else { return }
        pool.granules -= given
        state.granted += given
        state.fresh += given
    }

    /// Granules that are owed at most.
    private static let mostOwed = BucketRate.amountLimit * BucketRate.granules

    /// Decides on the share, and hands granules over with what it grows by.
    private static func move(
        _ state: inout ShareState, _ pool: inout SharePool, _ rate: BucketRate, _ others: ShareOthers
    ) {
        let wanted = self.fair(state.want, others.wants)
        let free = BucketRate.parts - others.shares - state.share
        var target = min(wanted, state.share + max(0, free))
        if free < 0 { target = min(target, max(0, state.share + free)) }
        // A share that does not hold two of its requests at once keeps granules where nobody can use them.
        if target < BucketRate.parts, rate.capacity(of: target) < 2 * state.largest { target = 0 }
        // Small changes are not worth a message; where there is not enough for all, others wait for small parts too.
        let isContended = others.wants.reduce(state.want, +) > BucketRate.parts
        let isSmall = abs(target - state.share) <= (isContended ? BucketRate.parts / 512 : state.share / 8)
        guard target != state.share, !isSmall || target == BucketRate.parts || free < 0 else {
            if state.target != state.share {
                state.target = state.share
                state.generation += 1
            }
            return
        }
        state.generation += 1
        state.target = target
        guard target > state.share else { return }
        let part = max(0, pool.granules).multipliedFullWidth(by: target - state.share)
        let more = free > 0 ? free.dividingFullWidth(part).quotient : 0
        pool.granules -= more
        state.granted += more
        state.fresh += more
        state.share = target
    }

    /// What one of several gets who want different parts: all of it where it fits, else as much as each other who does
    /// not get all.
    static func fair(_ want: Int64, _ others: [Int64]) -> Int64 {
        var left = BucketRate.parts
        var count = Int64(others.count + 1)
        for other in (others + [want]).sorted() {
            let equal = left / count
            // From here on nobody gets all.
            if other > equal { return min(want, equal) }
            if other == want { return want }
            left -= other
            count -= 1
        }
        return want
    }

    /// Granules that the pool holds at most.
    private static func room(_ rate: BucketRate, _ left: Int64, _ fresh: Int64) -> Int64 {
        max(0, rate.capacity(of: max(0, left)) - fresh)
    }

    /// Lets flow in what did until now, before parts of processes that are over are set free.
    ///
    /// - Parameter others: all that have parts.
    package static func settle(_ pool: inout SharePool, of rate: BucketRate, others: ShareOthers, now: Timestamp) {
        self.fill(
            &pool, rate, left: BucketRate.parts - others.shares, fresh: others.fresh, silentSince: others.silentSince,
            now)
        pool.filledAt = max(pool.filledAt, now)
    }

    /// Parts that are left from now on; what has not made a granule yet counts by those that were left.
    private static func leave(_ left: Int64, in pool: inout SharePool, _ now: Timestamp) {
        let left = max(0, left)
        if left > 0, now > pool.filledAt {
            let since = min(now.microseconds - pool.filledAt.microseconds, self.longest)
            pool.filledAt = Timestamp(microseconds: now.microseconds - since * pool.left / left)
        }
        pool.left = left
    }

    private static func fill(
        _ pool: inout SharePool, _ rate: BucketRate, left: Int64, fresh: Int64, silentSince: Timestamp?,
        _ now: Timestamp
    ) {
        guard rate.period != nil else { return }
        let left = max(0, left)
        if left > pool.left {
            // Parts of processes that fell silent: they used them until then. Of those forgotten since it was long ago.
            let since = silentSince ?? now.adding(seconds: self.silentSeconds - self.keptSeconds)
            let free = min(now, max(pool.filledAt, since))
            self.flow(into: &pool, rate, left: pool.left, fresh: fresh, until: free)
            pool.filledAt = max(pool.filledAt, free)
        }
        pool.left = left
        self.flow(into: &pool, rate, left: left, fresh: fresh, until: now)
    }

    private static func flow(
        into pool: inout SharePool, _ rate: BucketRate, left: Int64, fresh: Int64, until now: Timestamp
    ) {
        guard now > pool.filledAt else { return }
        let elapsed = min(now.microseconds - pool.filledAt.microseconds, self.longest)
        let (flowed, nanoseconds) = rate.granules(flowingInto: left, in: UInt64(elapsed) * 1000)
        let room = self.room(rate, left, fresh)
        guard flowed > 0, pool.granules < room else {
            if pool.granules >= room { pool.filledAt = now }
            return
        }
        pool.granules = min(room, pool.granules + flowed)
        // Rounded up to microseconds: nothing flows twice.
        let used = Int64((nanoseconds + 999) / 1000)
        pool.filledAt =
            pool.granules == room
            ? now : Timestamp(microseconds: min(now.microseconds, pool.filledAt.microseconds + used))
    }

    /// A year, in microseconds.
    private static let longest: Int64 = 366 * 86400 * 1_000_000
}
