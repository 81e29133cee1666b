import Shared

/// Whom facts can concern, which permissions, which ways, and the scopes at which what they change begins.
struct AccessTouched {
    /// Users and service accounts that are active before or after, by their ids.
    private(set) var actors: [AccessActorKey] = []
    /// A change begins at one of these, or under it where a deny rule or binding that stays is uncovered.
    private(set) var scopes: Set<AccessScope> = []
    /// Nodes among them that come under another one.
    private(set) var moved: Set<AccessScope> = []
    private(set) var permissions = PermissionSet()
    /// Which ways anybody's permissions can change.
    private(set) var direction = AccessDirection()
    /// Whether deny rules come, go, or begin or cease to be somebody's.
    private(set) var hasDenials = false
    /// Where deny rules for everybody are, before or after.
    let everybodysScopes: Set<AccessScope>

    init(before: AccessPolicy, after: AccessPolicy, facts: [AccessFact], now: Int64) {
        self.everybodysScopes = before.everybodysScopes.union(after.everybodysScopes)
        var old = AccessTouchedSide(before, now)
        var new = AccessTouchedSide(after, now)
        for fact in facts {
            switch fact {
            case .node(let id, _), .removedNode(let id): self.note(id, &old, &new)
            case .subject(let subject, _), .removedSubject(let subject): Self.note(subject, &old, &new)
            case .member(let subject, let group, _):
                let isMember = (before.isMember(subject, of: group), after.isMember(subject, of: group))
                if isMember.0, !isMember.1 { old.note(subject, in: group) }
                if isMember.1, !isMember.0 { new.note(subject, in: group) }
            case .role(let id, _), .removedRole(let id): self.note(id, &old, &new)
            case .binding(let binding): Self.note(binding.id, &old, &new)
            case .removedBinding(let id): Self.note(id, &old, &new)
            case .denial(let denial): Self.note(denial.id, &old, &new)
            case .removedDenial(let id): Self.note(id, &old, &new)
            case .separation, .removedSeparation: break
            }
        }
        self.finish(&old, &new)
    }

    private mutating func finish(_ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide) {
        self.scopes.formUnion(old.scopes)
        self.scopes.formUnion(new.scopes)
        self.permissions = self.permissions.union(old.permissions).union(new.permissions)
        self.hasDenials = self.hasDenials || old.hasDenials || new.hasDenials
        if old.hasGrants || new.hasDenials { self.direction.loses = true }
        if new.hasGrants || old.hasDenials { self.direction.gains = true }
        if old.isEverybody || new.isEverybody {
            self.actors = Set(old.policy.actors.keys).union(new.policy.actors.keys).sorted()
        } else {
            self.actors = Set(old.keys()).union(new.keys()).sorted()
        }
    }

    /// A node that is there before and after and comes under another one.
    private mutating func note(_ node: NodeID, _ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide) {
        guard let from = old.policy.path(to: node), let to = new.policy.path(to: node), from != to,
            self.moved.insert(.node(node)).inserted
        else { return }
        self.scopes.insert(.node(node))
        old.note(from, but: to)
        new.note(to, but: from)
    }

    /// A subject that begins or ceases to be active.
    private static func note(
        _ subject: AccessSubject, _ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide
    ) {
        let isActive = (old.policy.active(subject) != nil, new.policy.active(subject) != nil)
        if isActive.0, !isActive.1 { old.note(subject) }
        if isActive.1, !isActive.0 { new.note(subject) }
    }

    private mutating func note(_ id: RoleID, _ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide) {
        let had = old.policy.permissions(of: id)
        let has = new.policy.permissions(of: id)
        old.note(id, losing: had.subtracting(has))
        new.note(id, losing: has.subtracting(had))
        // Who holds it on one side only is noted there for another fact.
    }

    private static func note(_ id: BindingID, _ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide) {
        let (had, has) = (old.claim(id), new.claim(id))
        if let had { old.note(grant: had, had.beyond(has)) }
        if let has { new.note(grant: has, has.beyond(had)) }
    }

    private static func note(_ id: DenyRuleID, _ old: inout AccessTouchedSide, _ new: inout AccessTouchedSide) {
        let (had, has) = (old.claim(id), new.claim(id))
        if let had { old.note(denial: had, had.beyond(has)) }
        if let has { new.note(denial: has, has.beyond(had)) }
    }
}
