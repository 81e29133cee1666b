package import Postgres
package import Shared

/// The part of `POST /dp/v1/leases:renew` that is about rate limits.
package enum ShareRenewal {
    /// Holds what several processes ask for, in one order; a group's.
    static func lock(_ tx: inout Transaction, _ words: [LeaseWord], at now: Timestamp) throws {
        let limits = Set(words.flatMap { $0.request.shares.map(\.limit) })
        guard words.count > 1, !limits.isEmpty else { return }
        let terms = try ShareStore.terms(limits, group: words[0].caller.group, &tx)
        _ = try ShareStore.lock(Array(terms.values), at: now, &tx)
    }

    /// In the transaction of the renewal.
    ///
    /// - Parameter isFrozen: the process gets nothing more.
    package static func renew(
        _ tx: inout Transaction, _ request: LeaseRequest, from caller: GatewayCaller, isFrozen: Bool, now: Timestamp
    ) throws -> [ShareGrant] {
        try ShareStore.close(request.settled.filter { $0 != caller.process }, of: caller.id, &tx)
        guard !request.shares.isEmpty else { return [] }
        let terms = try ShareStore.terms(Set(request.shares.map(\.limit)), group: caller.group, &tx)
        var pools = try ShareStore.lock(Array(terms.values), at: now, &tx)
        let limits = Array(pools.keys)
        let others = try ShareStore.others(of: limits, caller.id, process: caller.process, at: now, &tx)
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
