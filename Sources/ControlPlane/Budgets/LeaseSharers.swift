package import Shared

/// How many gateways share an account, kept with it: counted now and then, and one more with each that comes.
///
/// So it is never less than the gateways that renewed within the last two minutes, and more only by those that went
/// silent, or began anew, since it was last counted. What is too much makes grants smaller, and nothing else.
package struct LeaseSharers: Sendable, Hashable {
    /// The one that renews included.
    package private(set) var count: Int
    /// Nil: as soon as can be.
    package private(set) var countedAt: Timestamp?

    /// Seconds after which they are counted anew.
    package static let countedSeconds: Int64 = 60
    /// Accounts that one renewal counts them of at most; of the others in one of the next.
    package static let countsAtOnce = 128

    package init(count: Int = 0, countedAt: Timestamp? = nil) {
        self.count = count
        self.countedAt = countedAt
    }

    /// A process renews.
    ///
    /// - Parameters:
    ///   - lease: of the process, as it was.
    ///   - renewedAt: when the process last renewed, or when its lease was made.
    package mutating func renew(_ lease: LeaseState, renewedAt: Timestamp, now: Timestamp) {
        let since = now.adding(seconds: -LeaseRules.sharingSeconds)
        // One that usage made was never renewed.
        if lease.phase == .open, lease.sequence > 0, renewedAt > since, self.count > 0 { return }
        // Not counted at once: when many come together, each would.
        if self.count == 0 { self.countedAt = now }
        self.count += 1
    }

    /// Whether they should be counted.
    ///
    /// One alone cannot be fewer.
    package func isDue(now: Timestamp) -> Bool {
        guard self.count > 1 else { return false }
        guard let countedAt else { return true }
        return countedAt.adding(seconds: Self.countedSeconds) <= now
    }

    /// - Parameter others: gateways besides the one that renews that renewed within the last two minutes.
    package mutating func counted(others: Int, now: Timestamp) {
        self.count = others + 1
        self.countedAt = now
    }
}
