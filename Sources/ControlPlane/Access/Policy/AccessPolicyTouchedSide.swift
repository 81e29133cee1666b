import Shared

/// What one side of a comparison, before or after facts, has that the other has not.
struct AccessTouchedSide {
    /// What a binding or deny rule says while it holds.
    struct Claim {
        let who: AccessWho
        /// Nil for everybody.
        let subject: AccessSubject?
        let scope: AccessScope
        let permissions: PermissionSet

        /// What it says that the same one on the other side does not.
        func beyond(_ other: Claim?) -> PermissionSet {
            guard let other, other.subject == self.subject, other.scope == self.scope else { return self.permissions }
            return self.permissions.subtracting(other.permissions)
        }
    }

    let policy: AccessPolicy
    private let now: Int64
    private var actors: AccessActors
    private(set) var scopes: Set<AccessScope> = []
    private(set) var permissions = PermissionSet()
    private(set) var hasGrants = false
    private(set) var hasDenials = false
    private(set) var isEverybody = false

    init(_ policy: AccessPolicy, _ now: Int64) {
        self.policy = policy
        self.now = now
        self.actors = AccessActors(policy)
    }

    /// Active users and service accounts that it concerns.
    mutating func keys() -> [AccessActorKey] {
        self.actors.descend(self.policy)
        var keys: [AccessActorKey] = []
        self.actors.each { handle in
            if let key = AccessActorKey(self.policy.actors[handle].subject) { keys.append(key) }
        }
        return keys
    }

    func claim(_ id: BindingID) -> Claim? {
        guard let handle = self.policy.bindings.handle(of: id), self.now < self.policy.bindings[handle].expires
        else { return nil }
        let binding = self.policy.bindings[handle]
        return Claim(
            who: binding.who, subject: self.policy.subject(binding.who),
            scope: self.policy.places[binding.place].scope, permissions: self.policy.roles[binding.role].permissions)
    }

    func claim(_ id: DenyRuleID) -> Claim? {
        guard let handle = self.policy.denials.handle(of: id), self.now < self.policy.denials[handle].expires
        else { return nil }
        let denial = self.policy.denials[handle]
        return Claim(
            who: denial.who, subject: denial.who.isEverybody ? nil : self.policy.subject(denial.who),
            scope: self.policy.places[denial.place].scope, permissions: denial.permissions)
    }

    mutating func note(grant: Claim, _ permissions: PermissionSet) {
        if permissions.isEmpty { return }
        self.note(grant.who)
        self.scopes.insert(grant.scope)
        self.permissions = self.permissions.union(permissions)
        self.hasGrants = true
    }

    mutating func note(denial: Claim, _ permissions: PermissionSet) {
        if permissions.isEmpty { return }
        self.note(denial.who)
        self.scopes.insert(denial.scope)
        self.permissions = self.permissions.union(permissions)
        self.hasDenials = true
    }

    /// A role that has permissions which it has not on the other side.
    mutating func note(_ id: RoleID, losing permissions: PermissionSet) {
        guard !permissions.isEmpty, let role = self.policy.roles.handle(of: id) else { return }
        for handle in self.policy.bindings.all where self.policy.bindings[handle].role == role {
            if let claim = self.claim(self.policy.bindings[handle].id) { self.note(grant: claim, permissions) }
        }
    }

    /// A subject that is active on this side only.
    mutating func note(_ subject: AccessSubject) {
        guard let who = self.policy.who(subject) else { return }
        self.note(who)
        self.noteAll(of: who)
    }

    /// A membership that is on this side only.
    mutating func note(_ subject: AccessSubject, in group: GroupID) {
        guard let who = self.policy.who(subject), let above = self.policy.active(AccessSubject(group)) else { return }
        self.note(who)
        self.noteAll(of: above)
    }

    /// A node's path on this side, without the scopes that hold for it on the other side too.
    mutating func note(_ path: AccessPath, but other: AccessPath) {
        for position in 0..<path.count where !other.contains(.node(path[position])) {
            guard let handle = self.policy.places.handle(of: .node(path[position])) else { continue }
            for entry in self.policy.places[handle].grants.all {
                self.note(entry.who)
                self.permissions = self.permissions.union(self.policy.roles[entry.what].permissions)
                self.hasGrants = true
            }
            for entry in self.policy.places[handle].denials.all {
                self.note(entry.who)
                self.permissions = self.permissions.union(self.policy.denials[entry.what].permissions)
                self.hasDenials = true
            }
        }
    }

    private mutating func note(_ who: AccessWho) {
        if who.isEverybody { self.isEverybody = true } else { self.actors.insert(who, of: self.policy) }
    }

    /// All that is said of an active subject or of its groups.
    private mutating func noteAll(of who: AccessWho) {
        var parties: [AccessParty] = who.isGroup ? [] : [self.policy.actors[who.handle]]
        self.policy.withGroups(of: who) { groups in
            groups.each { group in
                parties.append(self.policy.groups[group])
                return true
            }
        }
        for party in parties {
            for handle in party.bindings {
                let binding = self.policy.bindings[handle]
                self.scopes.insert(self.policy.places[binding.place].scope)
                self.permissions = self.permissions.union(self.policy.roles[binding.role].permissions)
                self.hasGrants = true
            }
            for handle in party.denials {
                let denial = self.policy.denials[handle]
                self.scopes.insert(self.policy.places[denial.place].scope)
                self.permissions = self.permissions.union(denial.permissions)
                self.hasDenials = true
            }
        }
    }
}

extension AccessPolicy {
    /// Where deny rules for everybody are.
    var everybodysScopes: Set<AccessScope> {
        Set(
            self.denials.all.lazy.map { self.denials[$0] }.filter(\.who.isEverybody)
                .map { self.places[$0.place].scope })
    }

    /// None for a role that is not there.
    func permissions(of role: RoleID) -> PermissionSet {
        self.roles.handle(of: role).map { self.roles[$0].permissions } ?? PermissionSet()
    }

    func isMember(_ subject: AccessSubject, of group: GroupID) -> Bool {
        guard let member = self.who(subject), let above = self.who(AccessSubject(group)) else { return false }
        return self.isMember(member, of: above.handle)
    }
}
