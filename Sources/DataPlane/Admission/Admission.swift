package import Shared
import Synchronization

/// The budgets that one request pays into: those of its project's line and of its tags there, then those of its key.
package struct BudgetPath: Sendable {
    let policy: PolicyIndex
    /// Of `policy.budgetPaths`.
    private let run: SubjectRun
    /// Which model it goes to: budgets may be narrowed.
    let model: Handle

    /// Of a request with a key, to a model.
    package init(_ policy: PolicyIndex, key: Handle, model: Handle, tags: TagHandles = TagHandles()) {
        let entry = policy.keys[Int(key)]
        self.init(policy, node: entry.node, own: entry.budgets, model: model, tags: tags)
    }

    init(_ policy: PolicyIndex, node: Handle, own: Range<Int32>, model: Handle, tags: TagHandles = TagHandles()) {
        self.policy = policy
        self.run = SubjectRun(line: policy.nodes[Int(node)].budgets, own: own, tags: tags)
        self.model = model
    }

    init(_ request: borrowing AccountedRequest) {
        self.init(
            request.policy, node: request.node, own: request.budgets, model: request.model,
            tags: request.tagged.budgets)
    }

    package var count: Int { self.run.count }

    /// The position in `policy.budgets` of a budget; -1 for one that does not count the model.
    package func budget(_ position: Int) -> Int {
        let handle = self.run.handle(position, in: self.policy.budgetPaths)
        return self.policy.covers(self.policy.budgets[handle].models, self.model) ? handle : -1
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

    /// Reserves what a request may cost of every budget of a path.
    ///
    /// - Parameters:
    ///   - away: nobody can be asked, or has been for long enough: budgets' away-policies decide.
    ///   - reservation: empty; holds what was reserved when the verdict is that the request is admitted.
    package static func reserve(
        _ cost: CostEstimate, of path: BudgetPath, in table: LeaseTable, now: Timestamp, uptime: UInt64, away: Bool,
        _ reservation: inout Reservation
    ) -> Verdict {
        // Something in any case, so that its accounts stay until it is settled.
        reservation.begin(
            bound: max(1, min(cost.bound ?? .zero, self.largest).amount),
            learned: max(1, min(cost.learned ?? .zero, self.largest).amount))
        var verdict = Verdict.admitted
        for position in 0..<path.count {
            let handle = path.budget(position)
            guard handle >= 0 else { continue }
            let budget = path.policy.budgets[handle]
            let index = table.slot(of: budget, in: path.policy.zones, at: now)
            if self.take(
                budget, isBounded: cost.bound != nil, at: index, in: table, uptime: uptime, away: away, &reservation)
            {
                continue
            }
            let found = self.lack(
                of: budget, isBounded: cost.bound != nil, at: index, in: table, uptime: uptime, away: away, reservation)
            switch found {
            case .wait(asks: false): if case .admitted = verdict { verdict = found }
            case .wait: verdict = found
            // What is known to fail needs no wait for what is above it.
            default:
                reservation.settle(.zero, in: table)
                return found
            }
        }
        if case .wait = verdict { reservation.settle(.zero, in: table) }
        return verdict
    }

    /// What a refused request may cost at most so that it is admitted, of budgets that take its bound and of those that go by
    /// what was learned; nil where a budget that has too little does not want it to be made to fit.
    ///
    /// - Parameter cost: what it was refused with.
    package static func room(
        for cost: CostEstimate, of path: BudgetPath, in table: LeaseTable, now: Timestamp
    ) -> (bound: Int64, learned: Int64)? {
        var room = (bound: Int64.max, learned: Int64.max)
        for position in 0..<path.count {
            let handle = path.budget(position)
            guard handle >= 0 else { continue }
            let budget = path.policy.budgets[handle]
            guard budget.isHard else { continue }
            let there = table.withSlot(table.slot(of: budget, in: path.policy.zones, at: now)) { slot in
                slot.there
            }
            guard let there, let wanted = budget.isLearned ? cost.learned : cost.bound else { return nil }
            if there < wanted.amount && !budget.lowersOutput { return nil }
            if budget.isLearned { room.learned = min(room.learned, there) } else { room.bound = min(room.bound, there) }
        }
        return room
    }

    /// Raises what a request has reserved of budgets that go by what was learned: of all of them, or of none.
    ///
    /// - Parameters:
    ///   - learned: what is to be reserved of each.
    ///   - path: as it was when the reservation was made.
    /// - Returns: nil when it was raised. Else which budget has no money for it: the request may end for that, and unless
    ///   nobody can be asked the budget's money is waited for.
    package static func grow(
        to learned: NanoUSD, of path: BudgetPath, in table: LeaseTable, uptime: UInt64, away: Bool,
        _ reservation: inout Reservation
    ) -> GatewayError? {
        let more = min(learned, self.largest).amount - reservation.learned
        guard more > 0 else { return nil }
        var index = 0
        for position in 0..<path.count where index < reservation.count {
            let handle = path.budget(position)
            guard handle >= 0 else { continue }
            defer { index += 1 }
            guard reservation.isLearned(index) else { continue }
            let error = self.take(
                more, of: path.policy.budgets[handle], at: reservation.slot(index), in: table, uptime: uptime,
                away: away)
            guard let error else { continue }
            for earlier in 0..<index where reservation.isLearned(earlier) {
                _ = table.withSlot(reservation.slot(earlier)) { $0.settle(reserved: more, cost: 0) }
            }
            return error
        }
        reservation.grew(by: more)
        return nil
    }

    private static func take(
        _ more: Int64, of budget: BudgetEntry, at index: LeaseTable.SlotIndex, in table: LeaseTable,
        uptime: UInt64, away: Bool
    ) -> GatewayError? {
        var error: GatewayError?
        _ = table.withSlot(index) { slot in
            LeaseSlot.raise(slot.largest, to: more)
            if self.reserves(more, of: budget, slot, at: index, in: table, uptime: uptime, away: away) { return }
            guard !away else {
                error = self.unavailable(budget)
                return
            }
            slot.wait(for: more, at: index, in: table)
            error = self.exceeded(budget, more, left: slot.there, until: slot.endsAt.load(ordering: .relaxed))
        }
        return error
    }

    /// Reserves what the process has the money for, or what needs none.
    private static func reserves(
        _ amount: Int64, of budget: BudgetEntry, _ slot: borrowing LeaseSlot, at index: LeaseTable.SlotIndex,
        in table: LeaseTable, uptime: UInt64, away: Bool
    ) -> Bool {
        if budget.isHard {
            // An amount that was granted long ago without another word is not spent any more.
            let isUsable = uptime < slot.usableUntil.load(ordering: .acquiring)
            if isUsable && slot.reserve(amount, at: index, in: table) { return true }
            guard away, budget.allowance > 0 else { return false }
            if budget.allowance < .max {
                // A process that nobody ever answered has none: else each restart would bring one.
                return table.isKnown.load(ordering: .relaxed) && slot.reserve(amount, beyond: budget.allowance)
            }
        }
        slot.reserveAnyway(amount)
        return true
    }

    /// Reserves of one budget; false, and nothing is changed, when that cannot be.
    @inline(__always)
    private static func take(
        _ budget: BudgetEntry, isBounded: Bool, at index: LeaseTable.SlotIndex, in table: LeaseTable, uptime: UInt64,
        away: Bool, _ reservation: inout Reservation
    ) -> Bool {
        guard index != 0, isBounded || !budget.isHard else { return false }
        let amount = reservation.amount(isLearned: budget.isLearned)
        // The account before what is reserved of it: it stays as long as that is not settled.
        return table.withSlot(index) { slot in
            LeaseSlot.raise(slot.largest, to: amount)
            guard self.reserves(amount, of: budget, slot, at: index, in: table, uptime: uptime, away: away)
            else { return false }
            let account = slot.account.load(ordering: .relaxed)
            if reservation.add(index, account: account, isLearned: budget.isLearned, isHard: budget.isHard) {
                return true
            }
            slot.settle(reserved: amount, cost: 0)
            return false
        } ?? false
    }

    /// What becomes of a request that has nothing of one budget: why, and whether it may have something in a moment.
    @inline(never)
    private static func lack(
        of budget: BudgetEntry, isBounded: Bool, at index: LeaseTable.SlotIndex, in table: LeaseTable, uptime: UInt64,
        away: Bool, _ reservation: borrowing Reservation
    ) -> Verdict {
        if !isBounded && budget.isHard {
            return .refused(GatewayError(.costUnbounded, source: .gateway, subject: .budget(BudgetRefusal(budget))))
        }
        guard index != 0 else { return away ? .refused(self.unavailable(budget)) : .wait(asks: false) }
        guard !reservation.isFull else { return .refused(self.unavailable(budget)) }
        let amount = reservation.amount(isLearned: budget.isLearned)
        return table.withSlot(index) { slot in
            let answered = slot.answeredAt.load(ordering: .acquiring)
            // What is here does with what is left elsewhere, as long as that may be granted.
            let there = slot.there
            let lacks = away ? slot.left.load(ordering: .relaxed) < amount : there < amount
            // What a rolling window had left is soon out of date; what is spent of another one stays spent.
            if answered > 0, lacks, uptime < answered + Self.refusalTime || (away && budget.rolling == nil) {
                // What others have reserved and will not spend may do.
                guard away || slot.free + slot.reserved.load(ordering: .relaxed) < amount else {
                    return .wait(asks: false)
                }
                let ends = slot.endsAt.load(ordering: .relaxed)
                return .refused(self.exceeded(budget, amount, left: there, until: ends))
            }
            guard !away else { return .refused(self.unavailable(budget)) }
            slot.wait(for: amount, at: index, in: table)
            return .wait(asks: true)
        } ?? .refused(self.unavailable(budget))
    }

    /// A million dollars: no request costs more, and sums of reservations stay numbers.
    private static let largest = NanoUSD(1_000_000_000_000_000)

    private static func exceeded(
        _ budget: BudgetEntry, _ amount: Int64, left: Int64, until end: Int64
    ) -> GatewayError {
        var refusal = BudgetRefusal(budget)
        refusal.needed = NanoUSD(amount)
        refusal.left = NanoUSD(max(0, left))
        if end < .max { refusal.ends = Timestamp(microseconds: end) }
        return GatewayError(
            .budgetExceeded, source: .gateway, subject: .budget(refusal), detail: refusal.message)
    }

    private static func unavailable(_ budget: BudgetEntry) -> GatewayError {
        GatewayError(.budgetUnavailable, source: .gateway, subject: .budget(BudgetRefusal(budget)), retryAfter: 1)
    }
}
