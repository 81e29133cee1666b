package import Shared
import Synchronization

/// What one task keeps of the accounts of a process: when to ask for what, and what was answered.
///
/// A look costs what is due, not what is held: an account is looked at when its time has come, when a request flagged it
/// because its money is short, and, for as long as something is under way, when that should be told at once.
///
/// Knows no network and no clock: the simulation runs it as it is.
package struct LeaseBook {
    private let table: LeaseTable
    private let gateway: GatewayID
    private var accounts: [Charge: HeldAccount] = [:]
    /// When to look at which account next: at least once until it is due.
    private var looks = DueQueue<UInt64>()
    /// When windows end, in microseconds since 1970.
    private var ends = DueQueue<Int64>()
    /// Accounts to look at before those that are due, because requests wait or may soon.
    private var flagged: [Charge] = []
    private var sequence: Int64 = 0
    /// The uptime from which on it asks also when nothing is due: what earlier processes held is only known by asking.
    private var askAt: UInt64 = 0
    /// The uptime from which on accounts are asked for whose money is low: many at once then.
    private var lowAt: UInt64 = 0
    /// How often an account was looked at, all told.
    package private(set) var visits = 0
    /// Earlier processes that the control plane wants to hear of.
    package private(set) var unsettled: [UInt64] = []

    /// Nanoseconds after which an account is renewed at the latest, where its budget has plenty left: half
    /// of the time for which a gateway counts among those that share it.
    package static let renewal: UInt64 = 60_000_000_000
    /// The same where every bit of it may soon matter.
    package static let shortRenewal: UInt64 = 20_000_000_000
    /// Nanoseconds that what was granted may be spent for without another word (DESIGN: hard TTL).
    package static let hardTime: UInt64 = 1_800_000_000_000
    /// Nanoseconds before an account is due in which it is renewed with others that are: one request then, not one for each.
    private static let ahead: UInt64 = LeaseBook.shortRenewal / 5
    /// Nanoseconds between two asks for an account of which money is short.
    private static let directRenewal: UInt64 = 1_000_000_000
    /// Nanoseconds until it is asked again for what waits, when the last answer gave nothing.
    private static let stuckRenewal: UInt64 = 50_000_000
    /// Nanoseconds between two requests that are made only because money is low.
    private static let lowPause: UInt64 = 250_000_000
    /// Accounts in one request: as many as the control plane decides on in a moment, new ones among them.
    private static let asksAtOnce = 512

    package init(table: LeaseTable, gateway: GatewayID) {
        self.table = table
        self.gateway = gateway
    }

    /// Accounts that are held.
    package var count: Int { self.accounts.count }

    /// Takes in the accounts that requests opened since.
    package mutating func collect(uptime: UInt64) {
        for slot in self.table.takeFresh() {
            let opened = self.table.withSlot(slot) { entry in
                Charge(value: entry.account.load(ordering: .acquiring)).map {
                    ($0, entry.endsAt.load(ordering: .relaxed))
                }
            }
            guard let (charge, endsAt) = opened ?? nil else { continue }
            var account = HeldAccount(slot: slot)
            account.dueAt = uptime
            self.look(at: charge, &account, from: uptime)
            self.accounts[charge] = account
            if endsAt < .max { self.ends.insert(charge, at: endsAt) }
        }
        self.table.prepare()
    }

    /// The accounts whose window is over, each once: from now on no loop finds them.
    ///
    /// Call `end` with them after every loop has had a turn.
    package mutating func ending(now: Timestamp) -> [Charge] {
        var result: [Charge] = []
        while let (_, charge) = self.ends.takeFirst(until: now.microseconds) {
            guard let account = self.accounts[charge], !account.isEnded else { continue }
            self.table.unlink(account.slot, budget: charge.budget)
            result.append(charge)
        }
        return result
    }

    package mutating func end(_ charges: [Charge]) {
        for charge in charges {
            guard var account = self.accounts[charge] else { continue }
            account.isEnded = true
            self.look(at: charge, &account, from: 0)
            self.accounts[charge] = account
        }
    }

    /// The process stops, and no request is under way any more: every account is asked for a last time.
    package mutating func endAll() {
        for (charge, account) in self.accounts { self.table.unlink(account.slot, budget: charge.budget) }
        self.end(Array(self.accounts.keys))
    }

    /// Has an account looked at from an uptime on, or before.
    private mutating func look(at charge: Charge, _ account: inout HeldAccount, from uptime: UInt64) {
        guard uptime < account.lookAt else { return }
        account.lookAt = uptime
        self.looks.insert(charge, at: uptime)
    }

    /// What to ask now; nil when nothing is due.
    ///
    /// - Parameters:
    ///   - settled: earlier processes whose usage is all delivered.
    ///   - shares: what is asked of rate limits besides.
    package mutating func request(
        uptime: UInt64, settled: [UInt64] = [], shares: [ShareAsk] = []
    ) -> LeaseRequest? {
        let asks = self.asks(uptime: uptime)
        guard !asks.isEmpty || !settled.isEmpty || !shares.isEmpty || uptime >= self.askAt else { return nil }
        self.askAt = uptime + Self.shortRenewal
        self.sequence += 1
        var request = LeaseRequest(
            gateway: self.gateway, sequence: self.sequence, asks: asks,
            settled: Array(settled.prefix(LeaseRequest.settledLimit)))
        request.shares = shares
        return request
    }

    /// Those that are left out are asked for with the next request.
    private mutating func asks(uptime: UInt64) -> [LeaseAsk] {
        var asks: [LeaseAsk] = []
        /// When to look next at those that were looked at: put into the queue when nothing more is taken from it.
        var next: [(charge: Charge, uptime: UInt64)] = []
        func visit(_ charge: Charge, _ account: inout HeldAccount, isEarly: Bool) {
            self.visits += 1
            let again: UInt64
            if account.sequence > self.sequence {
                // It is in this request already.
                again = uptime + 1
            } else if let ask = self.ask(charge, &account, uptime: uptime, isEarly: isEarly) {
                asks.append(ask)
                account.sequence = self.sequence + 1
                again = account.tells(underWay: ask.reserved) ? uptime + 1 : account.dueAt
            } else {
                again = max(uptime + 1, self.nextLook(account, uptime: uptime))
            }
            next.append((charge, again))
        }
        self.table.takeFlagged { charge in
            guard let account = self.accounts[charge], !account.isFlagged else { return }
            self.accounts[charge]?.isFlagged = true
            self.flagged.append(charge)
        }
        var done = 0
        while done < self.flagged.count, asks.count < Self.asksAtOnce {
            let charge = self.flagged[done]
            done += 1
            guard var account = self.accounts[charge] else { continue }
            account.isFlagged = false
            // This is that look, too.
            if account.lookAt <= uptime { account.lookAt = .max }
            visit(charge, &account, isEarly: false)
            self.accounts[charge] = account
        }
        self.flagged.removeFirst(done)
        while asks.count < Self.asksAtOnce,
            let (time, charge) = self.looks.takeFirst(until: asks.isEmpty ? uptime : uptime + Self.ahead)
        {
            guard var account = self.accounts[charge], account.lookAt == time else { continue }
            account.lookAt = .max
            visit(charge, &account, isEarly: !asks.isEmpty)
            self.accounts[charge] = account
        }
        if !asks.isEmpty, uptime >= self.lowAt { self.lowAt = uptime + Self.lowPause }
        for (charge, again) in next {
            guard var account = self.accounts[charge] else { continue }
            self.look(at: charge, &account, from: again)
            self.accounts[charge] = account
        }
        return asks.sorted { $0.account < $1.account }
    }

    /// When to look again at an account that is not due.
    private func nextLook(_ account: HeldAccount, uptime: UInt64) -> UInt64 {
        let next = self.table.withSlot(account.slot) { entry -> UInt64 in
            if entry.waiting.load(ordering: .relaxed) > 0 { return account.askedAt + Self.stuckRenewal }
            if account.tells(underWay: entry.reserved.load(ordering: .sequentiallyConsistent)) { return uptime + 1 }
            return account.isLow(entry) ? max(self.lowAt, account.askedAt + Self.directRenewal) : account.dueAt
        }
        return min(next ?? account.dueAt, account.dueAt)
    }

    /// - Parameter isEarly: it is renewed also when it is due only within a moment.
    private func ask(_ charge: Charge, _ account: inout HeldAccount, uptime: UInt64, isEarly: Bool) -> LeaseAsk? {
        let slot = account.slot
        return self.table.withSlot(slot) { entry -> LeaseAsk? in
            let posted = entry.posted.load(ordering: .sequentiallyConsistent)
            let reserved = entry.reserved.load(ordering: .sequentiallyConsistent)
            let isFinal = account.isEnded && reserved == 0
            let waiting = entry.waiting.load(ordering: .sequentiallyConsistent)
            let want = account.want(entry, isWaiting: waiting > 0, uptime: uptime)
            account.wished = account.wish(entry)
            let isPlentiful = account.isPlentiful(entry)
            let hasSpare = account.isDirect && waiting == 0 && entry.free > 0
            let sinceAsked = uptime - min(uptime, account.askedAt)
            let isDue =
                (isEarly && !account.isDirect ? uptime + Self.ahead : uptime) >= account.dueAt
                || (waiting > 0 && (!account.isStuck || sinceAsked >= Self.stuckRenewal))
                || (isFinal && !account.isFinal) || hasSpare
                || (sinceAsked >= Self.directRenewal && uptime >= self.lowAt && account.isLow(entry))
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
            ask.want = max(want, ask.need)
            ask.isFinal = isFinal
            account.askedPosted = posted
            account.askedAt = uptime
            // Where money is short, what is under way is told of each second; what holds nothing has nothing to tell.
            account.dueAt =
                uptime
                + (account.isDirect && reserved > 0 ? Self.directRenewal : Self.pause(charge, isPlentiful: isPlentiful))
            account.isFinal = isFinal
            return ask
        } ?? nil
    }

    /// Nanoseconds from one renewal to the next, where nothing else makes it due.
    ///
    /// Where there is plenty, of each account others, from three quarters on: what was opened at once is not renewed at
    /// once for ever.
    private static func pause(_ charge: Charge, isPlentiful: Bool) -> UInt64 {
        guard isPlentiful else { return self.shortRenewal }
        let part = (charge.value &* 0x9E37_79B9_7F4A_7C15) >> 60
        return self.renewal - self.renewal / 64 * part
    }

    /// Takes the answer to a request in.
    ///
    /// - Parameter sentAt: the uptime before the request was sent.
    package mutating func apply(_ reply: LeaseReply, to request: LeaseRequest, sentAt: UInt64, uptime: UInt64) {
        self.table.isKnown.store(true, ordering: .relaxed)
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
                account.isDirect = grant.isDirect
                if account.dueAt > uptime {
                    let pause = Self.pause(grant.account, isPlentiful: account.isPlentiful(entry))
                    // What is told of sooner stays due: one that was short may be so again.
                    let isSooner = account.dueAt < account.askedAt + Self.shortRenewal
                    account.dueAt = isSooner ? account.dueAt : account.askedAt + pause
                }
                account.setComfort(entry)
            }
            // What is not needed where money is short goes back at once.
            self.look(at: grant.account, &account, from: account.isDirect ? uptime : account.dueAt)
            self.accounts[grant.account] = account
        }
    }
}
