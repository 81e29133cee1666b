import Shared
import Synchronization

/// What a request may use, as far as that is known before it is answered.
package struct RateDemand: Sendable {
    /// Tokens of the prompt: at most, and as such bodies usually are.
    package var inputBound: Int64
    package var usualInput: Int64
    /// Tokens of the answer at most.
    package var outputBound: Int64

    package init(inputBound: Int64, usualInput: Int64, outputBound: Int64) {
        self.inputBound = inputBound
        self.usualInput = usualInput
        self.outputBound = outputBound
    }

    /// Of a request within bounds.
    init(_ bound: CostBound, bodyBytes: Int) {
        self.init(
            inputBound: bound.prompt, usualInput: max(1, Int64(bodyBytes) / Self.usualBytes),
            outputBound: bound.output)
    }

    /// Bytes of a body that usually are a token.
    private static let usualBytes: Int64 = 4

    /// Units to reserve of a limit; never 0.
    func units(of entry: RateLimitEntry, usualOutput: Int64) -> Int64 {
        let units: Int64
        switch entry.meter {
        case .requests, .concurrentRequests: return 1
        case .inputTokens: units = self.input(entry.isStrict)
        case .outputTokens: units = self.output(entry.isStrict, usual: usualOutput)
        case .totalTokens:
            let (sum, overflow) = self.input(entry.isStrict).addingReportingOverflow(
                self.output(entry.isStrict, usual: usualOutput))
            units = overflow ? .max : sum
        }
        // A request that uses more than is ever there at once waits for a full bucket, and owes the rest.
        return max(1, min(units, entry.isStrict ? .max : entry.rate.burst))
    }

    private func input(_ isStrict: Bool) -> Int64 {
        isStrict ? self.inputBound : min(self.usualInput, self.inputBound)
    }

    private func output(_ isStrict: Bool, usual: Int64) -> Int64 {
        isStrict ? self.outputBound : min(usual, self.outputBound)
    }
}

/// Says whether rate limits have room for a request: all of its path, or none.
package enum RateLimiting {
    /// Nanoseconds for which the control plane's word that a limit is used up is gone by, at most.
    private static let refusalTime: UInt64 = 1_000_000_000

    /// Reserves what a request may use of every rate limit of a path.
    ///
    /// - Parameters:
    ///   - away: nobody can be asked, or has been for long enough.
    ///   - reservation: empty; holds what was reserved when the verdict is that the request is admitted.
    package static func reserve(
        _ demand: RateDemand, of path: RateLimitPath, in table: RateLimitTable, uptime: UInt64, away: Bool,
        _ reservation: inout RateReservation
    ) -> Admission.Verdict {
        var verdict = Admission.Verdict.admitted
        reservation.begin(path.cell)
        for position in 0..<path.count {
            let handle = path.limit(position)
            guard handle >= 0 else { continue }
            let found = self.take(
                path.policy.rateLimits[handle], demand, path.cell, in: table, uptime: uptime, away: away, &reservation)
            switch found {
            case .reserved: continue
            case .lacking(let granules):
                let found = self.lack(
                    granules, of: path.policy.rateLimits[handle], in: table, uptime: uptime, away: away)
                guard case .wait = found else {
                    reservation.settle(.none, in: table)
                    return found
                }
                verdict = found
            case .exceeding, .unfair, .full:
                reservation.settle(.none, in: table)
                return .refused(self.refusal(of: path.policy.rateLimits[handle], found, in: table))
            }
        }
        if case .wait = verdict { reservation.settle(.none, in: table) }
        return verdict
    }

    /// What became of a request at one limit.
    private enum Taking {
        case reserved
        /// So many granules are not there.
        case lacking(Int64)
        /// It may use more than is ever there.
        case exceeding
        /// The key has had its part of what is scarce, and would take so many granules.
        case unfair(Int64)
        /// The request counts for too many limits.
        case full
    }

    @inline(__always)
    private static func take(
        _ entry: RateLimitEntry, _ demand: RateDemand, _ cell: Int, in table: RateLimitTable, uptime: UInt64,
        away: Bool, _ reservation: inout RateReservation
    ) -> Taking {
        guard !reservation.isFull else { return .full }
        table.list(entry.slot)
        return table.withSlot(entry.slot) { slot in
            let units = demand.units(of: entry, usualOutput: slot.usual.load(ordering: .relaxed))
            guard units <= entry.rate.burst else { return .exceeding }
            let granules = units * BucketRate.granules
            slot.fill(entry.rate, uptime: uptime)
            LeaseSlot.raise(slot.units.largest, to: granules)
            let interval = self.interval(entry, uptime)
            if let fair = slot.fair, !self.isFair(units, cell, of: slot, fair, entry.rate, interval) {
                slot.isShort.store(true, ordering: .relaxed)
                return .unfair(granules)
            }
            guard self.reserves(granules, of: slot, entry, uptime: uptime, away: away) else {
                return .lacking(granules)
            }
            slot.fair?.pointee.add(units, cell, in: interval)
            reservation.add(entry.slot, granules, entry.meter)
            return .reserved
        }
    }

    @inline(__always)
    private static func reserves(
        _ granules: Int64, of slot: borrowing RateLimitSlot, _ entry: RateLimitEntry, uptime: UInt64, away: Bool
    ) -> Bool {
        // What a process has and hears nothing of for long may be given to others.
        let isOld = uptime >= slot.units.usableUntil.load(ordering: .acquiring)
        if !isOld || entry.opensAway, slot.units.reserve(granules) { return true }
        guard away, entry.opensAway, slot.share.load(ordering: .relaxed) == 0 else { return false }
        slot.units.reserveAnyway(granules)
        return true
    }

    /// What becomes of a request that has no room: whether it may have some in a moment.
    @inline(never)
    private static func lack(
        _ granules: Int64, of entry: RateLimitEntry, in table: RateLimitTable, uptime: UInt64, away: Bool
    ) -> Admission.Verdict {
        table.withSlot(entry.slot) { slot in
            let answered = slot.units.answeredAt.load(ordering: .acquiring)
            let isOld = uptime >= slot.units.usableUntil.load(ordering: .acquiring)
            let share = slot.share.load(ordering: .relaxed)
            if away, share == 0 || isOld, !entry.opensAway {
                return .refused(self.refusal(.rateLimitUnavailable, entry, left: 0, needed: 0, retryAfter: 1))
            }
            slot.isShort.store(true, ordering: .relaxed)
            // What is here, and what others had left when they were last asked.
            let left = max(0, slot.units.free) + slot.units.left.load(ordering: .relaxed)
            let isAllHere = share == BucketRate.parts && !isOld
            if away || isAllHere
                || (answered > 0 && left < granules && uptime < answered + self.word(granules - left, entry.rate))
            {
                return .refused(self.exceeded(granules, entry, share: share, left: left))
            }
            slot.units.waiting.wrappingAdd(granules, ordering: .relaxed)
            return .wait(asks: true)
        }
    }

    @inline(never)
    private static func refusal(of entry: RateLimitEntry, _ taking: Taking, in table: RateLimitTable) -> GatewayError {
        switch taking {
        case .exceeding:
            self.refusal(
                .requestExceedsRateLimit, entry, left: table.withSlot(entry.slot) { $0.units.free }, needed: 0)
        case .unfair(let granules): self.exceeded(granules, entry, share: BucketRate.parts, left: 0)
        default: self.refusal(.rateLimitUnavailable, entry, left: 0, needed: 0, retryAfter: 1)
        }
    }

    /// The interval of fair use that an instant is in; 0 where requests at the same time are counted.
    private static func interval(_ entry: RateLimitEntry, _ uptime: UInt64) -> UInt64 {
        guard entry.fairInterval > 0 else { return 0 }
        // Not 0, and within its 24 bits.
        return (uptime / entry.fairInterval) % 0xFF_FFFE + 1
    }

    /// Whether one of several who share a limit may have more of what is left of it.
    private static func isFair(
        _ units: Int64, _ cell: Int, of slot: borrowing RateLimitSlot, _ fair: UnsafeMutablePointer<FairUse>,
        _ rate: BucketRate, _ interval: UInt64
    ) -> Bool {
        let share = slot.share.load(ordering: .relaxed)
        // What there may be, and what is shared equally: half of it, or of places all that are here and others have left.
        let capacity: Int64
        let supply: Int64
        if rate.period == nil {
            capacity =
                slot.units.ceiling.load(ordering: .relaxed) + slot.units.left.load(ordering: .relaxed)
            supply = capacity / BucketRate.granules
            guard capacity - slot.units.reserved.load(ordering: .relaxed) < capacity / 2 else { return true }
        } else {
            // Where units are granted one by one nobody has a store of them.
            guard share > 0 else { return true }
            capacity = rate.capacity(of: share)
            supply = capacity / (2 * BucketRate.granules)
            guard slot.units.free - units * BucketRate.granules < capacity / 2 else { return true }
        }
        let used = fair.pointee.used(cell, in: interval)
        guard used > 0 else { return true }
        let sharers = fair.pointee.sharers(cell, in: interval)
        return sharers == 1 || used + units <= supply / sharers
    }

    /// Nanoseconds for which the word holds that granules are missing: until they can have flowed in.
    private static func word(_ missing: Int64, _ rate: BucketRate) -> UInt64 {
        min(self.refusalTime, rate.nanoseconds(for: missing, into: BucketRate.parts) ?? self.refusalTime)
    }

    private static func exceeded(
        _ granules: Int64, _ entry: RateLimitEntry, share: Int64, left: Int64
    ) -> GatewayError {
        let missing = max(1, granules - left)
        let wait = entry.rate.nanoseconds(for: missing, into: share > 0 ? share : BucketRate.parts) ?? 1_000_000_000
        let longest = UInt64(entry.rate.period?.seconds ?? 1)
        let seconds = min(longest, (wait + 999_999_999) / 1_000_000_000)
        return self.refusal(.rateLimitExceeded, entry, left: left, needed: granules, retryAfter: Int(max(1, seconds)))
    }

    private static func refusal(
        _ code: GatewayError.Code, _ entry: RateLimitEntry, left: Int64, needed: Int64, retryAfter: Int = -1
    ) -> GatewayError {
        GatewayError(
            code, source: .gateway, subject: .rateLimit(RateLimitRefusal(entry, left: left, needed: needed)),
            retryAfter: retryAfter)
    }
}
