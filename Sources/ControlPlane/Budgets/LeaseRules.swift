package import Shared

/// What one account has, as far as granting goes; amounts in nano-USD.
package struct LeaseAccount: Sendable, Hashable {
    /// What may be spent in the window, all told; below 0 when it was lowered under what is gone.
    package var limit: Int64
    /// The sum of what all leases hold, the one that is renewed included.
    package var held: Int64
    /// Gateways that renewed within the last two minutes, the one that renews included.
    package var gateways: Int
    /// Nothing is granted, because grants were lost with a database and gateways have not all said yet what they hold.
    package var isFrozen: Bool

    package init(limit: Int64, held: Int64, gateways: Int, isFrozen: Bool = false) {
        self.limit = limit
        self.held = held
        self.gateways = gateways
        self.isFrozen = isFrozen
    }
}

/// What one process of a gateway holds of an account.
package struct LeaseState: Sendable, Hashable {
    package enum Phase: String, Sendable { case open, suspense, closed }

    package var granted: Int64 = 0
    package var returned: Int64 = 0
    package var posted: Int64 = 0
    package var reserved: Int64 = 0
    /// The cost of the records that arrived and are charged to it.
    package var settled: Int64 = 0
    package var sequence: Int64 = 0
    package var phase = Phase.open

    package init() {}

    /// What nobody else may spend because of it: what it may still spend and what it has spent, whichever word of that
    /// says more.
    package var held: Int64 { max(self.granted - self.returned, self.posted, self.settled) }

    /// Everything that was spent is known: what is left of it is free.
    package mutating func close() {
        self.returned = max(self.returned, self.granted - max(self.posted, self.settled))
        self.reserved = 0
        self.phase = .closed
    }
}

/// The one rule by which money of an account is granted.
///
/// What all leases of an account hold never grows beyond its limit by a grant; what a gateway spends never exceeds what
/// it holds, but for requests that cost more than was reserved for them. That is the whole bound.
package enum LeaseRules {
    /// Least that is granted while it is there: a cent.
    package static let leastGrant: Int64 = 10_000_000
    /// Seconds after which a gateway that does not renew counts no more among those that share.
    package static let sharingSeconds: Int64 = 120
    /// Seconds for which a lease may be spent from without another word, by the gateway's clock.
    package static let hardSeconds: Int64 = 1800
    /// Seconds after which a process that says nothing any more cannot be spending: its clock may be 1 % slow, and its
    /// requests end within their drain time.
    package static let reclaimSeconds: Int64 = LeaseRules.hardSeconds * 101 / 100 + 900
    /// Seconds for which nothing is granted after lost grants came to light.
    package static let freezeSeconds: Int64 = 60

    /// Takes in what a process says, and decides what it gets.
    ///
    /// - Parameters:
    ///   - account: with the lease as it was.
    ///   - sequence: of the request; what an older one says of what is under way is not taken.
    /// - Returns: the answer, and whether the process knew of grants that the database does not have.
    package static func renew(
        _ lease: inout LeaseState, _ ask: LeaseAsk, sequence: Int64, of account: LeaseAccount
    ) -> (grant: LeaseGrant, showsLoss: Bool) {
        let others = account.held - lease.held
        let showsLoss = ask.granted > lease.granted
        lease.granted = max(lease.granted, ask.granted)
        lease.returned = min(max(lease.returned, ask.returned), lease.granted)
        lease.posted = max(lease.posted, ask.posted)
        let isNewest = sequence >= lease.sequence
        if isNewest {
            lease.sequence = sequence
            lease.reserved = ask.reserved
            lease.phase = .open
            if ask.isFinal { lease.close() }
        }
        let rest = account.limit - others - lease.held
        var answer = LeaseGrant(account: ask.account)
        answer.granted = lease.granted
        answer.left = max(0, rest)
        answer.recall = max(0, -rest)
        guard isNewest, !ask.isFinal, !account.isFrozen, !showsLoss else { return (answer, showsLoss) }
        let free = lease.granted - lease.returned - max(lease.posted, lease.settled) - lease.reserved
        let sharers = Int64(max(1, account.gateways))
        let one = max(ask.largest, 1)
        answer.isDirect = sharers > 1 && rest / (4 * sharers) < one
        let grant = Self.amount(
            rest: rest, needed: max(0, ask.need - free), wanted: max(0, ask.want - free), one: one,
            sharers: sharers, isDirect: answer.isDirect)
        lease.granted += grant
        answer.granted = lease.granted
        answer.left = max(0, rest - grant)
        return (answer, false)
    }

    private static func amount(
        rest: Int64, needed: Int64, wanted: Int64, one: Int64, sharers: Int64, isDirect: Bool
    ) -> Int64 {
        guard rest > 0 else { return 0 }
        // Where several compete for little, each gets what its waiting requests need; nothing when that does not do for
        // one of them.
        if isDirect { return needed <= rest || one <= rest ? min(needed, rest) : 0 }
        let share = min(wanted, rest / (2 * sharers))
        let least = wanted > 0 ? max(needed, min(Self.leastGrant, wanted)) : needed
        return min(rest, max(share, least))
    }
}
