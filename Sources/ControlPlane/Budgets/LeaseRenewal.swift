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
        let word = LeaseWord(request: request, caller: caller, isFenced: isFenced)
        guard let reply = try Self.renew(&tx, [word], waits: true, now: now)[0] else {
            throw PublishingFailure("a renewal that waits for its leases was left out")
        }
        return reply
    }

    /// What several processes say, as if one renewed after the other in their order; an account that several of them
    /// spend from is held and written once.
    ///
    /// - Parameters:
    ///   - words: of gateways of one group, at most one of each gateway.
    ///   - waits: for leases that are held by usage of their process that is being stored.
    /// - Returns: replies without the hash of their requests; nil for what was left out because it would have to wait.
    package static func renew(
        _ tx: inout Transaction, _ words: [LeaseWord], waits: Bool, now: Timestamp
    ) throws -> [LeaseReply?] {
        guard let group = words.first?.caller.group else { return [] }
        let isNewHistory = try LeaseStore.isFrozenHistory(at: now, &tx)
        for word in words {
            try LeaseStore.close(word.over, of: word.caller.id, &tx)
        }
        let terms = try LeaseStore.terms(
            Set(words.flatMap { $0.request.asks.map(\.account.budget) }), group: group, &tx)
        let charges = Set(words.flatMap { $0.request.asks.map(\.account) }).sorted()
            .filter { Self.isWindow($0, terms[$0.budget], now: now) }
        // What needs no lock on accounts comes first: everybody who spends of the same account waits for the rest. So do
        // the process's own leases, which its usage may hold for as long as a batch takes to be stored.
        let increases = try LeaseStore.increases(of: Array(Set(terms.values.map(\.budget))), at: now, &tx)
        let accounts = try Self.accounts(charges, terms, now: now, &tx)
        let rolling = accounts.values.compactMap { account in
            terms[account.charge.budget]?.rolling.map { (id: account.id, window: $0) }
        }
        let passed = try RollingStore.passed(rolling, at: now, &tx)
        var members: [LeaseMember] = []
        for (index, word) in words.enumerated() {
            let own = word.request.asks.compactMap { accounts[$0.account]?.id }
            guard
                let leases = try LeaseStore.leases(
                    of: own, word.caller.id, process: word.caller.process, at: now, waits: waits, &tx)
            else { continue }
            var member = LeaseMember(index: index, word: word, leases: leases)
            member.unsettled = try LeaseStore.unsettled(word.caller.id, besides: word.caller.process, &tx)
            members.append(member)
        }
        var round = LeaseRound(
            now: now, isNewHistory: isNewHistory, terms: terms, accounts: accounts, increases: increases,
            passed: passed)
        // Most of what is renewed is little used, and nothing of its account changes: that needs no lock. Where something is
        // noted, the sum is only known under it.
        let noted = try LeaseSums.noted(accounts.values.map(\.id), &tx)
        try round.lock(Set(noted).union(round.changing(members)).sorted(), &tx)
        var replies: [LeaseReply?] = Array(repeating: nil, count: words.count)
        for member in members {
            try round.count(member, among: members, &tx)
            let (reply, leases) = round.decide(member)
            replies[member.index] = reply
            let caller = member.word.caller
            try LeaseStore.save(leases, caller.id, process: caller.process, at: now, &tx)
        }
        try LeaseSums.add(round.changes, &tx)
        try LeaseStore.freeze(round.frozen, until: now.adding(seconds: LeaseRules.freezeSeconds), &tx)
        return replies
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
