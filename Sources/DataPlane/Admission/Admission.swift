import Shared
import Synchronization

/// Says whether there is money for a request: all accounts of its path, or none.
enum Admission {
    enum Verdict {
        case admitted
        /// An account may get money within a moment.
        case wait
        case refused(GatewayError)
    }

    /// Nanoseconds for which the control plane's word that a budget is spent is gone by.
    static let refusalTime: UInt64 = 1_000_000_000

    /// Reserves what a request to its chosen model can cost of every budget that it pays into.
    ///
    /// - Parameters:
    ///   - reservation: empty; holds what was reserved when the verdict is that the request is admitted.
    ///   - away: nobody can be asked, or has been for long enough: budgets' away-policies decide.
    static func reserve(
        _ exchange: borrowing Exchange, in table: LeaseTable, now: Timestamp, uptime: UInt64, away: Bool,
        _ reservation: inout Reservation
    ) -> Verdict {
        let policy = exchange.policy
        let path = policy.nodes[Int(exchange.caller.node)].budgets
        let own = exchange.caller.budgets
        if path.isEmpty && own.isEmpty { return .admitted }
        guard let bound = self.bound(exchange, policy) else {
            return self.unbounded(exchange, in: table, now: now, &reservation, path, own)
        }
        // Something, so that its accounts stay until it is settled.
        let amount = max(1, bound.amount)
        reservation.begin(amount)
        var verdict = Verdict.admitted
        for position in 0..<path.count + own.count {
            let budget = policy.budgets[Self.handle(position, path, own, policy)]
            guard budget.covers(exchange.model) else { continue }
            let found = self.take(budget, amount, in: table, now: now, uptime: uptime, away: away, &reservation)
            switch found {
            case .admitted: continue
            case .wait: if case .admitted = verdict { verdict = .wait }
            case .refused:
                // What is known to fail needs no wait for what is above it.
                reservation.settle(.zero, in: table)
                return found
            }
        }
        if case .wait = verdict { reservation.settle(.zero, in: table) }
        return verdict
    }

    private static func take(
        _ budget: borrowing BudgetEntry, _ amount: Int64, in table: LeaseTable, now: Timestamp, uptime: UInt64,
        away: Bool, _ reservation: inout Reservation
    ) -> Verdict {
        let index = table.slot(of: budget, at: now)
        guard index != 0 else { return away ? .refused(self.unavailable(budget)) : .wait }
        var verdict = Verdict.admitted
        var account: UInt64 = 0
        _ = table.withSlot(index) { slot in
            account = slot.account.load(ordering: .relaxed)
            LeaseSlot.raise(slot.largest, to: amount)
            guard budget.isHard else {
                slot.reserveAnyway(amount)
                return
            }
            // An amount that was granted long ago without another word is not spent any more.
            let isUsable = uptime < slot.usableUntil.load(ordering: .acquiring)
            if isUsable && slot.reserve(amount) { return }
            if away && budget.away == .open {
                slot.reserveAnyway(amount)
                return
            }
            let answered = slot.answeredAt.load(ordering: .acquiring)
            let left = slot.left.load(ordering: .relaxed)
            if answered > 0, left < amount, uptime < answered + Self.refusalTime || away {
                // What others have reserved and will not spend may do.
                let free = slot.free
                guard away || free + slot.reserved.load(ordering: .relaxed) < amount else {
                    verdict = .wait
                    return
                }
                let ends = slot.endsAt.load(ordering: .relaxed)
                verdict = .refused(self.exceeded(budget, left: left + max(0, free), until: ends))
            } else if away {
                verdict = .refused(self.unavailable(budget))
            } else {
                slot.waiting.wrappingAdd(amount, ordering: .relaxed)
                verdict = .wait
            }
        }
        guard case .admitted = verdict else { return verdict }
        guard reservation.add(index, account: account) else {
            _ = table.withSlot(index) { $0.settle(reserved: amount, cost: 0) }
            return .refused(self.unavailable(budget))
        }
        return .admitted
    }

    /// The budget at a position of the two runs of a path.
    private static func handle(_ position: Int, _ path: Range<Int32>, _ own: Range<Int32>, _ policy: PolicyIndex) -> Int {
        let index =
            position < path.count
            ? Int(path.lowerBound) + position : Int(own.lowerBound) + position - path.count
        return Int(policy.budgetPaths[index])
    }

    /// The most that the request can cost at its model; nil when nothing bounds it.
    private static func bound(_ exchange: borrowing Exchange, _ policy: PolicyIndex) -> NanoUSD? {
        guard exchange.model >= 0, let price = policy.price(of: exchange.model, at: exchange.began) else { return .zero }
        let adjustment = policy.adjustment(at: exchange.caller.node, model: exchange.model, exchange.began)
        guard
            let cost = CostBound(exchange, model: policy.models[Int(exchange.model)]).cost(
                items: price.items, uplift: price.uplift, adjustment: adjustment?.factor ?? .one)
        else { return nil }
        return min(cost, self.largest)
    }

    /// A million dollars: no request costs more, and sums of reservations stay numbers.
    private static let largest = NanoUSD(1_000_000_000_000_000)

    /// What cannot be bounded is charged to soft budgets and refused under a hard one.
    private static func unbounded(
        _ exchange: borrowing Exchange, in table: LeaseTable, now: Timestamp, _ reservation: inout Reservation,
        _ path: Range<Int32>, _ own: Range<Int32>
    ) -> Verdict {
        let policy = exchange.policy
        reservation.begin(1)
        for position in 0..<path.count + own.count {
            let budget = policy.budgets[Self.handle(position, path, own, policy)]
            guard budget.covers(exchange.model) else { continue }
            guard !budget.isHard else {
                reservation.settle(.zero, in: table)
                return .refused(
                    GatewayError(.costUnbounded, source: .gateway, subject: .budget(BudgetRefusal(budget)))
                )
            }
            let index = table.slot(of: budget, at: now)
            guard index != 0 else {
                reservation.settle(.zero, in: table)
                return .wait
            }
            var account: UInt64 = 0
            _ = table.withSlot(index) { slot in
                slot.reserveAnyway(1)
                account = slot.account.load(ordering: .relaxed)
            }
            guard reservation.add(index, account: account) else {
                _ = table.withSlot(index) { $0.settle(reserved: 1, cost: 0) }
                reservation.settle(.zero, in: table)
                return .refused(self.unavailable(budget))
            }
        }
        return .admitted
    }

    private static func exceeded(_ budget: borrowing BudgetEntry, left: Int64, until end: Int64) -> GatewayError {
        var refusal = BudgetRefusal(budget)
        refusal.left = NanoUSD(max(0, left))
        if end < .max { refusal.ends = Timestamp(microseconds: end) }
        return GatewayError(.budgetExceeded, source: .gateway, subject: .budget(refusal))
    }

    private static func unavailable(_ budget: borrowing BudgetEntry) -> GatewayError {
        GatewayError(.budgetUnavailable, source: .gateway, subject: .budget(BudgetRefusal(budget)), retryAfter: 1)
    }
}
