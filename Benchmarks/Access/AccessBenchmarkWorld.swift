import ControlPlane
import Shared

/// A partition at the bounds: what is in it, and the facts that make it.
struct AccessBenchmarkWorld {
    static let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private var random: Random
    let users: [AccessSubject]
    let serviceAccounts: [AccessSubject]
    /// The first is the largest: 20,000 members, and 2000 bindings.
    let groups: [GroupID]
    /// The organization, then units, then projects.
    let nodes: [NodeID]
    let roleCount: Int
    let bindingCount: Int
    let denialCount: Int
    private let unitCount: Int
    private let largeGroupMembers: Int
    private let roles: [RoleID]
    private(set) var memberships = 0
    /// One binding of the largest group at each level of the tree, and one at the organization.
    private(set) var largeGroupBindings: [AccessBinding] = []

    /// SplitMix64.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = self.state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    init(seed: UInt64, percent: Int) {
        var random = Random(state: seed)
        func ids(_ count: Int) -> [UUIDValue] {
            (0..<max(1, count * percent / 100)).map { _ in
                UUIDValue(
                    milliseconds: 1_800_000_000_000 + random.next() % 1000, random: (random.next(), random.next()))
            }
        }
        self.users = ids(50_000).map { AccessSubject(.user, $0) }
        self.serviceAccounts = ids(1000).map { AccessSubject(.serviceAccount, $0) }
        self.groups = ids(5000).map { GroupID($0) }
        self.nodes = ids(20_000).map { NodeID($0) }
        self.roles = ids(1000).map { RoleID($0) }
        self.roleCount = self.roles.count
        self.bindingCount = 100_000 * percent / 100
        self.denialCount = 1000 * percent / 100
        self.unitCount = max(1, 1000 * percent / 100)
        self.largeGroupMembers = 20_000 * percent / 100
        self.random = random
    }

    mutating func facts() -> [AccessFact] {
        var facts: [AccessFact] = []
        // Units up to eight deep, each under one that came before; projects under units.
        var depths = [0]
        for position in self.nodes.indices {
            var above: Int?
            if position > 0 {
                repeat { above = self.number(below: min(position, self.unitCount)) } while depths[above ?? 0] >= 8
            }
            if position > 0, position < self.unitCount { depths.append(depths[above ?? 0] + 1) }
            facts.append(.node(self.nodes[position], parent: above.map { self.nodes[$0] }))
        }
        for subject in self.users + self.serviceAccounts {
            facts.append(.subject(subject, isActive: self.number(below: 20) > 0))
        }
        for group in self.groups { facts.append(.subject(AccessSubject(group), isActive: self.number(below: 50) > 0)) }
        for role in self.roles {
            let count = 3 + self.number(below: 20)
            facts.append(
                .role(
                    role,
                    PermissionSet(
                        (0..<count).map { _ in Permission.allCases[self.number(below: Permission.allCases.count)] })))
        }
        self.memberships = 0
        self.addMemberships(to: &facts)
        self.addBindings(to: &facts)
        return facts
    }

    /// Groups in six layers, most groups in one of the layer above, some in two; users in 1 to 29 groups, most in few.
    private mutating func addMemberships(to facts: inout [AccessFact]) {
        let layer = max(1, self.groups.count / 6)
        for position in self.groups.indices where position >= layer {
            let above = (position / layer - 1) * layer
            for _ in 0..<[0, 1, 1, 1, 2][self.number(below: 5)] {
                self.add(AccessSubject(self.groups[position]), self.groups[above + self.number(below: layer)], &facts)
            }
        }
        for (position, user) in self.users.enumerated() {
            if position < self.largeGroupMembers { self.add(user, self.groups[0], &facts) }
            for _ in 0...self.number(below: 1 + self.number(below: 28)) {
                self.add(user, self.groups[self.number(below: self.groups.count)], &facts)
            }
        }
    }

    private mutating func add(_ member: AccessSubject, _ group: GroupID, _ facts: inout [AccessFact]) {
        facts.append(.member(member, of: group, true))
        self.memberships += 1
    }

    private mutating func addBindings(to facts: inout [AccessFact]) {
        for number in 0..<self.bindingCount {
            let isLarge = number < self.bindingCount / 50
            let binding = AccessBinding(
                id: BindingID(self.id()), subject: isLarge ? AccessSubject(self.groups[0]) : self.subject(),
                role: self.roles[self.number(below: self.roles.count)], scope: self.scope(),
                expiresAt: self.number(below: 10) == 0
                    ? Self.now.adding(seconds: Int64(self.number(below: 2_000_000)) - 1_000_000) : nil)
            if isLarge { self.largeGroupBindings.append(binding) }
            facts.append(.binding(binding))
        }
        for number in 0..<self.denialCount {
            facts.append(
                .denial(
                    AccessDenial(
                        id: DenyRuleID(self.id()), subject: number % 10 == 0 ? nil : self.subject(),
                        permissions: PermissionSet([Permission.allCases[self.number(below: Permission.allCases.count)]]
                        ),
                        scope: .node(self.nodes[1 + self.number(below: self.nodes.count - 1)]), expiresAt: nil)))
        }
    }

    private mutating func subject() -> AccessSubject {
        switch self.number(below: 20) {
        case 0: self.serviceAccounts[self.number(below: self.serviceAccounts.count)]
        case 1..<10: self.users[self.number(below: self.users.count)]
        default: AccessSubject(self.groups[self.number(below: self.groups.count)])
        }
    }

    /// One in 1000 everywhere, three at the organization, a quarter at units, the rest at projects.
    private mutating func scope() -> AccessScope {
        switch self.number(below: 1000) {
        case 0: .instance
        case 1..<4: .node(self.nodes[0])
        case 4..<250: .node(self.nodes[self.number(below: self.unitCount)])
        default: .node(self.nodes[self.number(below: self.nodes.count)])
        }
    }

    mutating func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &self.random) }

    mutating func id() -> UUIDValue {
        UUIDValue(milliseconds: 1_800_000_000_000, random: (self.random.next(), self.random.next()))
    }
}
