import ControlPlane
import Shared

/// What a policy said that the reference does not.
struct AccessMismatch: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

func expectAccess(_ condition: Bool, _ description: @autoclosure () -> String) throws(AccessMismatch) {
    if !condition { throw AccessMismatch(description()) }
}

/// Everything that the reference says of a world at an instant.
struct AccessEvaluation {
    struct Place {
        /// Nil for a path that is no node's own.
        let scope: AccessScope?
        let scopes: [AccessScope]
        let path: AccessPath
    }

    let now: Timestamp
    let subjects: [AccessSubject]
    let places: [Place]
    /// For each subject and place, a bit for each permission of the catalogue.
    let allowed: [[UInt64]]

    var decisions: Int { self.subjects.count * self.places.count * AccessWorld.catalogue.count }

    init(_ reference: ReferenceAccess, _ subjects: [AccessSubject], _ places: [Place], at now: Timestamp) {
        self.now = now
        self.subjects = subjects
        self.places = places
        self.allowed = subjects.map { subject in
            let own = reference.own(subject)
            return places.map { place in
                var bits: UInt64 = 0
                for permission in reference.catalogue.indices
                where ReferenceAccess.allows(own, permission, place.scopes, now) {
                    bits |= 1 << UInt64(permission)
                }
                return bits
            }
        }
    }

    /// What a subject may do at a scope of its own path; nil where there is none.
    func allowed(_ subject: Int, at scope: AccessScope) -> UInt64? {
        self.places.firstIndex { $0.scope == scope }.map { self.allowed[subject][$0] }
    }

    static func set(_ bits: UInt64) -> PermissionSet {
        PermissionSet(
            AccessWorld.catalogue.enumerated().filter { bits & (1 << UInt64($0.offset)) != 0 }.map(\.element))
    }
}

/// How often what a policy says was compared, by what it was.
struct AccessSeen {
    var decisions = 0
    var allowed = 0
    /// Facts that changed something for somebody.
    var effects = 0
    var conflicts = 0

    static func += (left: inout AccessSeen, right: AccessSeen) {
        left.decisions += right.decisions
        left.allowed += right.allowed
        left.effects += right.effects
        left.conflicts += right.conflicts
    }
}

/// One world: facts come, and policy and reference are compared after each few of them.
struct AccessCheck {
    private var world: AccessWorld
    private var policy = AccessPolicy()
    private var reference = ReferenceAccess(AccessWorld.catalogue)
    private let subjects: [AccessSubject]
    private(set) var seen = AccessSeen()

    init(seed: UInt64, _ shape: AccessWorld.Shape) {
        self.world = AccessWorld(seed: seed, shape)
        self.subjects =
            self.world.everyone + [AccessSubject(.user, UUIDValue(milliseconds: 1, random: (seed, seed)))]
    }

    mutating func run(steps: Int) throws(AccessMismatch) {
        self.apply(self.world.beginning())
        for _ in 0..<steps {
            let before = try self.compared(at: self.world.instant())
            var facts = (0..<self.world.number(1...6)).map { _ in self.world.fact() }
            if self.world.chance(1, in: 3) { facts.append(self.world.pick(facts)) }
            let limit = self.world.number(1...6)
            let effect = self.policy.effect(of: facts, at: before.now, limit: limit)
            let copy = self.policy
            self.apply(facts)
            let after = try self.compared(at: before.now)
            try AccessEffectCheck(self.world.actors, before, after).check(effect, limit: limit)
            if effect.count > 0 { self.seen.effects += 1 }
            try self.compare(copy, with: before, every: 7)
        }
        try self.rebuild()
        try self.removeEverything()
    }

    private mutating func apply(_ facts: [AccessFact]) {
        self.reference.apply(facts)
        if self.world.chance(1, in: 2) {
            self.policy.apply(facts)
        } else {
            for fact in facts { self.policy.apply(fact) }
        }
    }

    // MARK: Comparing

    /// What the reference says now, after all that the policy says was found to be the same.
    private mutating func compared(at now: Timestamp) throws(AccessMismatch) -> AccessEvaluation {
        let places = try self.places()
        let evaluation = AccessEvaluation(self.reference, self.subjects, places, at: now)
        self.seen.decisions += evaluation.decisions
        self.seen.allowed += evaluation.allowed.joined().reduce(0) { $0 + $1.nonzeroBitCount }
        try self.compare(self.policy, with: evaluation, every: 1)
        try self.compareLists(with: evaluation)
        let reasons = AccessReasonCheck(self.policy, self.reference, now)
        for _ in 0..<4 {
            self.seen.conflicts += try reasons.checkConflicts(of: self.world.pick(self.subjects))
            try reasons.checkDecision(
                self.world.pick(self.subjects), self.world.number(0...AccessWorld.catalogue.count - 1),
                self.world.pick(places))
        }
        return evaluation
    }

    private mutating func places() throws(AccessMismatch) -> [AccessEvaluation.Place] {
        var places = [AccessEvaluation.Place(scope: .instance, scopes: [.instance], path: .instance)]
        for node in self.world.nodes {
            let scopes = self.world.shape.hasTree ? self.reference.path(to: node) : [.node(node), .instance]
            if self.world.shape.hasTree {
                try expectAccess(self.policy.path(to: node)?.scopes == scopes, "path to \(node)")
            }
            if let scopes, let path = Self.path(scopes) {
                places.append(AccessEvaluation.Place(scope: .node(node), scopes: scopes, path: path))
            }
        }
        // One as another policy could make it.
        let nodes = self.world.someNodes()
        if let path = AccessPath(nodes) {
            places.append(AccessEvaluation.Place(scope: nil, scopes: path.scopes, path: path))
        }
        return places
    }

    private static func path(_ scopes: [AccessScope]) -> AccessPath? {
        AccessPath(
            scopes.compactMap { scope in
                guard case .node(let node) = scope else { return nil }
                return node
            })
    }

    /// - Parameter every: one in so many decisions.
    private func compare(
        _ policy: AccessPolicy, with evaluation: AccessEvaluation, every stride: Int
    ) throws(AccessMismatch) {
        var number = 0
        for (subject, allowed) in zip(evaluation.subjects, evaluation.allowed) {
            for (place, bits) in zip(evaluation.places, allowed) {
                for (position, permission) in AccessWorld.catalogue.enumerated() {
                    number += 1
                    guard number % stride == 0 else { continue }
                    let expected = bits & (1 << UInt64(position)) != 0
                    try expectAccess(
                        policy.allows(subject, permission, along: place.path, at: evaluation.now) == expected,
                        "\(subject) \(permission) at \(place.scopes), \(evaluation.now): not \(expected)")
                }
            }
        }
    }

    private mutating func compareLists(with evaluation: AccessEvaluation) throws(AccessMismatch) {
        for (subject, allowed) in zip(evaluation.subjects, evaluation.allowed) {
            for (place, bits) in zip(evaluation.places, allowed) where self.world.chance(1, in: 3) {
                let set = self.policy.permissions(of: subject, along: place.path, at: evaluation.now)
                try expectAccess(
                    set == AccessEvaluation.set(bits),
                    "permissions of \(subject) at \(place.scopes): \(set.permissions)")
            }
            let position = self.world.number(0...AccessWorld.catalogue.count - 1)
            let reach = self.policy.reach(of: subject, AccessWorld.catalogue[position], at: evaluation.now)
            for (place, bits) in zip(evaluation.places, allowed) {
                try expectAccess(
                    reach.contains(place.path) == (bits & (1 << UInt64(position)) != 0),
                    "reach of \(subject), \(AccessWorld.catalogue[position]), at \(place.scopes): \(reach)")
            }
        }
        try self.compareHolders(with: evaluation)
    }

    private mutating func compareHolders(with evaluation: AccessEvaluation) throws(AccessMismatch) {
        let position = self.world.number(0...AccessWorld.catalogue.count - 1)
        let place = self.world.number(0...evaluation.places.count - 1)
        let bit: UInt64 = 1 << UInt64(position)
        var expected: [AccessSubject] = []
        for (subject, allowed) in zip(evaluation.subjects, evaluation.allowed) {
            if subject.kind != .group, allowed[place] & bit != 0 { expected.append(subject) }
        }
        expected.sort { $0.id != $1.id ? $0.id < $1.id : $0.kind == .user && $1.kind != .user }
        var found: [AccessHolder] = []
        var cursor: AccessSubject?
        let limit = self.world.number(1...5)
        repeat {
            let page = self.policy.holders(
                of: AccessWorld.catalogue[position], along: evaluation.places[place].path, at: evaluation.now,
                after: cursor, limit: limit)
            try expectAccess(
                page.count == expected.count && page.holders.count <= limit,
                "\(page.count) holders of \(expected.count)")
            found += page.holders
            cursor = page.next
        } while cursor != nil && found.count <= expected.count
        try expectAccess(
            found.map(\.subject) == expected, "holders at \(evaluation.places[place].scopes): \(found), not \(expected)"
        )
        let reasons = AccessReasonCheck(self.policy, self.reference, evaluation.now)
        for holder in found {
            try reasons.check(holder.grant, of: holder.subject, position, evaluation.places[place].scopes)
        }
    }

    // MARK: The end of a world

    /// The order in which facts came does not matter.
    private mutating func rebuild() throws(AccessMismatch) {
        var policy = AccessPolicy()
        policy.apply(self.world.shuffled(self.reference.facts))
        try expectAccess(policy.size == self.policy.size, "built anew: \(policy.size), not \(self.policy.size)")
        let evaluation = AccessEvaluation(self.reference, self.subjects, try self.places(), at: self.world.instant())
        try self.compare(policy, with: evaluation, every: 1)
    }

    /// What is taken away again leaves nothing behind.
    private mutating func removeEverything() throws(AccessMismatch) {
        self.apply(
            self.world.shuffled(
                self.reference.facts.map { fact in
                    switch fact {
                    case .node(let id, _): .removedNode(id)
                    case .subject(let subject, _): .removedSubject(subject)
                    case .member(let member, let group, _): .member(member, of: group, false)
                    case .role(let id, _): .removedRole(id)
                    case .binding(let binding): .removedBinding(binding.id)
                    case .denial(let denial): .removedDenial(denial.id)
                    case .separation(let separation): .removedSeparation(separation.id)
                    default: fact
                    }
                }))
        try expectAccess(self.policy.size == AccessPolicy().size, "left: \(self.policy.size)")
    }
}
