import Shared

extension AccessPolicy {
    /// Takes facts in: in any order, and any of them again.
    ///
    /// A fact holds until another of the same thing: a node, a subject, one membership, a role, a binding, … What speaks of
    /// something that is not there says nothing until it is: removing a group leaves its memberships and bindings, which
    /// have facts of their own.
    package mutating func apply(_ facts: [AccessFact]) {
        for fact in facts { self.apply(fact) }
    }

    package mutating func apply(_ fact: AccessFact) {
        switch fact {
        case .node(let id, let parent): self.set(node: id, parent: parent)
        case .removedNode(let id): self.removeNode(id)
        case .subject(let subject, let isActive):
            self.modify(self.ensure(subject)) { party in
                party.isKnown = true
                party.isActive = isActive
            }
        case .removedSubject(let subject):
            guard let who = self.who(subject) else { return }
            self.modify(who) { party in
                party.isKnown = false
                party.isActive = false
            }
        case .member(let subject, let group, true): self.add(subject, to: group)
        case .member(let subject, let group, false): self.take(subject, from: group)
        case .role(let id, let permissions):
            let handle = self.roles.handle(of: id, orInsert: AccessRole(id))
            self.roles[handle].permissions = permissions
            self.roles[handle].isKnown = true
        case .removedRole(let id):
            guard let handle = self.roles.handle(of: id) else { return }
            self.roles[handle].permissions = PermissionSet()
            self.roles[handle].isKnown = false
            self.release(role: handle)
        case .binding(let binding): self.set(binding)
        case .removedBinding(let id): self.remove(id)
        case .denial(let denial): self.set(denial)
        case .removedDenial(let id): self.remove(id)
        case .separation(let separation): self.separations[separation.id] = separation
        case .removedSeparation(let id): self.separations[id] = nil
        }
    }

    // MARK: The scope tree

    private mutating func set(node: NodeID, parent: NodeID?) {
        let handle = self.ensure(.node(node))
        let above = self.ensure(parent.map { .node($0) } ?? .instance)
        let before = self.places[handle].parent
        if !self.places[handle].isKnown {
            self.places[handle].isKnown = true
            self.nodeCount += 1
        } else if before == above {
            return
        } else {
            self.places[before].children -= 1
        }
        self.places[handle].parent = above
        self.places[above].children += 1
        self.release(place: before)
    }

    private mutating func removeNode(_ node: NodeID) {
        guard let handle = self.places.handle(of: .node(node)), self.places[handle].isKnown else { return }
        let above = self.places[handle].parent
        self.places[handle].isKnown = false
        self.places[handle].parent = Self.instance
        self.nodeCount -= 1
        self.places[above].children -= 1
        if above != handle { self.release(place: above) }
        self.release(place: handle)
    }

    private mutating func ensure(_ scope: AccessScope) -> Int32 {
        self.places.handle(of: scope, orInsert: AccessPlace(scope))
    }

    private mutating func release(place handle: Int32) {
        guard handle != Self.instance, self.places[handle].isNeedless else { return }
        self.places.remove(self.places[handle].scope, leaving: AccessPlace(.instance))
    }

    // MARK: Subjects

    private mutating func ensure(_ subject: AccessSubject) -> AccessWho {
        guard let key = AccessActorKey(subject) else {
            return AccessWho(group: self.groups.handle(of: subject.id, orInsert: AccessParty(subject)))
        }
        return AccessWho(actor: self.actors.handle(of: key, orInsert: AccessParty(subject)))
    }

    private mutating func modify(_ who: AccessWho, _ change: (inout AccessParty) -> Void) {
        if who.isEverybody { return }
        if who.isGroup {
            change(&self.groups[who.handle])
            guard self.groups[who.handle].isNeedless else { return }
            let subject = self.groups[who.handle].subject
            // A handle that is free is looked at with the others: what lies there is not active and holds nothing.
            self.groups.remove(subject.id, leaving: AccessParty(subject))
        } else {
            change(&self.actors[who.handle])
            guard self.actors[who.handle].isNeedless else { return }
            let subject = self.actors[who.handle].subject
            guard let key = AccessActorKey(subject) else { return }
            self.actors.remove(key, leaving: AccessParty(subject))
        }
    }

    private mutating func add(_ subject: AccessSubject, to group: GroupID) {
        let member = self.ensure(subject)
        let above = self.ensure(AccessSubject(group))
        guard !self.isMember(member, of: above.handle) else { return }
        self.modify(member) { $0.groups.append(above.handle) }
        self.modify(above) { $0.members.append(member) }
    }

    private mutating func take(_ subject: AccessSubject, from group: GroupID) {
        guard let member = self.who(subject), let above = self.who(AccessSubject(group)),
            self.isMember(member, of: above.handle)
        else { return }
        // The group first: where it is its own member it must not be released in between.
        self.modify(above) { $0.members.forget(member) }
        self.modify(member) { $0.groups.forget(above.handle) }
    }

    func isMember(_ member: AccessWho, of group: Int32) -> Bool {
        self.table(of: member)[Int(member.handle)].groups.contains(group)
    }

    // MARK: Bindings and deny rules

    private mutating func release(role handle: Int32) {
        guard self.roles[handle].isNeedless else { return }
        let id = self.roles[handle].id
        self.roles.remove(id, leaving: AccessRole(id))
    }

    private mutating func set(_ binding: AccessBinding) {
        let expires = binding.expiresAt?.microseconds ?? .max
        if let handle = self.bindings.handle(of: binding.id) {
            let before = self.bindings[handle]
            if before.expires == expires, self.subject(before.who) == binding.subject,
                self.roles[before.role].id == binding.role, self.places[before.place].scope == binding.scope
            {
                return
            }
            self.remove(binding.id)
        }
        let who = self.ensure(binding.subject)
        let role = self.roles.handle(of: binding.role, orInsert: AccessRole(binding.role))
        let place = self.ensure(binding.scope)
        let handle = self.bindings.insert(
            binding.id, AccessBindingRecord(id: binding.id, who: who, role: role, place: place, expires: expires))
        self.roles[role].bindings += 1
        self.places[place].grants.insert(.init(who: who, what: role, source: handle, expires: expires))
        self.modify(who) { $0.bindings.append(handle) }
    }

    private mutating func remove(_ id: BindingID) {
        guard let handle = self.bindings.handle(of: id) else { return }
        let binding = self.bindings[handle]
        self.bindings.remove(id, leaving: .blank)
        self.places[binding.place].grants.remove(source: handle, of: binding.who)
        self.release(place: binding.place)
        self.roles[binding.role].bindings -= 1
        self.release(role: binding.role)
        self.modify(binding.who) { $0.bindings.forget(handle) }
    }

    private mutating func set(_ denial: AccessDenial) {
        self.remove(denial.id)
        let who = denial.subject.map { self.ensure($0) } ?? .everybody
        let place = self.ensure(denial.scope)
        let expires = denial.expiresAt?.microseconds ?? .max
        let handle = self.denials.insert(
            denial.id,
            AccessDenialRecord(
                id: denial.id, who: who, permissions: denial.permissions, place: place, expires: expires))
        self.places[place].denials.insert(.init(who: who, what: handle, source: handle, expires: expires))
        self.modify(who) { $0.denials.append(handle) }
    }

    private mutating func remove(_ id: DenyRuleID) {
        guard let handle = self.denials.handle(of: id) else { return }
        let denial = self.denials[handle]
        self.denials.remove(id, leaving: .blank)
        self.places[denial.place].denials.remove(source: handle, of: denial.who)
        self.release(place: denial.place)
        self.modify(denial.who) { $0.denials.forget(handle) }
    }
}

extension Array where Element: Equatable {
    /// Takes one out; the last comes into its place.
    fileprivate mutating func forget(_ element: Element) {
        guard let position = self.lastIndex(of: element) else { return }
        self[position] = self[self.count - 1]
        self.removeLast()
    }
}
