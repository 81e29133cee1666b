package import Shared
import Synchronization

/// The budgets that one request pays into: those of its project's line and of its tags there, then those of its key.
package struct BudgetPath: Sendable {
    let policy: PolicyIndex
    /// Runs of `policy.budgetPaths`.
    let line: Range<Int32>
    let own: Range<Int32>
    /// Which model it goes to: budgets may be narrowed.
    let model: Handle
    /// Those of its tags, between those of the line.
    let tags: TagHandles

    /// Of a request with a key, to a model.
    package init(_ policy: PolicyIndex, key: Handle, model: Handle, tags: TagHandles = TagHandles()) {
        let entry = policy.keys[Int(key)]
        self.init(policy, node: entry.node, own: entry.budgets, model: model, tags: tags)
    }

    init(_ policy: PolicyIndex, node: Handle, own: Range<Int32>, model: Handle, tags: TagHandles = TagHandles()) {
        self.policy = policy
        self.line = policy.nodes[Int(node)].budgets
        self.own = own
        self.model = model
        self.tags = tags
    }

    var isEmpty: Bool { self.line.isEmpty && self.own.isEmpty && self.tags.isEmpty }

    var count: Int { self.line.count + self.own.count + self.tags.count }

    /// The position in `policy.budgets` of a budget; -1 for one that does not count the model.
    func budget(_ position: Int) -> Int {
        var position = position
        if !self.tags.isEmpty {
            let handle = Int(self.tags.take(&position))
            if handle >= 0 { return self.policy.budgets[handle].covers(self.model) ? handle : -1 }
        }
        let index =
            position < self.line.count
            ? Int(self.line.lowerBound) + position : Int(self.own.lowerBound) + position - self.line.count
        let handle = Int(self.policy.budgetPaths[index])
        return self.policy.budgets[handle].covers(self.model) ? handle : -1
    }
}

/// Says whether there is money for a request: of all accounts of its path, or of none.
package enum Admission {
    package enum Verdict: Sendable {
        case admitted
        /// An account may get money within a moment: from the control plane, which has to be asked, or from requests that
        /// are under way.
        case wait(asks: Bool)
        case refused(GatewayError)
    }

    /// Nanoseconds for which the control plane's word that a budget is spent is gone by.
    static let refusalTime: UInt64 = 1_000_000_000

    /// Reserves an amount of every budget of a path.
    ///
    /// - Parameters:
    ///   - amount: the most that the request can cost; nil when nothing bounds it.
    ///   - away: nobody can be asked, or has been for long enough: budgets' away-policies decide.
    ///   - reservation: empty; holds what was reserved when the verdict is that the request is admitted.
    package static func reserve(
        _ amount: NanoUSD?, of path: BudgetPath, in table: LeaseTable, now: Timestamp, uptime: UInt64, away: Bool,
        _ reservation: inout Reservation
    ) -> Verdict {
        // Something in any case, so that its accounts stay until it is settled.
        let reserved = max(1, min(amount ?? .zero, self.largest).amount)
        reservation.begin(reserved)
        var verdict = Verdict.admitted
        for position in 0..<path.count {
            let handle = path.budget(position)
            guard handle >= 0 else { continue }
            let budget = path.policy.budgets[handle]
            let found: Verdict =
                if amount == nil && budget.isHard {
                    .refused(GatewayError(.costUnbounded, source: .gateway, subject: .budget(BudgetRefusal(budget))))
                } else {
                    self.take(budget, reserved, in: table, now: now, uptime: uptime, away: away, &reservation)
                }
            switch found {
            case .admitted: continue
            case .wait(let asks):
                if case .wait(asks: true) = verdict { continue }
                verdict = .wait(asks: asks)
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
        guard index != 0 else { return away ? .refused(self.unavailable(budget)) : .wait(asks: false) }
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
            if isUsable && slot.reserve(amount, at: index, in: table) { return }
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
                    verdict = .wait(asks: false)
                    return
                }
                let ends = slot.endsAt.load(ordering: .relaxed)
                verdict = .refused(self.exceeded(budget, left: left + max(0, free), until: ends))
            } else if away {
                verdict = .refused(self.unavailable(budget))
            } else {
                slot.wait(for: amount, at: index, in: table)
                verdict = .wait(asks: true)
            }
        }
        guard case .admitted = verdict else { return verdict }
        guard reservation.add(index, account: account) else {
            _ = table.withSlot(index) { $0.settle(reserved: amount, cost: 0) }
            return .refused(self.unavailable(budget))
        }
        return .admitted
    }

    /// The most that a request can cost at its model; nil when nothing bounds it.
    static func bound(_ exchange: borrowing Exchange) -> NanoUSD? {
        let policy = exchange.policy
        guard exchange.model >= 0, let price = policy.price(of: exchange.model, at: exchange.began) else {
            return .zero
        }
        let adjustment = policy.adjustment(at: exchange.caller.node, model: exchange.model, exchange.began)
        return CostBound(exchange, model: policy.models[Int(exchange.model)]).cost(
            items: price.items, uplift: price.uplift, adjustment: adjustment?.factor ?? .one)
    }

    /// A million dollars: no request costs more, and sums of reservations stay numbers.
    private static let largest = NanoUSD(1_000_000_000_000_000)

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
