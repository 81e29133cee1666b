import Shared

extension AccessPolicy {
    /// What bindings allow a subject, its groups' with its own; those of a group are also those of groups that it is in.
    ///
    /// None for a subject that is not active. Deny rules are not looked at.
    func grants(of subject: AccessSubject, at time: Timestamp) -> [AccessGrant] {
        guard let who = self.active(subject) else { return [] }
        let now = time.microseconds
        let held = self.held(by: who) { now < $0.expires }.sorted { $0.id < $1.id }
        guard !held.isEmpty else { return [] }
        let ways = AccessChains(self, of: who)
        return held.map { self.grant($0, of: who, ways) }
    }

    /// A deny rule; nil when there is none.
    func denial(_ rule: DenyRuleID) -> (permissions: PermissionSet, scope: AccessScope)? {
        self.denials.handle(of: rule).map { (self.denials[$0].permissions, self.places[self.denials[$0].place].scope) }
    }

    /// What deny rules for a subject or its groups take away; those for everybody too, or apart from them.
    func denials(
        of subject: AccessSubject, withEverybodys: Bool = false, at time: Timestamp
    ) -> [(permissions: PermissionSet, scope: AccessScope)] {
        guard let who = self.active(subject) else { return [] }
        let now = time.microseconds
        return self.withGroups(of: who) { groups in
            self.denials.all.lazy.map { self.denials[$0] }
                .filter { rule in
                    guard now < rule.expires else { return false }
                    if rule.who.isEverybody { return withEverybodys }
                    return rule.who == who || (rule.who.isGroup && groups.contains(rule.who))
                }
                .map { ($0.permissions, self.places[$0.place].scope) }
        }
    }

    /// Users and service accounts that would come into conflict with a separation of duties that they are not in conflict
    /// with now.
    ///
    /// - Parameter limit: of those that are named.
    func newConflicts(
        after: AccessPolicy, at time: Timestamp, limit: Int
    ) -> [(subject: AccessSubject, conflict: AccessConflict)] {
        guard !after.separations.isEmpty else { return [] }
        var found: [(AccessSubject, AccessConflict)] = []
        for party in after.actors.records where party.isActive {
            let conflicts = after.conflicts(of: party.subject, at: time)
            guard !conflicts.isEmpty else { continue }
            let known = Set(self.conflicts(of: party.subject, at: time).map(\.separation))
            found += conflicts.filter { !known.contains($0.separation) }.map { (party.subject, $0) }
            if found.count >= limit { break }
        }
        return found
    }
}
