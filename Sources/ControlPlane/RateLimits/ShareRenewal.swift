package import Postgres
package import Shared

/// The part of `POST /dp/v1/leases:renew` that is about rate limits.
package enum ShareRenewal {
    /// Sets free what processes had that are over, and holds what several ask for, in one order; a group's.
    static func lock(_ tx: inout Transaction, _ words: [LeaseWord], at now: Timestamp) throws {
        let limits = Set(words.flatMap { $0.request.shares.map(\.limit) })
        var left: [RateLimitID: BucketRate] = [:]
        for word in words { left.merge(try ShareStore.limits(of: word.over, of: word.caller.id, &tx)) { $1 } }
        if words.count > 1 && !limits.isEmpty || !left.isEmpty {
            var terms = Array(try ShareStore.terms(limits, group: words[0].caller.group, &tx).values)
            let known = Set(terms.map(\.id))
            terms += left.filter { !known.contains($0.key) }.map { ShareStore.Terms(id: $0.key, rate: $0.value) }
            try self.settle(left, try ShareStore.lock(terms, at: now, &tx), at: now, &tx)
        }
        for word in words { try ShareStore.close(word.over, of: word.caller.id, &tx) }
    }

    /// Lets flow in what did, by the parts that are left until now.
    private static func settle(
        _ rates: [RateLimitID: BucketRate], _ pools: [RateLimitID: SharePool], at now: Timestamp,
        _ tx: inout Transaction
    ) throws {
        guard !rates.isEmpty else { return }
        let others = try ShareStore.others(of: Array(rates.keys), but: nil, at: now, &tx)
        let settled = rates.compactMap { id, rate in
            pools[id].map { pool in
                var pool = pool
                ShareRules.settle(&pool, of: rate, others: others[id] ?? ShareOthers(), now: now)
                return (limit: id, pool: pool)
            }
        }
        try ShareStore.save(settled, &tx)
    }

    /// In the transaction of the renewal.
    ///
    /// - Parameter isFrozen: the process gets nothing more.
    package static func renew(
        _ tx: inout Transaction, _ request: LeaseRequest, from caller: GatewayCaller, isFrozen: Bool, now: Timestamp
    ) throws -> [ShareGrant] {
        guard !request.shares.isEmpty else { return [] }
        let terms = try ShareStore.terms(Set(request.shares.map(\.limit)), group: caller.group, &tx)
        var pools = try ShareStore.lock(Array(terms.values), at: now, &tx)
        let limits = Array(pools.keys)
        let others = try ShareStore.others(of: limits, but: caller, at: now, &tx)
        let states = try ShareStore.states(of: limits, caller.id, process: caller.process, at: now, &tx)
        var changed: [(limit: RateLimitID, state: ShareState)] = []
        var grants: [ShareGrant] = []
        for ask in request.shares {
            guard let terms = terms[ask.limit], var pool = pools[terms.id] else {
                var grant = ShareGrant(limit: ask.limit)
                grant.isUnknown = true
                grants.append(grant)
                continue
            }
            var state = states[terms.id] ?? ShareState()
            grants.append(
                ShareRules.renew(
                    &state, &pool, ask, sequence: request.sequence, of: terms.rate,
                    others: others[terms.id] ?? ShareOthers(), isFrozen: isFrozen, now: now))
            pools[terms.id] = pool
            changed.append((terms.id, state))
        }
        try ShareStore.save(changed, caller.id, process: caller.process, at: now, &tx)
        try ShareStore.save(changed.compactMap { entry in pools[entry.limit].map { (entry.limit, $0) } }, &tx)
        return grants
    }
}
