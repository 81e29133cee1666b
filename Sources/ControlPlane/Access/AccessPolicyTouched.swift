import Shared

/// Whom facts can concern, and the scopes at which what they change begins.
struct AccessTouched {
    /// Users and service accounts that are active before or after, by their ids.
    let actors: [AccessActorKey]
    /// A change begins at one of these, or under it where a deny rule or binding that stays is uncovered.
    let scopes: Set<AccessScope>
    /// Nodes among them that come under another one.
    let moved: Set<AccessScope>
    /// Whether deny rules come, go, or begin or cease to be somebody's.
    let hasDenials: Bool
    /// Where deny rules for everybody are, before or after.
    let everybodysScopes: Set<AccessScope>

    init(before: AccessPolicy, after: AccessPolicy, facts: [AccessFact]) {
        var old = AccessTouchedSide(before)
        var new = AccessTouchedSide(after)
        var moved: Set<AccessScope> = []
        for fact in facts {
            switch fact {
            case .node(let node, _), .removedNode(let node):
                guard let from = before.path(to: node), let to = after.path(to: node), from != to,
                    moved.insert(.node(node)).inserted
                else { continue }
                old.note(from, but: to)
                new.note(to, but: from)
            default:
                old.note(fact)
                new.note(fact)
            }
        }
        self.moved = moved
        self.scopes = old.scopes.union(new.scopes).union(moved)
        self.hasDenials = old.hasDenials || new.hasDenials
        self.everybodysScopes = before.everybodysScopes.union(after.everybodysScopes)
        if old.isEverybody || new.isEverybody {
            self.actors = Set(before.actors.keys).union(after.actors.keys).sorted()
        } else {
            self.actors = Set(old.keys()).union(new.keys()).sorted()
        }
    }
}

/// What one side of a comparison, before or after, says of facts.
private struct AccessTouchedSide {
    private let policy: AccessPolicy
    private var actors: AccessActors
    private(set) var scopes: Set<AccessScope> = []
    private(set) var hasDenials = false
    private(set) var isEverybody = false

    init(_ policy: AccessPolicy) {
        self.policy = policy
        self.actors = AccessActors(policy)
    }

    mutating func note(_ fact: AccessFact) {
        switch fact {
        case .node, .removedNode, .separation, .removedSeparation: break
        case .subject(let subject, _), .removedSubject(let subject):
            guard let who = self.policy.who(subject) else { return }
            self.note(who)
            self.noteAll(of: subject)
        case .member(let subject, let group, _):
            guard let who = self.policy.who(subject) else { return }
            self.note(who)
            self.noteAll(of: AccessSubject(group))
        case .role(let id, _), .removedRole(let id):
            guard let role = self.policy.roles.handle(of: id) else { return }
            for handle in self.policy.bindings.all where self.policy.bindings[handle].role == role {
                self.note(binding: handle)
            }
        case .binding(let binding): self.note(binding.id)
        case .removedBinding(let id): self.note(id)
        case .denial(let denial): self.note(denial.id)
        case .removedDenial(let id): self.note(id)
        }
    }

    /// A node's path, without the scopes that hold for it on the other side too.
    mutating func note(_ path: AccessPath, but other: AccessPath) {
        for position in 0..<path.count where !other.contains(.node(path[position])) {
            guard let handle = self.policy.places.handle(of: .node(path[position])) else { continue }
            for entry in self.policy.places[handle].grants.all { self.note(entry.who) }
            for entry in self.policy.places[handle].denials.all {
                self.note(entry.who)
                self.hasDenials = true
            }
        }
    }

    mutating func keys() -> [AccessActorKey] {
        self.actors.descend(self.policy)
        var keys: [AccessActorKey] = []
        self.actors.each { handle in
            if let key = AccessActorKey(self.policy.actors[handle].subject) { keys.append(key) }
        }
        return keys
    }

    private mutating func note(_ who: AccessWho) {
        if who.isEverybody { self.isEverybody = true } else { self.actors.insert(who, of: self.policy) }
    }

    private mutating func note(_ id: BindingID) {
        if let handle = self.policy.bindings.handle(of: id) { self.note(binding: handle) }
    }

    private mutating func note(binding handle: Int32) {
        self.note(self.policy.bindings[handle].who)
        self.scopes.insert(self.policy.places[self.policy.bindings[handle].place].scope)
    }

    private mutating func note(_ id: DenyRuleID) {
        guard let handle = self.policy.denials.handle(of: id) else { return }
        self.note(self.policy.denials[handle].who)
        self.scopes.insert(self.policy.places[self.policy.denials[handle].place].scope)
        self.hasDenials = true
    }

    /// The scopes of all that is said of an active subject or of its groups.
    private mutating func noteAll(of subject: AccessSubject) {
        guard let who = self.policy.active(subject) else { return }
        if !who.isGroup { self.noteAll(of: self.policy.actors[who.handle]) }
        var groups: [Int32] = []
        self.policy.withGroups(of: who) { above in
            above.each { group in
                groups.append(group)
                return true
            }
        }
        for group in groups { self.noteAll(of: self.policy.groups[group]) }
    }

    private mutating func noteAll(of party: AccessParty) {
        for handle in party.bindings {
            self.scopes.insert(self.policy.places[self.policy.bindings[handle].place].scope)
        }
        for handle in party.denials {
            self.scopes.insert(self.policy.places[self.policy.denials[handle].place].scope)
            self.hasDenials = true
        }
    }
}

extension AccessPolicy {
    /// Where deny rules for everybody are.
    fileprivate var everybodysScopes: Set<AccessScope> {
        Set(
            self.denials.all.lazy.map { self.denials[$0] }.filter(\.who.isEverybody)
                .map { self.places[$0.place].scope })
    }
}
