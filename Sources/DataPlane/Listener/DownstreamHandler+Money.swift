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
        // Where nothing applies nothing is looked at, and the exchange is not copied.
        guard self.exchange?.isAccounted == true, let exchange = self.exchange else { return true }
        let uptime = self.loop.time.uptime()
        let isLate = self.parkedUntil > 0 && uptime >= self.parkedUntil
        let away = isLate || self.loop.leases.isAway.load(ordering: .relaxed)
        let bound = CostBound(exchange, model: exchange.policy.models[Int(exchange.model)])
        if !self.rates.isEmpty { self.rates.settle(.none, in: self.loop.leases.rates) }
        let limits = RateLimitPath(exchange)
        if !limits.isEmpty {
            let verdict = RateLimiting.reserve(
                RateDemand(bound, bodyBytes: exchange.intent.bodyBytes), of: limits, in: self.loop.leases.rates,
                uptime: uptime, away: away, &self.rates)
            guard try self.isAdmitted(verdict, uptime: uptime) else { return false }
        }
        if !self.reservation.isEmpty { self.reservation.settle(.zero, in: self.loop.leases) }
        let budgets = BudgetPath(exchange)
        guard !budgets.isEmpty else { return true }
        var verdict = self.reserve(bound, exchange, of: budgets, uptime: uptime, away: away)
        if case .refused(let error) = verdict, error.code == .budgetExceeded,
            let fitting = self.fitting(bound, exchange, of: budgets)
        {
            // What it fits in may have to be asked for, so it waits once more.
            self.parkedUntil = 0
            self.exchange?.intent.outputBound = fitting.output / max(1, exchange.intent.choices)
            self.exchange?.intent.isLowered = true
            let away = self.loop.leases.isAway.load(ordering: .relaxed)
            verdict = self.reserve(fitting, exchange, of: budgets, uptime: uptime, away: away)
        }
        return try self.isAdmitted(verdict, uptime: uptime)
    }

    private func reserve(
        _ bound: CostBound, _ exchange: borrowing Exchange, of budgets: BudgetPath, uptime: UInt64, away: Bool
    ) -> Admission.Verdict {
        let learned = self.expected(exchange, within: bound)
        if let learned { self.growth = learned }
        return Admission.reserve(
            CostEstimate(bound: exchange.cost(bound), learned: learned.flatMap { exchange.cost($0.reserved) }),
            of: budgets, in: self.loop.leases, now: self.loop.now(), uptime: uptime, away: away, &self.reservation)
    }

    /// The longest answer that there is money for, where the budgets that have too little want requests made to fit, and it
    /// is long enough to be of use; once for a request.
    private func fitting(
        _ bound: CostBound, _ exchange: borrowing Exchange, of budgets: BudgetPath
    ) -> CostBound? {
        guard exchange.operation.generates, !exchange.intent.isLowered else { return nil }
        let expected = self.expected(exchange, within: bound)?.reserved ?? bound
        let asked = CostEstimate(bound: exchange.cost(bound), learned: exchange.cost(expected))
        guard let room = Admission.room(for: asked, of: budgets, in: self.loop.leases, now: self.loop.now())
        else { return nil }
        func fits(_ output: Int64) -> Bool {
            var (most, usual) = (bound, expected)
            most.output = output
            usual.output = min(usual.output, output)
            guard let most = exchange.cost(most), let usual = exchange.cost(usual) else { return false }
            return most.amount <= room.bound && usual.amount <= room.learned
        }
        let choices = max(1, exchange.intent.choices)
        // Per choice: from the least that is of use to what was asked for.
        var (low, high) = (Self.leastOutput, min(bound.output / choices, Self.mostOutput))
        guard low < high, fits(low * choices) else { return nil }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if fits(middle * choices) { low = middle } else { high = middle }
        }
        var fitting = bound
        fitting.output = low * choices
        return fitting
    }

    /// Tokens of an answer that is still of use, and that none is longer than.
    private static let leastOutput: Int64 = 256
    private static let mostOutput: Int64 = 1 << 32

    /// What is to be expected of the request; nil where no budget goes by that.
    private func expected(_ exchange: borrowing Exchange, within bound: CostBound) -> StreamGrowth? {
        guard exchange.policy.learnsBudgets else { return nil }
        let figures = self.loop.learned.figures(exchange.caller.key, exchange.modelID)
        let expected = figures.expected(within: bound, bodyBytes: exchange.promptBytes)
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
