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
        let limits = self.rateLimitPath
        let budgets = self.budgetPath
        guard limits != nil || budgets != nil else { return true }
        let uptime = self.loop.time.uptime()
        let isLate = self.parkedUntil > 0 && uptime >= self.parkedUntil
        let away = isLate || self.loop.leases.isAway.load(ordering: .relaxed)
        if !self.rates.isEmpty { self.rates.settle(.none, in: self.loop.leases.rates) }
        if let limits {
            let verdict = RateLimiting.reserve(
                self.rateDemand, of: limits, in: self.loop.leases.rates, uptime: uptime, away: away, &self.rates)
            guard try self.isAdmitted(verdict, uptime: uptime) else { return false }
        }
        if !self.reservation.isEmpty { self.reservation.settle(.zero, in: self.loop.leases) }
        guard let budgets, let verdict = self.verdict(budgets, uptime: uptime, away: away) else { return true }
        return try self.isAdmitted(verdict, uptime: uptime)
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

    private var budgetPath: BudgetPath? {
        guard let policy = self.exchange?.policy, let node = self.exchange?.caller.node,
            let own = self.exchange?.caller.budgets, let model = self.exchange?.model,
            let tags = self.exchange?.tagged.budgets
        else { return nil }
        let path = BudgetPath(policy, node: node, own: own, model: model, tags: tags)
        return path.isEmpty ? nil : path
    }

    private var rateLimitPath: RateLimitPath? {
        guard let policy = self.exchange?.policy, let node = self.exchange?.caller.node,
            let own = self.exchange?.caller.rateLimits, let model = self.exchange?.model,
            let key = self.exchange?.caller.key, let tags = self.exchange?.tagged.rateLimits
        else { return nil }
        let path = RateLimitPath(policy, node: node, own: own, model: model, key: key, tags: tags)
        return path.isEmpty ? nil : path
    }

    private var rateDemand: RateDemand {
        guard let exchange = self.exchange, exchange.model >= 0 else {
            return RateDemand(inputBound: 0, usualInput: 0, outputBound: 0)
        }
        return RateDemand(exchange, model: exchange.policy.models[Int(exchange.model)])
    }

    private func verdict(_ path: BudgetPath, uptime: UInt64, away: Bool) -> Admission.Verdict? {
        guard let exchange = self.exchange else { return nil }
        return Admission.reserve(
            Admission.bound(exchange), of: path, in: self.loop.leases, now: self.loop.now(), uptime: uptime,
            away: away, &self.reservation)
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
