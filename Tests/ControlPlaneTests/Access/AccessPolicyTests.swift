import ControlPlane
import Shared
import Testing

/// The rule of access, example by example.
///
/// Acme has two units, Research and Sales; Research has the project Search. Ada is an engineer of the search team, which is
/// a team of Research.
@Suite struct AccessPolicyTests {
    private static let acme = NodeID(id(1)), research = NodeID(id(2)), sales = NodeID(id(3)), search = NodeID(id(4))
    private static let ada = UserID(id(10)), bob = UserID(id(11)), robot = ServiceAccountID(id(12))
    private static let searchTeam = GroupID(id(20)), researchers = GroupID(id(21)), staff = GroupID(id(22))
    private static let reader = RoleID(id(30)), keeper = RoleID(id(31)), approver = RoleID(id(32))
    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private static func id(_ number: UInt64) -> UUIDValue { UUIDValue(high: 0x7000, low: 1 << 63 | number) }

    private static let facts: [AccessFact] = [
        .node(Self.acme, parent: nil), .node(Self.research, parent: Self.acme), .node(Self.sales, parent: Self.acme),
        .node(Self.search, parent: Self.research),
        .subject(AccessSubject(Self.ada), isActive: true), .subject(AccessSubject(Self.bob), isActive: true),
        .subject(AccessSubject(Self.robot), isActive: true),
        .subject(AccessSubject(Self.searchTeam), isActive: true),
        .subject(AccessSubject(Self.researchers), isActive: true),
        .subject(AccessSubject(Self.staff), isActive: true),
        .member(AccessSubject(Self.ada), of: Self.searchTeam, true),
        .member(AccessSubject(Self.searchTeam), of: Self.researchers, true),
        .role(Self.reader, PermissionSet([.budgetsRead, .usageRead])),
        .role(Self.keeper, PermissionSet([.virtualKeysCreate, .virtualKeysRevoke])),
        .role(Self.approver, PermissionSet([.priceProposalsApprove])),
    ]

    private var policy: AccessPolicy = {
        var policy = AccessPolicy()
        policy.apply(Self.facts)
        return policy
    }()

    private static func binding(
        _ number: UInt64, _ subject: AccessSubject, _ role: RoleID, _ scope: AccessScope, until: Timestamp? = nil
    ) -> AccessFact {
        .binding(
            AccessBinding(id: BindingID(self.id(number)), subject: subject, role: role, scope: scope, expiresAt: until))
    }

    private static func denial(
        _ number: UInt64, _ subject: AccessSubject?, _ permission: Permission, _ scope: AccessScope
    ) -> AccessFact {
        .denial(
            AccessDenial(
                id: DenyRuleID(self.id(number)), subject: subject, permissions: PermissionSet([permission]),
                scope: scope,
                expiresAt: nil))
    }

    private func allows(
        _ subject: AccessSubject, _ permission: Permission, _ node: NodeID, at time: Timestamp = Self.now
    ) throws -> Bool {
        let path = try #require(self.policy.path(to: node))
        return self.policy.allows(subject, permission, along: path, at: time)
    }

    // MARK: What allows

    @Test func `nothing is allowed that no binding allows`() throws {
        #expect(try !self.allows(AccessSubject(Self.ada), .budgetsRead, Self.search))
    }

    @Test mutating func `a binding allows at its scope and under it, not above or beside`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.ada), Self.reader, .node(Self.research)))
        #expect(try self.allows(AccessSubject(Self.ada), .budgetsRead, Self.research))
        #expect(try self.allows(AccessSubject(Self.ada), .budgetsRead, Self.search))
        #expect(try !self.allows(AccessSubject(Self.ada), .budgetsRead, Self.acme))
        #expect(try !self.allows(AccessSubject(Self.ada), .budgetsRead, Self.sales))
        #expect(try !self.allows(AccessSubject(Self.ada), .virtualKeysCreate, Self.search))
        #expect(try !self.allows(AccessSubject(Self.bob), .budgetsRead, Self.search))
    }

    @Test mutating func `a binding at the instance allows everywhere, also where there is no node`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.robot), Self.reader, .instance))
        #expect(try self.allows(AccessSubject(Self.robot), .usageRead, Self.search))
        #expect(self.policy.allows(AccessSubject(Self.robot), .usageRead, along: .instance, at: Self.now))
    }

    @Test mutating func `what is a group's is its members', through groups in groups`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.researchers), Self.reader, .node(Self.research)))
        #expect(try self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
        #expect(try self.allows(AccessSubject(Self.researchers), .usageRead, Self.search))
        self.policy.apply(.member(AccessSubject(Self.searchTeam), of: Self.researchers, false))
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
    }

    @Test mutating func `groups that are in each other have what either has`() throws {
        self.policy.apply([
            .member(AccessSubject(Self.researchers), of: Self.searchTeam, true),
            .member(AccessSubject(Self.searchTeam), of: Self.searchTeam, true),
            .member(AccessSubject(Self.bob), of: Self.researchers, true),
            Self.binding(100, AccessSubject(Self.searchTeam), Self.keeper, .node(Self.search)),
            Self.binding(101, AccessSubject(Self.researchers), Self.reader, .node(Self.search)),
        ])
        for subject in [AccessSubject(Self.ada), AccessSubject(Self.bob), AccessSubject(Self.searchTeam)] {
            #expect(try self.allows(subject, .virtualKeysCreate, Self.search))
            #expect(try self.allows(subject, .usageRead, Self.search))
        }
    }

    // MARK: What ends it

    @Test mutating func `a binding holds before the instant at which it expires`() throws {
        let end = Self.now.adding(seconds: 60)
        self.policy.apply(Self.binding(100, AccessSubject(Self.ada), Self.reader, .node(Self.search), until: end))
        #expect(try self.allows(AccessSubject(Self.ada), .usageRead, Self.search, at: end.adding(microseconds: -1)))
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search, at: end))
    }

    @Test mutating func `who is not active is allowed nothing, nor is one that was never there`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.ada), Self.reader, .node(Self.search)))
        self.policy.apply(.subject(AccessSubject(Self.ada), isActive: false))
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
        let stranger = AccessSubject(UserID(Self.id(99)))
        self.policy.apply(Self.binding(101, stranger, Self.reader, .node(Self.search)))
        #expect(try !self.allows(stranger, .usageRead, Self.search))
    }

    @Test mutating func `a group that is not active gives nothing and passes nothing on`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.researchers), Self.reader, .node(Self.search)))
        self.policy.apply(.subject(AccessSubject(Self.searchTeam), isActive: false))
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
        #expect(try self.allows(AccessSubject(Self.researchers), .usageRead, Self.search))
    }

    @Test mutating func `a deny rule is stronger than any binding, at its scope and under it`() throws {
        self.policy.apply([
            Self.binding(100, AccessSubject(Self.ada), Self.reader, .instance),
            Self.denial(200, AccessSubject(Self.researchers), .usageRead, .node(Self.research)),
        ])
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
        #expect(try self.allows(AccessSubject(Self.ada), .budgetsRead, Self.search))
        #expect(try self.allows(AccessSubject(Self.ada), .usageRead, Self.sales))
    }

    @Test mutating func `a deny rule for everybody is for service accounts too`() throws {
        self.policy.apply([
            Self.binding(100, AccessSubject(Self.robot), Self.reader, .instance),
            Self.denial(200, nil, .usageRead, .instance),
        ])
        #expect(try !self.allows(AccessSubject(Self.robot), .usageRead, Self.search))
        self.policy.apply(.removedDenial(DenyRuleID(Self.id(200))))
        #expect(try self.allows(AccessSubject(Self.robot), .usageRead, Self.search))
    }

    // MARK: Order and circles

    @Test func `facts may come in any order`() throws {
        var policy = AccessPolicy()
        policy.apply(Self.binding(100, AccessSubject(Self.researchers), Self.reader, .node(Self.research)))
        for fact in Self.facts.reversed() { policy.apply(fact) }
        let path = try #require(policy.path(to: Self.search))
        #expect(policy.allows(AccessSubject(Self.ada), .usageRead, along: path, at: Self.now))
    }

    @Test mutating func `a node that hangs on nothing, or on itself, has no path`() {
        self.policy.apply(.removedNode(Self.research))
        #expect(self.policy.path(to: Self.search) == nil)
        self.policy.apply(.node(Self.research, parent: Self.search))
        #expect(self.policy.path(to: Self.search) == nil)
        self.policy.apply(.node(Self.research, parent: Self.sales))
        #expect(
            self.policy.path(to: Self.search)?.scopes
                == [.node(Self.search), .node(Self.research), .node(Self.sales), .node(Self.acme), .instance])
    }

    @Test func `a path has twelve nodes at most`() {
        var policy = AccessPolicy()
        let nodes = (0..<13).map { NodeID(Self.id(500 + $0)) }
        for (position, node) in nodes.enumerated() {
            policy.apply(.node(node, parent: position == 0 ? nil : nodes[position - 1]))
        }
        #expect(policy.path(to: nodes[11])?.count == 12)
        #expect(policy.path(to: nodes[12]) == nil)
        #expect(AccessPath(nodes) == nil)
    }

    @Test func `who belongs to the instance is decided along a path of another policy`() throws {
        var instance = AccessPolicy()
        instance.apply([
            .subject(AccessSubject(Self.bob), isActive: true), .role(Self.reader, PermissionSet([.usageRead])),
            Self.binding(100, AccessSubject(Self.bob), Self.reader, .node(Self.acme)),
        ])
        let path = try #require(self.policy.path(to: Self.search))
        #expect(instance.allows(AccessSubject(Self.bob), .usageRead, along: path, at: Self.now))
        #expect(!instance.allows(AccessSubject(Self.bob), .usageRead, along: .instance, at: Self.now))
    }

    @Test mutating func `a copy stays as it was`() throws {
        self.policy.apply(Self.binding(100, AccessSubject(Self.ada), Self.reader, .node(Self.search)))
        let copy = self.policy
        self.policy.apply(.removedBinding(BindingID(Self.id(100))))
        let path = try #require(copy.path(to: Self.search))
        #expect(copy.allows(AccessSubject(Self.ada), .usageRead, along: path, at: Self.now))
        #expect(try !self.allows(AccessSubject(Self.ada), .usageRead, Self.search))
    }
}
