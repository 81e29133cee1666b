package import Shared

/// Which budget refused, and what there is of it.
package struct BudgetRefusal: Sendable, Equatable {
    package let budget: BudgetID
    package let level: BudgetLevel
    package let amount: NanoUSD
    package let period: BudgetPeriod
    /// The period is that of any window, whenever it ends.
    package let isRolling: Bool
    /// What was wanted of it.
    package var needed = NanoUSD.zero
    /// What is left that no gateway holds, and what this one has free; nil when it is not known.
    package var left: NanoUSD?
    /// When the next window begins; nil for never, or when it is not known.
    package var ends: Timestamp?

    /// The message of a rolling budget that has too little left: it has no end to name.
    var message: StaticString? {
        guard self.isRolling else { return nil }
        return switch self.period {
        case .minute:
            "A budget has not enough left of what may be spent in any 60 seconds for what this request may cost."
        case .hour:
            "A budget has not enough left of what may be spent in any 60 minutes for what this request may cost."
        case .day: "A budget has not enough left of what may be spent in any 24 hours for what this request may cost."
        case .week: "A budget has not enough left of what may be spent in any 7 days for what this request may cost."
        case .month: "A budget has not enough left of what may be spent in any 30 days for what this request may cost."
        case .quarter:
            "A budget has not enough left of what may be spent in any 90 days for what this request may cost."
        case .year: "A budget has not enough left of what may be spent in any 365 days for what this request may cost."
        case .total: nil
        }
    }

    init(_ budget: BudgetEntry) {
        self.budget = budget.id
        self.level = budget.level
        self.amount = budget.amount
        self.period = budget.rolling ?? budget.period
        self.isRolling = budget.rolling != nil
    }
}
