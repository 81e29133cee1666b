import Postgres
package import Shared

/// What one process says, with who it is.
package struct LeaseWord: Sendable {
    package let request: LeaseRequest
    package let caller: GatewayCaller
    /// It gets nothing.
    package let isFenced: Bool

    package init(request: LeaseRequest, caller: GatewayCaller, isFenced: Bool) {
        self.request = request
        self.caller = caller
        self.isFenced = isFenced
    }

    /// Earlier processes of the gateway whose usage has all arrived.
    var over: [UInt64] { self.request.settled.filter { $0 != self.caller.process } }
}

/// One of those that are renewed together.
struct LeaseMember {
    /// Among the words.
    let index: Int
    let word: LeaseWord
    /// Of its process, held until the transaction ends.
    let leases: [Int64: LeaseStore.Lease]
    /// Earlier processes that hold something still.
    var unsettled: [UInt64] = []
}

/// Renewals that are decided in one transaction, one after the other.
struct LeaseRound {
    let now: Timestamp
    let isNewHistory: Bool
    let terms: [UInt32: LeaseStore.Terms]
    let accounts: [Charge: LeaseStore.Account]
    let increases: [BudgetID: Int64]
    /// Of accounts of rolling budgets: what had been spent when the window began.
    let passed: [Int64: Int64]
    /// Of accounts, as the decisions so far left them.
    private var sums: [Int64: LeaseSums.Sum] = [:]
    /// As they are stored, of those that are held.
    private var stored: [Int64: LeaseSums.Sum] = [:]
    /// By which decisions changed what the leases of an account hold.
    private var held: [Int64: Int64] = [:]
    /// Gateways that renewed in this transaction, by account.
    private var renewed: [Int64: Set<GatewayID>] = [:]
    /// Accounts of which grants were lost.
    private(set) var frozen: [Int64] = []

    init(
        now: Timestamp, isNewHistory: Bool, terms: [UInt32: LeaseStore.Terms], accounts: [Charge: LeaseStore.Account],
        increases: [BudgetID: Int64], passed: [Int64: Int64]
    ) {
        self.now = now
        self.isNewHistory = isNewHistory
        self.terms = terms
        self.accounts = accounts
        self.increases = increases
        self.passed = passed
        for account in accounts.values { self.sums[account.id] = account.sum }
    }

    /// What is to be stored of the accounts: in one order.
    var changes: [LeaseSums.Change] {
        self.stored.sorted { $0.key < $1.key }.compactMap { id, before in
            let held = self.held[id] ?? 0
            guard let sum = self.sums[id], held != 0 || sum.sharers != before.sharers else { return nil }
            return LeaseSums.Change(account: id, held: held, sharers: sum.sharers)
        }
    }

    /// The accounts of which something changes when these are decided: all that grants money, and more.
    ///
    /// What is seen here is not held: of the others, only what the answer tells may be a moment old.
    func changing(_ members: [LeaseMember]) -> Set<Int64> {
        var trial = self
        var found: Set<Int64> = []
        for member in members {
            for ask in member.word.request.asks {
                guard let id = trial.accounts[ask.account]?.id, !found.contains(id), var lease = member.leases[id]
                else { continue }
                let sharers = trial.sums[id]?.sharers
                trial.sums[id]?.sharers.renew(lease.state, renewedAt: lease.renewedAt, now: trial.now)
                let before = lease.state.held
                let frozen = trial.frozen.count
                _ = trial.decide(ask, of: member, &lease.state)
                let after = trial.sums[id]?.sharers
                if lease.state.held != before || trial.frozen.count != frozen || after != sharers
                    || after?.isDue(now: trial.now) ?? false
                {
                    found.insert(id)
                }
            }
        }
        return found
    }

    /// Holds accounts, and goes by what is stored of them from now on.
    mutating func lock(_ accounts: [Int64], _ tx: inout Transaction) throws {
        self.stored = try LeaseSums.lock(accounts, &tx)
        self.sums.merge(self.stored) { $1 }
    }

    /// Counts the gateways that share the member's accounts, as far as that is due: of accounts that requests wait for
    /// first, then of those that were not counted for the longest time.
    mutating func count(_ member: LeaseMember, among members: [LeaseMember], _ tx: inout Transaction) throws {
        let gateway = member.word.caller.id
        var due: [(id: Int64, isWaiting: Bool, countedAt: Timestamp)] = []
        for ask in member.word.request.asks {
            guard let id = self.accounts[ask.account]?.id, let lease = member.leases[id], self.stored[id] != nil
            else { continue }
            self.sums[id]?.sharers.renew(lease.state, renewedAt: lease.renewedAt, now: self.now)
            guard let sharers = self.sums[id]?.sharers, sharers.isDue(now: self.now) else { continue }
            due.append((id, ask.need > 0, sharers.countedAt ?? Timestamp(microseconds: 0)))
        }
        due.sort { ($0.isWaiting ? 0 : 1, $0.countedAt, $0.id) < ($1.isWaiting ? 0 : 1, $1.countedAt, $1.id) }
        let ids = due.prefix(LeaseSharers.countsAtOnce).map(\.id)
        let since = self.now.adding(seconds: -LeaseRules.sharingSeconds)
        let counted = try LeaseSums.sharers(of: ids, besides: members.map(\.word.caller), since: since, &tx)
        for id in ids {
            let stored = counted[id] ?? LeaseSums.Stored()
            var among = stored.before
            for other in members {
                let gateway = other.word.caller.id
                // Those that come later are as they are stored, and so are those that ask for other accounts.
                let shares =
                    other.leases[id].map { lease in
                        other.index < member.index
                            ? self.renewed[id]?.contains(gateway) ?? false : lease.sharesSince(since)
                    } ?? stored.same.contains(gateway)
                if shares { among.insert(gateway) }
            }
            among.remove(gateway)
            self.sums[id]?.sharers.counted(others: stored.others + among.count, now: self.now)
        }
    }

    /// Takes in what a member says, and what it gets.
    mutating func decide(
        _ member: LeaseMember
    ) -> (reply: LeaseReply, leases: [(account: Int64, lease: LeaseState)]) {
        var reply = LeaseReply(request: [], grants: [], unsettled: member.unsettled)
        var leases: [(account: Int64, lease: LeaseState)] = []
        for ask in member.word.request.asks {
            guard let id = self.accounts[ask.account]?.id, var lease = member.leases[id]?.state,
                let grant = self.decide(ask, of: member, &lease)
            else {
                var grant = LeaseGrant(account: ask.account)
                grant.granted = ask.granted
                grant.isUnknown = true
                reply.grants.append(grant)
                continue
            }
            if lease.phase == .open { self.renewed[id, default: []].insert(member.word.caller.id) }
            leases.append((id, lease))
            reply.grants.append(grant)
        }
        return (reply, leases)
    }

    private mutating func decide(_ ask: LeaseAsk, of member: LeaseMember, _ lease: inout LeaseState) -> LeaseGrant? {
        guard let terms = self.terms[ask.account.budget], let account = self.accounts[ask.account],
            let sum = self.sums[account.id]
        else { return nil }
        let state = LeaseAccount(
            limit: LeaseRenewal.limit(
                terms.amount, account, increase: self.increases[terms.budget] ?? 0, passed: self.passed[account.id] ?? 0
            ),
            held: sum.held,
            gateways: sum.sharers.count,
            isFrozen: member.word.isFenced || self.isNewHistory || !terms.isHard
                || sum.frozenUntil.map { self.now < $0 } ?? false
        )
        let before = lease.held
        let (grant, showsLoss) = LeaseRules.renew(&lease, ask, sequence: member.word.request.sequence, of: state)
        if showsLoss {
            self.frozen.append(account.id)
            let until = self.now.adding(seconds: LeaseRules.freezeSeconds)
            self.sums[account.id]?.frozenUntil = until
        }
        let change = lease.held - before
        self.held[account.id, default: 0] += change
        // What was cut is not known any more: it stays as much.
        if sum.held < LeaseSums.heldLimit {
            self.sums[account.id]?.held = min(sum.held + change, LeaseSums.heldLimit)
        }
        return grant
    }
}
