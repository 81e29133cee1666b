import ControlPlane
import Shared

/// The rule of access over a list of facts, as it is said in words: what `AccessPolicy` is held against.
///
/// It shares no code with it, and looks for everything from the beginning of a list.
struct ReferenceAccess {
    struct Binding {
        let fact: AccessBinding
        /// For each permission of the catalogue, whether its role has it.
        var role: [Bool]?
    }

    /// The permissions that are decided on.
    let catalogue: [Permission]
    /// What holds, in no order.
    private(set) var facts: [AccessFact] = []
    private(set) var nodes: [(id: NodeID, parent: NodeID?)] = []
    private(set) var subjects: [(subject: AccessSubject, isActive: Bool)] = []
    private(set) var members: [(member: AccessSubject, group: GroupID)] = []
    private(set) var roles: [(id: RoleID, permissions: [Bool])] = []
    private(set) var bindings: [Binding] = []
    private(set) var denials: [(fact: AccessDenial, permissions: [Bool])] = []
    private(set) var separations: [(fact: AccessSeparation, first: [Bool], second: [Bool])] = []

    init(_ catalogue: [Permission]) { self.catalogue = catalogue }

    // MARK: Facts

    mutating func apply(_ new: [AccessFact]) {
        for fact in new {
            self.facts.removeAll { Self.isSameThing($0, fact) }
            switch fact {
            case .removedNode, .removedSubject, .removedRole, .removedBinding, .removedDenial, .removedSeparation: break
            case .member(_, _, false): break
            default: self.facts.append(fact)
            }
        }
        self.read()
    }

    private static func isSameThing(_ left: AccessFact, _ right: AccessFact) -> Bool {
        switch (left, right) {
        case (.node(let id, _), .node(let other, _)), (.node(let id, _), .removedNode(let other)): id == other
        case (.subject(let id, _), .subject(let other, _)), (.subject(let id, _), .removedSubject(let other)):
            id == other
        case (.member(let id, let group, _), .member(let other, let otherGroup, _)):
            id == other && group == otherGroup
        case (.role(let id, _), .role(let other, _)), (.role(let id, _), .removedRole(let other)): id == other
        case (.binding(let one), .binding(let other)): one.id == other.id
        case (.binding(let one), .removedBinding(let other)): one.id == other
        case (.denial(let one), .denial(let other)): one.id == other.id
        case (.denial(let one), .removedDenial(let other)): one.id == other
        case (.separation(let one), .separation(let other)): one.id == other.id
        case (.separation(let one), .removedSeparation(let other)): one.id == other
        default: false
        }
    }

    private mutating func read() {
        self.nodes = []
        self.subjects = []
        self.members = []
        self.roles = []
        self.bindings = []
        self.denials = []
        self.separations = []
        for fact in self.facts {
            switch fact {
            case .node(let id, let parent): self.nodes.append((id, parent))
            case .subject(let subject, let isActive): self.subjects.append((subject, isActive))
            case .member(let member, let group, _): self.members.append((member, group))
            case .role(let id, let permissions): self.roles.append((id, self.read(permissions)))
            case .binding(let binding): self.bindings.append(Binding(fact: binding))
            case .denial(let denial): self.denials.append((denial, self.read(denial.permissions)))
            case .separation(let separation):
                self.separations.append(
                    (separation, self.read(separation.first), self.read(separation.second)))
            default: break
            }
        }
        for position in self.bindings.indices {
            let role = self.bindings[position].fact.role
            self.bindings[position].role = self.roles.first { $0.id == role }?.permissions
        }
    }

    private func read(_ permissions: PermissionSet) -> [Bool] { self.catalogue.map { permissions.contains($0) } }

    // MARK: The rule

    func isActive(_ subject: AccessSubject) -> Bool {
        self.subjects.contains { $0.subject == subject && $0.isActive }
    }

    /// The subject and all active groups that it is in, each with how many memberships away it is; empty for one that is
    /// not active.
    func reach(up subject: AccessSubject) -> [(subject: AccessSubject, distance: Int)] {
        guard self.isActive(subject) else { return [] }
        var found = [(subject: subject, distance: 0)]
        var next = 0
        while next < found.count {
            for membership in self.members where membership.member == found[next].subject {
                let group = AccessSubject(membership.group)
                if self.isActive(group), !found.contains(where: { $0.subject == group }) {
                    found.append((group, found[next].distance + 1))
                }
            }
            next += 1
        }
        return found
    }

    /// The scopes at a node and above, innermost first; nil when one of them is not there, or there are too many.
    func path(to node: NodeID) -> [AccessScope]? {
        var path: [AccessScope] = []
        var id: NodeID? = node
        while let current = id {
            guard let found = self.nodes.first(where: { $0.id == current }), path.count < 12 else { return nil }
            path.append(.node(current))
            id = found.parent
        }
        return path + [.instance]
    }

    static func holds(_ expiry: Timestamp?, _ now: Timestamp) -> Bool { expiry.map { now < $0 } ?? true }

    /// What is said of a subject or of one of its groups, expired and elsewhere too.
    struct Own {
        let subjects: [AccessSubject]
        let bindings: [Binding]
        let denials: [(fact: AccessDenial, permissions: [Bool])]
    }

    /// Nothing for a subject that is not active.
    func own(_ subject: AccessSubject) -> Own {
        let subjects = self.reach(up: subject).map(\.subject)
        if subjects.isEmpty { return Own(subjects: [], bindings: [], denials: []) }
        return Own(
            subjects: subjects, bindings: self.bindings.filter { subjects.contains($0.fact.subject) },
            denials: self.denials.filter { $0.fact.subject.map { subjects.contains($0) } ?? true })
    }

    static func denials(_ own: Own, _ permission: Int, _ path: [AccessScope], _ now: Timestamp) -> [AccessDenial] {
        own.denials.filter { denial in
            denial.permissions[permission] && Self.holds(denial.fact.expiresAt, now) && path.contains(denial.fact.scope)
        }.map(\.fact)
    }

    static func allows(_ own: Own, _ permission: Int, _ path: [AccessScope], _ now: Timestamp) -> Bool {
        let isGranted = own.bindings.contains { binding in
            binding.role?[permission] == true && Self.holds(binding.fact.expiresAt, now)
                && path.contains(binding.fact.scope)
        }
        return isGranted && Self.denials(own, permission, path, now).isEmpty
    }

    // MARK: Separations of duties

    /// Whether one scope is the other or above it, as far as is known, at most twelve nodes up.
    private func isAtOrAbove(_ upper: AccessScope, _ lower: AccessScope) -> Bool {
        if upper == .instance { return true }
        guard case .node(let start) = lower else { return false }
        var id: NodeID? = start
        for _ in 0..<12 {
            guard let current = id else { return false }
            if upper == .node(current) { return true }
            id = self.nodes.first { $0.id == current }?.parent
        }
        return false
    }

    func isConflict(_ separation: AccessSeparation, _ one: Binding, _ other: Binding) -> Bool {
        guard let entry = self.separations.first(where: { $0.fact == separation }) else { return false }
        func has(_ binding: Binding, _ permissions: [Bool]) -> Bool {
            zip(binding.role ?? [], permissions).contains { $0 && $1 }
        }
        return has(one, entry.first) && has(other, entry.second)
            && (self.isAtOrAbove(one.fact.scope, other.fact.scope)
                || self.isAtOrAbove(other.fact.scope, one.fact.scope))
    }

    func conflicts(of subject: AccessSubject, _ now: Timestamp) -> [DutySeparationID] {
        let held = self.own(subject).bindings.filter { Self.holds($0.fact.expiresAt, now) }
        return self.separations.map(\.fact).filter { separation in
            held.contains { one in held.contains { self.isConflict(separation, one, $0) } }
        }.map(\.id).sorted()
    }
}
