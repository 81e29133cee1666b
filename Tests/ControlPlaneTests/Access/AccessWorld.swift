import ControlPlane
import Shared
import TestKit

/// A small partition in which anything can be said: few ids, so that facts meet.
struct AccessWorld {
    /// How many there are of each kind.
    struct Shape {
        var users = 6
        var serviceAccounts = 2
        var groups = 6
        var nodes = 8
        var roles = 4
        var bindings = 14
        var denials = 4
        var separations = 3
        /// Without, it is like the instance's partition: it knows no nodes, and paths come from elsewhere.
        var hasTree = true

        static let usual = Shape()
        static let instance = Shape(nodes: 5, hasTree: false)
        /// Many groups and many bindings at few scopes.
        static let wide = Shape(users: 7, groups: 70, nodes: 3, roles: 6, bindings: 240, denials: 12)
    }

    /// What is decided on: at the ends of the words of a set.
    static let catalogue = [0, 63, 64].map { Permission.allCases[$0] } + [Permission.allCases.last].compactMap(\.self)

    static let start = Timestamp(microseconds: 1_800_000_000_000_000)

    private(set) var random: SeededRandom
    let shape: Shape
    let users: [AccessSubject]
    let serviceAccounts: [AccessSubject]
    let groups: [GroupID]
    let nodes: [NodeID]
    private let roles: [RoleID]
    private let bindings: [BindingID]
    private let denials: [DenyRuleID]
    private let separations: [DutySeparationID]

    init(seed: UInt64, _ shape: Shape) {
        var random = SeededRandom(seed: seed)
        func ids(_ count: Int) -> [UUIDValue] {
            (0..<count).map { _ in UUIDValue(milliseconds: 1_800_000_000_000, random: (random.next(), random.next())) }
        }
        self.shape = shape
        self.users = ids(shape.users).map { AccessSubject(.user, $0) }
        // One has a user's id: kinds keep ids apart.
        self.serviceAccounts =
            [AccessSubject(.serviceAccount, self.users[0].id)]
            + ids(shape.serviceAccounts - 1).map { AccessSubject(.serviceAccount, $0) }
        self.groups = [GroupID(self.users[1].id)] + ids(shape.groups - 1).map { GroupID($0) }
        self.nodes = ids(shape.nodes).map { NodeID($0) }
        self.roles = ids(shape.roles).map { RoleID($0) }
        self.bindings = ids(shape.bindings).map { BindingID($0) }
        self.denials = ids(shape.denials).map { DenyRuleID($0) }
        self.separations = ids(shape.separations).map { DutySeparationID($0) }
        self.random = random
    }

    var actors: [AccessSubject] { self.users + self.serviceAccounts }
    var everyone: [AccessSubject] { self.actors + self.groups.map { AccessSubject($0) } }

    // MARK: Facts

    /// What a partition begins with; most of it holds together.
    mutating func beginning() -> [AccessFact] {
        var facts = self.everyone.map { AccessFact.subject($0, isActive: self.chance(9, in: 10)) }
        if self.shape.hasTree {
            for (position, node) in self.nodes.enumerated() {
                let parent =
                    position == 0
                    ? nil : self.nodes[Int.random(in: max(0, position - 3)..<position, using: &self.random)]
                facts.append(.node(node, parent: parent))
            }
        }
        facts += self.roles.map { .role($0, self.permissions()) }
        for subject in self.everyone { facts.append(.member(subject, of: self.pick(self.groups), true)) }
        for id in self.bindings { facts.append(.binding(self.binding(id))) }
        for id in self.denials where self.chance(1, in: 3) { facts.append(.denial(self.denial(id))) }
        for id in self.separations { facts.append(.separation(self.separation(id))) }
        return facts.shuffled(using: &self.random)
    }

    /// Something that is, changes or goes.
    mutating func fact() -> AccessFact {
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0..<10 where self.shape.hasTree: self.node()
        case 0..<18: .subject(self.pick(self.everyone), isActive: self.chance(3, in: 4))
        case 18..<21: .removedSubject(self.pick(self.everyone))
        case 21..<46: .member(self.pick(self.everyone), of: self.pick(self.groups), self.chance(3, in: 5))
        case 46..<52: .role(self.pick(self.roles), self.permissions())
        case 52..<54: .removedRole(self.pick(self.roles))
        case 54..<74: .binding(self.binding(self.pick(self.bindings)))
        case 74..<84: .removedBinding(self.pick(self.bindings))
        case 84..<89: .denial(self.denial(self.pick(self.denials)))
        case 89..<95: .removedDenial(self.pick(self.denials))
        case 95..<98: .separation(self.separation(self.pick(self.separations)))
        default: .removedSeparation(self.pick(self.separations))
        }
    }

    /// Also circles, and nodes under ones that are not there.
    private mutating func node() -> AccessFact {
        let node = self.pick(self.nodes)
        switch Int.random(in: 0..<10, using: &self.random) {
        case 0: return .removedNode(node)
        case 1: return .node(node, parent: nil)
        case 2: return .node(node, parent: self.pick(self.nodes))
        default:
            let position = self.nodes.firstIndex(of: node) ?? 0
            return .node(
                node, parent: position == 0 ? nil : self.nodes[Int.random(in: 0..<position, using: &self.random)])
        }
    }

    private mutating func binding(_ id: BindingID) -> AccessBinding {
        AccessBinding(
            id: id, subject: self.pick(self.everyone), role: self.pick(self.roles), scope: self.scope(),
            expiresAt: self.expiry())
    }

    private mutating func denial(_ id: DenyRuleID) -> AccessDenial {
        AccessDenial(
            id: id, subject: self.chance(1, in: 5) ? nil : self.pick(self.everyone),
            permissions: PermissionSet([self.pick(Self.catalogue), self.pick(Self.catalogue)]), scope: self.scope(),
            expiresAt: self.expiry())
    }

    private mutating func separation(_ id: DutySeparationID) -> AccessSeparation {
        AccessSeparation(
            id: id, first: PermissionSet([self.pick(Self.catalogue)]),
            second: PermissionSet([self.pick(Self.catalogue)]))
    }

    private mutating func permissions() -> PermissionSet {
        PermissionSet(Self.catalogue.filter { _ in self.chance(1, in: 3) })
    }

    private mutating func scope() -> AccessScope {
        self.chance(1, in: 8) ? .instance : .node(self.pick(self.nodes))
    }

    /// Around the instants at which is decided, and at them.
    private mutating func expiry() -> Timestamp? {
        self.chance(1, in: 3) ? Self.start.adding(microseconds: Int64.random(in: -2...3, using: &self.random)) : nil
    }

    /// An instant near the expiries.
    mutating func instant() -> Timestamp {
        Self.start.adding(microseconds: Int64.random(in: -2...2, using: &self.random))
    }

    // MARK: Chance

    mutating func chance(_ part: Int, in whole: Int) -> Bool { Int.random(in: 0..<whole, using: &self.random) < part }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self.random) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self.random)]
    }

    /// Any of them, in any order.
    mutating func someNodes() -> [NodeID] {
        self.nodes.filter { _ in self.chance(1, in: 3) }.shuffled(using: &self.random)
    }

    mutating func shuffled(_ facts: [AccessFact]) -> [AccessFact] { facts.shuffled(using: &self.random) }
}
