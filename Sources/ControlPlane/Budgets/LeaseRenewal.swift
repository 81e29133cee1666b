package import Postgres
package import Shared

/// `POST /dp/v1/leases:renew`: one process of a gateway says what it spent and holds, and gets money.
package enum LeaseRenewal {
    /// Seconds ahead of the control plane's clock that a window may begin at: gateways go by its signed time.
    private static let windowAhead: Int64 = 120

    /// In one transaction: either all is as the reply says, or nothing changed.
    ///
    /// - Parameter isFenced: the process gets nothing.
    /// - Returns: a reply without the hash of its request.
    package static func renew(
        _ tx: inout Transaction, _ request: LeaseRequest, from caller: GatewayCaller, isFenced: Bool, now: Timestamp
    ) throws -> LeaseReply {
        let isNewHistory = try LeaseStore.isFrozenHistory(at: now, &tx)
        try LeaseStore.close(request.settled.filter { $0 != caller.process }, of: caller.id, &tx)
        var reply = LeaseReply(request: [], grants: [])
        let terms = try LeaseStore.terms(Set(request.asks.map(\.account.budget)), group: caller.group, &tx)
        let known = request.asks.filter { Self.isWindow($0.account, terms[$0.account.budget], now: now) }
        // What needs no lock on accounts comes first: everybody who spends of the same account waits for the rest. So do
        // the process's own leases, which its usage may hold for as long as a batch takes to be stored.
        let increases = try LeaseStore.increases(of: Array(Set(terms.values.map(\.budget))), at: now, &tx)
        reply.unsettled = try LeaseStore.unsettled(caller.id, besides: caller.process, &tx)
        let accounts = try Self.accounts(known.map(\.account), terms, now: now, &tx)
        let ids = accounts.values.map(\.id)
        let rolling = accounts.values.compactMap { account in
            terms[account.charge.budget]?.rolling.map { (id: account.id, window: $0) }
        }
        let passed = try RollingStore.passed(rolling, at: now, &tx)
        let leases = try LeaseStore.leases(of: ids, caller.id, process: caller.process, at: now, &tx)
        let stored = try LeaseSums.lock(ids, &tx)
        var sums = stored
        for (id, lease) in leases { sums[id]?.sharers.renew(lease.state, renewedAt: lease.renewedAt, now: now) }
        let due = Self.due(known, accounts, sums, now: now)
        let others = try LeaseSums.others(
            of: due, besides: caller.id, since: now.adding(seconds: -LeaseRules.sharingSeconds), &tx)
        for id in due { sums[id]?.sharers.counted(others: others[id] ?? 0, now: now) }
        var changed: [(account: Int64, lease: LeaseState)] = []
        var changes: [LeaseSums.Change] = []
        var frozen: [Int64] = []
        for ask in request.asks {
            guard let terms = terms[ask.account.budget], let account = accounts[ask.account],
                var lease = leases[account.id]?.state, let sum = sums[account.id]
            else {
                var grant = LeaseGrant(account: ask.account)
                grant.granted = ask.granted
                grant.isUnknown = true
                reply.grants.append(grant)
                continue
            }
            let state = LeaseAccount(
                limit: Self.limit(
                    terms.amount, account, increase: increases[terms.budget] ?? 0, passed: passed[account.id] ?? 0),
                held: sum.held,
                gateways: sum.sharers.count,
                isFrozen: isFenced || isNewHistory || !terms.isHard || sum.frozenUntil.map { now < $0 } ?? false
            )
            let before = lease.held
            let (grant, showsLoss) = LeaseRules.renew(&lease, ask, sequence: request.sequence, of: state)
            if showsLoss { frozen.append(account.id) }
            changed.append((account.id, lease))
            if lease.held != before || sum.sharers != stored[account.id]?.sharers {
                changes.append(.init(account: account.id, held: lease.held - before, sharers: sum.sharers))
            }
            reply.grants.append(grant)
        }
        try LeaseStore.save(changed, caller.id, process: caller.process, at: now, &tx)
        try LeaseSums.add(changes, &tx)
        try LeaseStore.freeze(frozen, until: now.adding(seconds: LeaseRules.freezeSeconds), &tx)
        return reply
    }

    /// The accounts of which gateways are to be counted now: those that requests wait for, then those that were not for
    /// the longest time.
    private static func due(
        _ asks: [LeaseAsk], _ accounts: [Charge: LeaseStore.Account], _ sums: [Int64: LeaseSums.Sum], now: Timestamp
    ) -> [Int64] {
        var due: [(id: Int64, isWaiting: Bool, countedAt: Timestamp)] = []
        for ask in asks {
            guard let id = accounts[ask.account]?.id, let sharers = sums[id]?.sharers, sharers.isDue(now: now) else {
                continue
            }
            due.append((id, ask.need > 0, sharers.countedAt ?? Timestamp(microseconds: 0)))
        }
        due.sort { ($0.isWaiting ? 0 : 1, $0.countedAt, $0.id) < ($1.isWaiting ? 0 : 1, $1.countedAt, $1.id) }
        return due.prefix(LeaseSharers.countsAtOnce).map(\.id)
    }

    /// What leases of an account may hold together.
    ///
    /// - Parameter passed: of a rolling budget, what had been spent when its window began.
    static func limit(_ amount: Int64, _ account: LeaseStore.Account, increase: Int64, passed: Int64) -> Int64 {
        // Each is at most a billion dollars, or a sum that was counted in 64 bits.
        let limit =
            NanoUSD(amount).addingSaturating(NanoUSD(increase)).addingSaturating(NanoUSD(account.carried))
            .addingSaturating(NanoUSD(passed)).amount - min(account.spentBefore, LeaseRequest.amountLimit)
        // What is held counts up to there.
        return min(limit, RollingWindow.settledLimit)
    }

    /// Whether a charge names a window that its budget has, and that has begun.
    static func isWindow(_ charge: Charge, _ terms: LeaseStore.Terms?, now: Timestamp) -> Bool {
        guard let terms else { return false }
        let start = Timestamp(microseconds: Int64(charge.startMinute) * 60_000_000)
        return start <= now.adding(seconds: Self.windowAhead)
            && BudgetWindow.containing(start, terms.period, in: terms.zone).startMinute == charge.startMinute
    }

    /// The accounts of charges, opened where they are new.
    private static func accounts(
        _ charges: [Charge], _ terms: [UInt32: LeaseStore.Terms], now: Timestamp, _ tx: inout Transaction
    ) throws -> [Charge: LeaseStore.Account] {
        let accounts = try LeaseStore.accounts(charges, &tx)
        let missing = charges.filter { accounts[$0] == nil }
        guard !missing.isEmpty else { return accounts }
        var openings: [LeaseStore.Opening] = []
        for charge in missing.sorted() {
            guard let terms = terms[charge.budget] else { continue }
            if let rolling = terms.rolling {
                // In the order of accounts, whoever opens them: two that need the same ones do not wait for each other.
                try LeaseStore.open(openings, at: now, &tx)
                openings = []
                try RollingStore.open(terms.budget, rolling, at: now, &tx)
                continue
            }
            openings.append(try Self.opening(charge, terms, &tx))
        }
        try LeaseStore.open(openings, at: now, &tx)
        return try LeaseStore.accounts(charges, &tx)
    }

    /// What an account begins with: what was spent in its window before there was a budget, and what the window before
    /// left over.
    static func opening(
        _ charge: Charge, _ terms: LeaseStore.Terms, _ tx: inout Transaction
    ) throws -> LeaseStore.Opening {
        let start = Timestamp(microseconds: Int64(charge.startMinute) * 60_000_000)
        var opening = LeaseStore.Opening(charge: charge, terms: terms)
        if terms.period != .total, start < terms.createdAt {
            opening.spentBefore = try BudgetSpending.spent(by: terms.budget, from: start, &tx)
        }
        if terms.carriesOver { opening.carried = try Self.leftOver(before: charge, terms, &tx) }
        return opening
    }

    /// What the window before left over for certain: its limit less everything that leases of it hold; at most the
    /// amount once.
    private static func leftOver(
        before charge: Charge, _ terms: LeaseStore.Terms, _ tx: inout Transaction
    ) throws -> Int64 {
        guard charge.startMinute > 0, terms.period != .total else { return 0 }
        let instant = Timestamp(microseconds: Int64(charge.startMinute) * 60_000_000 - 1)
        let window = BudgetWindow.containing(instant, terms.period, in: terms.zone)
        guard terms.createdAt.microseconds < Int64(charge.startMinute) * 60_000_000 else { return 0 }
        let row = try tx.queryOne(
            """
            select a.carried, a.spent_before, least(a.held + coalesce(
                (select sum(c.amount) from budget_held_change c where c.account_id = a.id), 0),
                2305843009213693952)::bigint as held
            from budget_account a where a.budget_id = $1 and a.start_minute = $2
            """, terms.budget, Int64(window.startMinute)
        )
        // Without an account nothing was charged to it.
        guard let row else { return terms.amount }
        let limit = NanoUSD(terms.amount).addingSaturating(try row.get("carried"))
        let gone = try row.get("spent_before", as: NanoUSD.self).addingSaturating(try row.get("held"))
        return min(terms.amount, max(0, limit.amount - gone.amount))
    }
}
