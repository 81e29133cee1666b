import Shared

/// What a request would want of budgets at one model.
struct MoneyDemand: Sendable {
    let model: ModelID
    /// Nil where nothing bounds it.
    let cost: NanoUSD?
    /// With the shortest answer that it may be lowered to.
    let least: NanoUSD?
    /// In the order in which they refuse.
    let budgets: [Budget]
    let levels: [BudgetID: BudgetLevel]
}

extension Explanation {
    /// What one budget says to a request.
    mutating func money(_ demand: MoneyDemand, _ budget: Budget, _ status: BudgetStatus) {
        let id = budget.id.description
        let level = demand.levels[budget.id]
        guard budget.isHard else {
            return self.pass("budget", "It counts and refuses nothing.", level: level, id: id, model: demand.model)
        }
        guard let cost = demand.cost else {
            return self.fail(
                "budget", "cost_unbounded", "Nothing bounds the answer: 'max_tokens' is needed.", level: level, id: id,
                model: demand.model)
        }
        let left = status.left
        let held = status.heldByGateways
        let there = left.addingSaturating(held)
        let text = "\(left) USD are left, and gateways hold \(held)"
        if cost <= left {
            self.pass("budget", "It may cost \(cost) USD; \(text).", level: level, id: id, model: demand.model)
        } else if budget.estimate == .learned, there > .zero {
            self.depends(
                "budget", "It goes by what such requests cost lately, \(cost) USD at most; \(text).", level: level,
                id: id, model: demand.model)
        } else if budget.lowersOutput, let least = demand.least, least <= there {
            self.depends(
                "budget", "It would be sent with a lower bound of its answer; \(text).", level: level, id: id,
                model: demand.model)
        } else if cost > there {
            self.fail(
                "budget", "budget_exceeded", "It may cost \(cost) USD; \(text).", level: level, id: id,
                model: demand.model)
        } else {
            self.depends(
                "budget", "It may cost \(cost) USD; \(text): the one that is asked may have enough.", level: level,
                id: id, model: demand.model)
        }
    }
}
