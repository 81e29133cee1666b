import NIOCore
import Shared
import Synchronization

// Room within rate limits and money of budgets for the request, between the choice of a target and its sending.
extension DownstreamHandler {
    /// Nanoseconds that a request waits for room or money at most.
    static let parkTime: UInt64 = 500_000_000

    /// Reserves what the request can use of rate limits, then what it can cost at its target; what an earlier target had
    /// reserved is let go first.
    ///
    /// - Returns: false when it waits: `lookForMoneyAgain` goes on.
    func reserve() throws(GatewayError) -> Bool {
        // Not the exchange: it would be copied whole.
        guard let request = self.exchange?.accounted else { return true }
        let uptime = self.loop.time.uptime()
        let isLate = self.parkedUntil > 0 && uptime >= self.parkedUntil
        let away = isLate || self.loop.leases.isAway.load(ordering: .relaxed)
        let bound = CostBound(request)
        if !self.rates.isEmpty { self.rates.settle(.none, in: self.loop.leases.rates) }
        let limits = RateLimitPath(request)
        if limits.count > 0 {
            let verdict = RateLimiting.reserve(
                RateDemand(bound, bodyBytes: request.bodyBytes), of: limits, in: self.loop.leases.rates,
                uptime: uptime, away: away, &self.rates)
            guard try self.isAdmitted(verdict, uptime: uptime) else { return false }
        }
        if !self.reservation.isEmpty { self.reservation.settle(.zero, in: self.loop.leases) }
        let budgets = BudgetPath(request)
        guard budgets.count > 0 else { return true }
        var verdict = self.reserve(bound, request, of: budgets, uptime: uptime, away: away)
        if case .refused(let error) = verdict, error.code == .budgetExceeded,
            let fitting = self.fitting(bound, request, of: budgets)
        {
            // What it fits in may have to be asked for, so it waits once more.
            self.parkedUntil = 0
            self.exchange?.intent.outputBound = fitting.output / max(1, request.choices)
            self.exchange?.intent.isLowered = true
            let away = self.loop.leases.isAway.load(ordering: .relaxed)
            verdict = self.reserve(fitting, request, of: budgets, uptime: uptime, away: away)
        }
        return try self.isAdmitted(verdict, uptime: uptime)
    }

    private func reserve(
        _ bound: CostBound, _ request: borrowing AccountedRequest, of budgets: BudgetPath, uptime: UInt64, away: Bool
    ) -> Admission.Verdict {
        let learned = self.expected(request, within: bound)
        if let learned { self.growth = learned }
        return Admission.reserve(
            CostEstimate(bound: request.cost(bound), learned: learned.flatMap { request.cost($0.reserved) }),
            of: budgets, in: self.loop.leases, now: self.loop.now(), uptime: uptime, away: away, &self.reservation)
    }

    /// The longest answer that there is money for, where the budgets that have too little want requests made to fit, and it
    /// is long enough to be of use; once for a request.
    private func fitting(
        _ bound: CostBound, _ request: borrowing AccountedRequest, of budgets: BudgetPath
    ) -> CostBound? {
        guard request.operation.generates, !request.isLowered else { return nil }
        let expected = self.expected(request, within: bound)?.reserved ?? bound
        let asked = CostEstimate(bound: request.cost(bound), learned: request.cost(expected))
        guard let room = Admission.room(for: asked, of: budgets, in: self.loop.leases, now: self.loop.now())
        else { return nil }
        func fits(_ output: Int64) -> Bool {
            var (most, usual) = (bound, expected)
            most.output = output
            usual.output = min(usual.output, output)
            guard let most = request.cost(most), let usual = request.cost(usual) else { return false }
            return most.amount <= room.bound && usual.amount <= room.learned
        }
        let choices = max(1, request.choices)
        // Per choice: from the least that is of use to what was asked for.
        var (low, high) = (CostBound.leastOutput, min(bound.output / choices, Self.mostOutput))
        guard low < high, fits(low * choices) else { return nil }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if fits(middle * choices) { low = middle } else { high = middle }
        }
        var fitting = bound
        fitting.output = low * choices
        return fitting
    }

    /// Tokens that no answer is longer than.
    private static let mostOutput: Int64 = 1 << 32

    /// What is to be expected of the request; nil where no budget goes by that.
    private func expected(_ request: borrowing AccountedRequest, within bound: CostBound) -> StreamGrowth? {
        guard request.policy.learnsBudgets else { return nil }
        let figures = self.loop.learned.figures(request.key, request.modelID)
        let expected = figures.expected(within: bound, bodyBytes: request.promptBytes)
        return StreamGrowth(reserved: expected, most: bound.output, perKiB: Int64(figures.outputPerKiB))
    }

    /// Goes by a verdict: goes on, waits, or refuses.
    private func isAdmitted(_ verdict: Admission.Verdict, uptime: UInt64) throws(GatewayError) -> Bool {
        switch verdict {
        case .admitted: return true
        case .refused(let error): throw error
        case .wait(let asks):
            // Room that it has is somebody else's while it waits for money.
            if !self.rates.isEmpty { self.rates.settle(.none, in: self.loop.leases.rates) }
            if self.parkedUntil == 0 { self.parkedUntil = uptime + Self.parkTime }
            self.phase = .parked
            guard self.loop.park(self, asks: asks) else {
                throw GatewayError(.overloaded, source: .gateway, retryAfter: 1)
            }
            self.setDeadline(after: .nanoseconds(Int64(clamping: self.parkedUntil - min(uptime, self.parkedUntil))))
            return false
        }
    }

    /// There is word of money, or the time to wait for it is over.
    func lookForMoneyAgain() {
        if self.phase == .relaying && self.heldUntil > 0 { return self.growReservation() }
        guard self.phase == .parked else { return }
        do throws(GatewayError) {
            if try self.reserve() { try self.sendToTarget() }
        } catch {
            self.refuse(error, closes: false)
        }
    }
}
