package import Shared

/// The shortest ways from a subject up to each of its groups.
///
/// Of ways that are equally long it is the one by the lower ids, so that the same facts explain themselves the same.
struct AccessChains {
    /// For each group, the group that led to it; itself where it is the subject's own.
    private var from: [Int32]

    init(_ policy: AccessPolicy, of who: AccessWho) {
        let records = policy.groups.records
        var from = [Int32](repeating: -1, count: records.count)
        var queue: [Int32] = []
        func ordered(_ groups: [Int32]) -> [Int32] {
            groups.filter { records[Int($0)].isActive }
                .sorted { records[Int($0)].subject.id < records[Int($1)].subject.id }
        }
        if who.isGroup {
            from[Int(who.handle)] = who.handle
            queue.append(who.handle)
        } else {
            for group in ordered(policy.actors[who.handle].groups) {
                from[Int(group)] = group
                queue.append(group)
            }
        }
        var next = 0
        while next < queue.count {
            for group in ordered(records[Int(queue[next])].groups) where from[Int(group)] < 0 {
                from[Int(group)] = queue[next]
                queue.append(group)
            }
            next += 1
        }
        self.from = from
    }

    /// The groups on the way to one, itself last.
    func chain(to group: AccessWho, for who: AccessWho, in policy: AccessPolicy) -> [GroupID] {
        guard group.isGroup, group != who else { return [] }
        var chain: [GroupID] = []
        var handle = group.handle
        while handle != who.handle || !who.isGroup {
            chain.append(GroupID(policy.groups[handle].subject.id))
            if self.from[Int(handle)] == handle || self.from[Int(handle)] < 0 { break }
            handle = self.from[Int(handle)]
        }
        return chain.reversed()
    }
}

extension AccessPolicy {
    /// As `allows`, with the reasons.
    package func decide(
        _ subject: AccessSubject, _ permission: Permission, along path: AccessPath, at time: Timestamp
    ) -> AccessDecision {
        guard let who = self.active(subject) else {
            let isKnown = self.who(subject).map { self.table(of: $0)[Int($0.handle)].isKnown } ?? false
            return AccessDecision(
                isAllowed: false, standing: isKnown ? .inactive : .unknown, grants: .none, denials: .none,
                roles: self.roles(with: permission), expired: .none, elsewhere: .none)
        }
        let chains = AccessChains(self, of: who)
        let bit = permission.index
        let now = time.microseconds
        let held = self.held(by: who) { self.roles[$0.role].permissions.contains(index: bit) }
        let denials = self.denials(of: who, bit, along: path, now)
        let granting = held.filter { now < $0.expires && path.contains(self.places[$0.place].scope) }
        var expired: [AccessBindingRecord] = []
        var elsewhere: [AccessBindingRecord] = []
        if granting.isEmpty {
            for binding in held {
                let isHere = path.contains(self.places[binding.place].scope)
                if now < binding.expires, !isHere { elsewhere.append(binding) }
                if now >= binding.expires, isHere { expired.append(binding) }
            }
        }
        return AccessDecision(
            isAllowed: !granting.isEmpty && denials.isEmpty, standing: .active,
            grants: AccessList(self.explain(granting, of: who, chains, along: path)),
            denials: AccessList(self.explain(denials, of: who, chains, along: path)),
            roles: granting.isEmpty ? self.roles(with: permission) : .none,
            expired: AccessList(self.explain(expired, of: who, chains, along: path)),
            elsewhere: AccessList(self.explain(elsewhere, of: who, chains, along: path)))
    }

    /// The bindings of an active subject and of its groups that `isMeant`, expired ones too.
    func held(by who: AccessWho, _ isMeant: (AccessBindingRecord) -> Bool) -> [AccessBindingRecord] {
        var held: [AccessBindingRecord] = []
        func take(_ bindings: [Int32]) {
            for handle in bindings {
                let binding = self.bindings[handle]
                if isMeant(binding) { held.append(binding) }
            }
        }
        if !who.isGroup { take(self.actors.records[Int(who.handle)].bindings) }
        self.withGroups(of: who) { groups in
            groups.each { group in
                take(self.groups.records[Int(group)].bindings)
                return true
            }
        }
        return held
    }

    /// How bindings come to a subject, in the order of `AccessDecision.grants`.
    func explain(
        _ bindings: [AccessBindingRecord], of who: AccessWho, _ chains: AccessChains, along path: AccessPath
    ) -> [AccessGrant] {
        bindings.map { self.grant($0, of: who, chains) }.sorted { left, right in
            if left.groups.count != right.groups.count { return left.groups.count < right.groups.count }
            let (leftPosition, rightPosition) = (path.position(of: left.scope), path.position(of: right.scope))
            return leftPosition != rightPosition ? leftPosition < rightPosition : left.binding < right.binding
        }
    }

    func grant(_ binding: AccessBindingRecord, of who: AccessWho, _ chains: AccessChains) -> AccessGrant {
        AccessGrant(
            binding: binding.id, role: self.roles[binding.role].id, scope: self.places[binding.place].scope,
            expiresAt: Self.instant(binding.expires), groups: chains.chain(to: binding.who, for: who, in: self))
    }

    private func denials(of who: AccessWho, _ bit: Int, along path: AccessPath, _ now: Int64) -> [AccessDenialRecord] {
        let places = self.places(along: path)
        var denials: [AccessDenialRecord] = []
        self.withGroups(of: who) { groups in
            for position in 0..<places.count {
                self.places[places[position]].denials.each(who, in: groups) { entry in
                    let denial = self.denials[entry.what]
                    if now < denial.expires, denial.permissions.contains(index: bit) { denials.append(denial) }
                    return true
                }
            }
        }
        return denials
    }

    private func explain(
        _ denials: [AccessDenialRecord], of who: AccessWho, _ chains: AccessChains, along path: AccessPath
    ) -> [AppliedDenial] {
        denials.map { denial in
            AppliedDenial(
                rule: denial.id, scope: self.places[denial.place].scope, expiresAt: Self.instant(denial.expires),
                isForEverybody: denial.who.isEverybody, groups: chains.chain(to: denial.who, for: who, in: self))
        }.sorted { left, right in
            let (leftPosition, rightPosition) = (path.position(of: left.scope), path.position(of: right.scope))
            return leftPosition != rightPosition ? leftPosition < rightPosition : left.rule < right.rule
        }
    }

    private func roles(with permission: Permission) -> AccessList<RoleID> {
        let bit = permission.index
        return AccessList(
            self.roles.all.map { self.roles[$0] }.filter { $0.permissions.contains(index: bit) }.map(\.id).sorted())
    }

    private static func instant(_ expires: Int64) -> Timestamp? {
        expires == .max ? nil : Timestamp(microseconds: expires)
    }
}

extension AccessPath {
    /// From 0, the innermost; beyond all others when it is not in the path.
    fileprivate func position(of scope: AccessScope) -> Int {
        guard case .node(let node) = scope else { return self.count }
        for position in 0..<self.count where self[position] == node { return position }
        return self.count + 1
    }
}
