import ControlPlane
import Shared

/// Whether the reasons that a policy gives are reasons.
struct AccessReasonCheck {
    private let policy: AccessPolicy
    private let reference: ReferenceAccess
    private let now: Timestamp

    init(_ policy: AccessPolicy, _ reference: ReferenceAccess, _ now: Timestamp) {
        self.policy = policy
        self.reference = reference
        self.now = now
    }

    /// The verdict, that each reason is one, that none is missing, and that the verdict follows them when they go.
    func checkDecision(
        _ subject: AccessSubject, _ permission: Int, _ place: AccessEvaluation.Place
    ) throws(AccessMismatch) {
        let decision = self.decide(self.policy, subject, permission, place)
        let own = self.reference.own(subject)
        let what = "\(subject) \(self.reference.catalogue[permission]) at \(place.scopes): \(decision)"
        try expectAccess(
            decision.isAllowed == ReferenceAccess.allows(own, permission, place.scopes, self.now), "verdict, \(what)")
        let standing = self.reference.subjects.first { $0.subject == subject }?.isActive
        try expectAccess(
            decision.standing == (standing.map { $0 ? .active : .inactive } ?? .unknown), "standing, \(what)")

        let bindings = own.bindings.filter { $0.role?[permission] == true }.map(\.fact)
        let granting = bindings.filter { place.scopes.contains($0.scope) && self.holds($0) }
        try self.checkList(decision.grants, granting, subject, what)
        let order = decision.grants.items.map(\.groups.count)
        try expectAccess(order == order.sorted(), "order, \(what)")
        for grant in decision.grants.items { try self.check(grant, of: subject, permission, place.scopes) }
        let isMissing = granting.isEmpty
        try self.checkList(
            decision.expired,
            bindings.filter { isMissing && place.scopes.contains($0.scope) && !self.holds($0) }, subject, what)
        try self.checkList(
            decision.elsewhere,
            bindings.filter { isMissing && !place.scopes.contains($0.scope) && self.holds($0) }, subject, what)
        let roles = isMissing ? self.reference.roles.filter { $0.permissions[permission] }.map(\.id).sorted() : []
        try expectAccess(decision.roles.items == roles && decision.roles.count == roles.count, "roles, \(what)")

        let denials = ReferenceAccess.denials(own, permission, place.scopes, self.now)
        try expectAccess(
            decision.denials.items.map(\.rule).sorted() == denials.map(\.id).sorted()
                && decision.denials.count == denials.count, "denials, \(what)")
        for denial in decision.denials.items { try self.check(denial, of: subject) }
        try self.checkConsequences(decision, subject, permission, place)
    }

    /// With the named denials gone it is allowed if something grants it; with the named grants gone it is not.
    private func checkConsequences(
        _ decision: AccessDecision, _ subject: AccessSubject, _ permission: Int, _ place: AccessEvaluation.Place
    ) throws(AccessMismatch) {
        var without = self.policy
        guard decision.denials.count == decision.denials.items.count else { return }
        for (position, denial) in decision.denials.items.enumerated() {
            without.apply(.removedDenial(denial.rule))
            let isLast = position == decision.denials.items.count - 1
            try expectAccess(
                self.decide(without, subject, permission, place).isAllowed == (isLast && !decision.grants.isEmpty),
                "without denials to \(denial)")
        }
        guard decision.grants.count == decision.grants.items.count else { return }
        for (position, grant) in decision.grants.items.enumerated() {
            without.apply(.removedBinding(grant.binding))
            let isLast = position == decision.grants.items.count - 1
            try expectAccess(
                self.decide(without, subject, permission, place).isAllowed == !isLast, "without grants to \(grant)")
        }
    }

    private func decide(
        _ policy: AccessPolicy, _ subject: AccessSubject, _ permission: Int, _ place: AccessEvaluation.Place
    ) -> AccessDecision {
        policy.decide(subject, self.reference.catalogue[permission], along: place.path, at: self.now)
    }

    private func holds(_ binding: AccessBinding) -> Bool { ReferenceAccess.holds(binding.expiresAt, self.now) }

    private func checkList(
        _ list: AccessList<AccessGrant>, _ expected: [AccessBinding], _ subject: AccessSubject, _ what: String
    ) throws(AccessMismatch) {
        try expectAccess(list.count == expected.count, "\(list.count) bindings of \(expected.count), \(what)")
        let ids = Set(expected.map(\.id))
        try expectAccess(
            list.items.count == min(list.count, 100) && list.items.allSatisfy { ids.contains($0.binding) },
            "bindings, \(what)")
        for grant in list.items { try self.checkChain(grant.groups, from: subject, to: self.binding(grant)?.subject) }
    }

    /// That a binding grants something, by a chain of memberships than which none is shorter.
    func check(
        _ grant: AccessGrant, of subject: AccessSubject, _ permission: Int, _ scopes: [AccessScope]
    ) throws(AccessMismatch) {
        guard let binding = self.binding(grant) else { throw AccessMismatch("no binding is \(grant)") }
        let role = self.reference.roles.first { $0.id == binding.role }
        try expectAccess(
            role?.permissions[permission] == true && self.holds(binding) && scopes.contains(binding.scope),
            "\(grant) does not grant it")
        try self.checkChain(grant.groups, from: subject, to: binding.subject)
    }

    private func binding(_ grant: AccessGrant) -> AccessBinding? {
        self.reference.bindings.map(\.fact).first {
            $0.id == grant.binding && $0.role == grant.role && $0.scope == grant.scope
                && $0.expiresAt == grant.expiresAt
        }
    }

    private func check(_ denial: AppliedDenial, of subject: AccessSubject) throws(AccessMismatch) {
        let fact = self.reference.denials.map(\.fact).first {
            $0.id == denial.rule && $0.scope == denial.scope && $0.expiresAt == denial.expiresAt
        }
        guard let fact, denial.isForEverybody == (fact.subject == nil) else { throw AccessMismatch("\(denial)") }
        try self.checkChain(denial.groups, from: subject, to: fact.subject ?? subject)
    }

    private func checkChain(
        _ chain: [GroupID], from subject: AccessSubject, to end: AccessSubject?
    ) throws(AccessMismatch) {
        var member = subject
        for group in chain {
            try expectAccess(
                self.reference.members.contains { $0.member == member && $0.group == group }
                    && self.reference.isActive(AccessSubject(group)), "\(member) is not in \(group)")
            member = AccessSubject(group)
        }
        let shortest = self.reference.reach(up: subject).first { $0.subject == end }?.distance
        try expectAccess(member == end && shortest == chain.count, "chain \(chain) from \(subject)")
    }

    // MARK: Separations of duties

    /// How many there are.
    func checkConflicts(of subject: AccessSubject) throws(AccessMismatch) -> Int {
        let conflicts = self.policy.conflicts(of: subject, at: self.now)
        let expected = self.reference.conflicts(of: subject, self.now)
        try expectAccess(
            conflicts.map(\.separation) == expected, "conflicts of \(subject): \(conflicts), not \(expected)")
        for conflict in conflicts {
            guard let separation = self.reference.separations.first(where: { $0.fact.id == conflict.separation }),
                let first = self.reference.bindings.first(where: { $0.fact.id == conflict.first.binding }),
                let second = self.reference.bindings.first(where: { $0.fact.id == conflict.second.binding }),
                self.holds(first.fact), self.holds(second.fact)
            else { throw AccessMismatch("no bindings are \(conflict)") }
            try expectAccess(self.reference.isConflict(separation.fact, first, second), "\(conflict) is none")
            try self.checkChain(conflict.first.groups, from: subject, to: first.fact.subject)
            try self.checkChain(conflict.second.groups, from: subject, to: second.fact.subject)
        }
        return conflicts.count
    }
}
