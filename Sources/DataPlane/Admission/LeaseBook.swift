package import Shared
import Synchronization

/// What one task keeps of the accounts of a process: when to ask for what, and what was answered.
///
/// Knows no network and no clock: the simulation runs it as it is.
package struct LeaseBook {
    private struct Account {
        let slot: LeaseTable.SlotIndex
        var granted: Int64 = 0
        var returned: Int64 = 0
        /// `posted` when it was last asked for.
        var askedPosted: Int64 = 0
        var askedAt: UInt64 = 0
        var dueAt: UInt64 = 0
        var isDirect = false
        /// The last answer gave nothing to what waited.
        var isStuck = false
        /// The window is over, and every loop has had a turn since: nobody reserves any more.
        var isEnded = false
        /// The last ask said that it is final.
        var isFinal = false
    }

    private let table: LeaseTable
    private let gateway: GatewayID
    private var accounts: [Charge: Account] = [:]
    private var sequence: Int64 = 0
    /// The uptime from which on it asks also when nothing is due: what earlier processes held is only known by asking.
    private var askAt: UInt64 = 0
    /// Earlier processes that the control plane wants to hear of.
    package private(set) var unsettled: [UInt64] = []

    /// Nanoseconds after which an account is renewed that nothing else makes due.
    package static let renewal: UInt64 = 20_000_000_000
    /// Nanoseconds that what was granted may be spent for without another word (DESIGN: hard TTL).
    package static let hardTime: UInt64 = 1_800_000_000_000
    /// Nanoseconds between two asks for an account of which money is short.
    private static let directRenewal: UInt64 = 1_000_000_000
    /// Nanoseconds until it is asked again for what waits, when the last answer gave nothing.
    private static let stuckRenewal: UInt64 = 50_000_000
    /// Accounts in one request: as many as the control plane decides on in a moment, new ones among them.
    private static let asksAtOnce = 512
    /// The least that it asks for: a cent.
    private static let leastWant: Int64 = 10_000_000

    package init(table: LeaseTable, gateway: GatewayID) {
        self.table = table
        self.gateway = gateway
    }

    /// Accounts that are held.
    package var count: Int { self.accounts.count }

    /// Takes in the accounts that requests opened since.
    package mutating func collect(uptime: UInt64) {
        for slot in self.table.takeFresh() {
            guard
                let charge = self.table.withSlot(slot, { Charge(value: $0.account.load(ordering: .acquiring)) }) ?? nil
            else { continue }
            var account = Account(slot: slot)
            account.dueAt = uptime
            self.accounts[charge] = account
        }
        self.table.prepare()
    }

    /// The accounts whose window is over: from now on no loop finds them.
    ///
    /// Call `end` with them after every loop has had a turn.
    package func ending(now: Timestamp) -> [Charge] {
        self.accounts.compactMap { charge, account in
            guard !account.isEnded,
                self.table.withSlot(account.slot, { $0.endsAt.load(ordering: .relaxed) <= now.microseconds }) == true
            else { return nil }
            self.table.unlink(account.slot, budget: charge.budget)
            return charge
        }
    }

    package mutating func end(_ charges: [Charge]) {
        for charge in charges { self.accounts[charge]?.isEnded = true }
    }

    /// The process stops, and no request is under way any more: every account is asked for a last time.
    package mutating func endAll() {
        for (charge, account) in self.accounts {
            self.table.unlink(account.slot, budget: charge.budget)
            self.accounts[charge]?.isEnded = true
        }
    }

    /// What to ask now; nil when nothing is due.
    ///
    /// - Parameters:
    ///   - settled: earlier processes whose usage is all delivered.
    ///   - shares: what is asked of rate limits besides.
    package mutating func request(
        uptime: UInt64, settled: [UInt64] = [], shares: [ShareAsk] = []
    ) -> LeaseRequest? {
        var asks: [LeaseAsk] = []
        // Those that are left out are due again with the next request, and those that are in it are not for a while.
        for charge in Array(self.accounts.keys) where asks.count < Self.asksAtOnce {
            guard var account = self.accounts[charge], let ask = self.ask(charge, &account, uptime: uptime) else {
                continue
            }
            asks.append(ask)
            self.accounts[charge] = account
        }
        asks.sort { $0.account < $1.account }
        guard !asks.isEmpty || !settled.isEmpty || !shares.isEmpty || uptime >= self.askAt else { return nil }
        self.askAt = uptime + Self.renewal
        self.sequence += 1
        var request = LeaseRequest(
            gateway: self.gateway, sequence: self.sequence, asks: asks,
            settled: Array(settled.prefix(LeaseRequest.settledLimit)))
        request.shares = shares
        return request
    }

    private func ask(_ charge: Charge, _ account: inout Account, uptime: UInt64) -> LeaseAsk? {
        let slot = account.slot
        return self.table.withSlot(slot) { entry -> LeaseAsk? in
            let posted = entry.posted.load(ordering: .sequentiallyConsistent)
            let reserved = entry.reserved.load(ordering: .sequentiallyConsistent)
            let isFinal = account.isEnded && reserved == 0
            let isHard = entry.isHard.load(ordering: .relaxed) == 1
            let waiting = entry.waiting.load(ordering: .relaxed)
            let free = entry.free
            let spent = max(0, posted - account.askedPosted)
            let largest = entry.largest.load(ordering: .relaxed)
            let wish = isHard && !account.isEnded ? Self.wish(spent: spent, largest: largest, account.isDirect) : 0
            let isLow = isHard && !account.isEnded && free * 10 < wish * 3 && wish > 0
            let hasSpare = account.isDirect && free > 0 && waiting == 0
            let sinceAsked = uptime - min(uptime, account.askedAt)
            let isDue =
                uptime >= account.dueAt || (waiting > 0 && (!account.isStuck || sinceAsked >= Self.stuckRenewal))
                || (isFinal && !account.isFinal) || hasSpare
                || (isLow && sinceAsked >= Self.directRenewal)
            guard isDue else { return nil }
            if account.isDirect || account.isEnded { account.returned += entry.giveBack(upTo: .max) }
            var ask = LeaseAsk(account: charge)
            ask.granted = account.granted
            ask.returned = account.returned
            ask.posted = min(posted, LeaseRequest.amountLimit)
            ask.reserved = min(reserved, LeaseRequest.amountLimit)
            ask.need = entry.waiting.exchange(0, ordering: .relaxed)
            ask.need = min(max(0, ask.need), LeaseRequest.amountLimit)
            ask.largest = min(entry.largest.exchange(0, ordering: .relaxed), LeaseRequest.amountLimit)
            ask.want = max(wish, ask.need)
            ask.isFinal = isFinal
            account.askedPosted = posted
            account.askedAt = uptime
            account.dueAt = uptime + (account.isDirect ? Self.directRenewal : Self.renewal)
            account.isFinal = isFinal
            return ask
        } ?? nil
    }

    /// What it would like to have free: what was spent since the last ask twice, or a few of the largest requests.
    private static func wish(spent: Int64, largest: Int64, _ isDirect: Bool) -> Int64 {
        guard !isDirect else { return 0 }
        let twice = min(spent, LeaseRequest.amountLimit / 8) * 2
        return max(twice, min(largest, LeaseRequest.amountLimit / 8) * 4, Self.leastWant)
    }

    /// Takes the answer to a request in.
    ///
    /// - Parameter sentAt: the uptime before the request was sent.
    package mutating func apply(_ reply: LeaseReply, to request: LeaseRequest, sentAt: UInt64, uptime: UInt64) {
        self.unsettled = reply.unsettled
        let asked = Dictionary(uniqueKeysWithValues: request.asks.map { ($0.account, $0) })
        for grant in reply.grants {
            guard let ask = asked[grant.account], var account = self.accounts[grant.account] else { continue }
            if ask.isFinal || (grant.isUnknown && account.isEnded && ask.reserved == 0) {
                self.table.release(account.slot)
                self.accounts[grant.account] = nil
                continue
            }
            _ = self.table.withSlot(account.slot) { entry in
                let more = max(0, grant.granted - account.granted)
                account.granted += more
                account.isStuck = more == 0 && ask.need > 0
                if more > 0 { entry.ceiling.wrappingAdd(more, ordering: .sequentiallyConsistent) }
                entry.left.store(grant.left, ordering: .relaxed)
                entry.usableUntil.store(sentAt + Self.hardTime, ordering: .releasing)
                entry.answeredAt.store(max(1, uptime), ordering: .releasing)
                if grant.recall > 0 {
                    let back = entry.giveBack(upTo: grant.recall)
                    account.returned += back
                    if back > 0 { account.dueAt = uptime }
                }
            }
            account.isDirect = grant.isDirect
            self.accounts[grant.account] = account
        }
    }
}
