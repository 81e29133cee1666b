package import Shared

/// A change after which more may be spent than before.
package struct BudgetRaise: Sendable, Hashable {
    /// What may be spent of a window then; `max` where nothing bounds it any more.
    package let to: NanoUSD

    package init(to: NanoUSD) { self.to = to }

    package static let unbounded = BudgetRaise(to: NanoUSD(.max))

    /// Nil where a change allows no more than before.
    package init?(from before: Budget, to after: Budget) {
        let isFreed = (before.isHard && !after.isHard) || (before.status == .active && after.status != .active)
        if isFreed || after.away.rank > before.away.rank {
            self = .unbounded
        } else if after.carriesOver && !before.carriesOver {
            self.init(to: after.amount.addingOrMost(after.amount))
        } else if after.amount > before.amount {
            self.init(to: after.amount)
        } else {
            return nil
        }
    }
}

extension BudgetAway {
    /// The more it allows the higher.
    fileprivate var rank: Int64 {
        switch self {
        case .deny: 0
        case .allowance(let amount): amount.amount
        case .open: .max
        }
    }
}

extension NanoUSD {
    /// The sum, or the most that there is.
    func addingOrMost(_ other: NanoUSD) -> NanoUSD {
        let (sum, overflow) = self.amount.addingReportingOverflow(other.amount)
        return NanoUSD(overflow ? .max : sum)
    }
}
