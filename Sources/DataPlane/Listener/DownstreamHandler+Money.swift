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
        let learned = self.expected(exchange, within: bound)
        let verdict = Admission.reserve(
            CostEstimate(bound: exchange.cost(bound), learned: learned.flatMap { exchange.cost($0.reserved) }),
            of: budgets, in: self.loop.leases, now: self.loop.now(), uptime: uptime, away: away, &self.reservation)
        if let learned { self.growth = learned }
        return try self.isAdmitted(verdict, uptime: uptime)
    }

    /// What is to be expected of the request; nil where no budget goes by that.
    private func expected(_ exchange: borrowing Exchange, within bound: CostBound) -> StreamGrowth? {
        guard exchange.policy.learnsBudgets else { return nil }
        let figures = self.loop.learned.figures(exchange.caller.key, exchange.modelID)
        let expected = figures.expected(within: bound, bodyBytes: exchange.promptBytes)
        return StreamGrowth(reserved: expected, most: bound.output, perKiB: Int64(figures.outputPerKiB))
    }

    /// A stream has brought more text than what is reserved was meant for: reserves more, or ends it when nothing is left.
    func growReservation() {
        guard self.reservation.learns, let exchange = self.exchange else { return }
        let text = self.relay.text.bytes
        let next = self.growth.next(text)
        let uptime = self.loop.time.uptime()
        let away = self.loop.leases.isAway.load(ordering: .relaxed)
        let failure = Admission.grow(
            to: exchange.cost(next) ?? .zero, of: BudgetPath(exchange), in: self.loop.leases, uptime: uptime,
            away: away, &self.reservation)
        guard let failure else {
            self.growth.grow(to: next)
            return
        }
        if self.growth.stay(at: text) {
            self.cut(failure)
        } else if !away {
            self.loop.askForMoney()
        }
    }

    /// Takes in what a finished request had, for those like it.
    func learn(_ exchange: borrowing Exchange, _ counters: UsageCounters) {
        guard self.reservation.learns, let usage = self.relay.usage.usage else { return }
        let use = RateUse(counters)
        self.loop.learned.note(
            LearnedUse.Sample(
                output: use.outputTokens, input: usage.uncachedInput + usage.cacheRead + usage.cacheWrite,
                bodyBytes: exchange.promptBytes ?? 0, textBytes: self.relay.text.bytes),
            exchange.caller.key, exchange.modelID)
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
        guard self.phase == .parked else { return }
        do throws(GatewayError) {
            if try self.reserve() { try self.sendToTarget() }
        } catch {
            self.refuse(error, closes: false)
        }
    }
}
