package import Shared

/// Which spans a budget's amount is for.
package enum BudgetWindowKind: String, Sendable, CaseIterable {
    /// Those of the calendar, one after the other.
    case calendar
    /// Every one that is as long as the period, whenever it ends.
    case rolling
}

/// The window of a rolling budget: the last so many seconds, at every instant.
///
/// Its one account never ends, and what may be spent of it grows: by the amount, and by all that had been spent of it when
/// the window began. That is known from *checkpoints*, which say what had been settled by an instant. Since each counts
/// only what had truly been spent by then, what leases may hold is never more than the amount and what was spent before
/// the window.
package struct RollingWindow: Sendable, Hashable {
    /// From 60 to 31,536,000; whole steps.
    package let seconds: Int64

    /// Checkpoints in a window's length, at most: money comes back in so many steps.
    package static let steps: Int64 = 60
    /// Seconds by which the clock that a checkpoint was taken by may be behind the one by which money is granted.
    ///
    /// Replicas write checkpoints and grant by their own clocks. Were one further off, a window would be shorter by the rest.
    package static let clockMargin: Int64 = 1
    /// The most that can be spent of an account since it was opened, in nano-USD: 2.3 billion dollars.
    ///
    /// Sums of leases are cut there, so nothing is granted beyond.
    package static let settledLimit: Int64 = 1 << 61

    /// Of what a database has.
    package init(stored seconds: Int64) { self.seconds = seconds }

    /// Nil for a period without a length.
    ///
    /// Months are 30 days, quarters 90, years 365.
    package init?(_ period: BudgetPeriod) {
        switch period {
        case .minute: self.seconds = 60
        case .hour: self.seconds = 3600
        case .day: self.seconds = 86_400
        case .week: self.seconds = 7 * 86_400
        case .month: self.seconds = 30 * 86_400
        case .quarter: self.seconds = 90 * 86_400
        case .year: self.seconds = 365 * 86_400
        case .total: return nil
        }
    }

    /// Microseconds.
    package var stepLength: Int64 { max(1, self.seconds * 1_000_000 / Self.steps) }

    /// The step since 1970 that an instant is in.
    package func step(of instant: Timestamp) -> Int64 { instant.microseconds / self.stepLength }

    /// What had been settled by then has left the window, whichever replica's clock says now.
    package func cutoff(at now: Timestamp) -> Timestamp {
        now.adding(seconds: -(self.seconds + Self.clockMargin))
    }

    /// The checkpoints that are still needed: the newest one that was taken by then, and all after it.
    ///
    /// A step before the cutoff, for whoever grants by an instant that is some time ago.
    package func keptSince(at now: Timestamp) -> Timestamp {
        self.cutoff(at: now).adding(microseconds: -self.stepLength)
    }
}
