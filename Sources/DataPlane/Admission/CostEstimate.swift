package import Shared

/// What to reserve for a request before anybody has counted its tokens.
package struct CostEstimate: Sendable, Equatable {
    /// Of budgets that take the most that it can cost; nil when nothing bounds it.
    package var bound: NanoUSD?
    /// Of budgets that go by what such requests cost lately; never more than the bound.
    package var learned: NanoUSD?

    /// - Parameter learned: nil where nothing was learned, or nothing asks for it: the bound then.
    package init(bound: NanoUSD?, learned: NanoUSD? = nil) {
        self.bound = bound
        guard let bound, let learned else {
            self.learned = bound
            return
        }
        self.learned = min(bound, learned)
    }
}
