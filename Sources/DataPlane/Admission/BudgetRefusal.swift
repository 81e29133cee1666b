package import Shared

/// Which budget refused, and what there is of it.
package struct BudgetRefusal: Sendable, Equatable {
    package let budget: BudgetID
    package let level: BudgetLevel
    package let amount: NanoUSD
    package let period: BudgetPeriod
    /// What was wanted of it.
    package var needed = NanoUSD.zero
    /// What is left that no gateway holds, and what this one has free; nil when it is not known.
    package var left: NanoUSD?
    /// When the next window begins; nil for never, or when it is not known.
    package var ends: Timestamp?

    init(_ budget: BudgetEntry) {
        self.budget = budget.id
        self.level = budget.level
        self.amount = budget.amount
        self.period = budget.period
    }
}
