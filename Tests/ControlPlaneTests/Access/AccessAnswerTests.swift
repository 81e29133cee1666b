import ControlPlane
import Shared
import Testing

/// What a policy answers beside yes and no, example by example: reasons, lists, conflicts, effects.
///
/// Acme has the unit Research with the project Search. Ada is in the search team, which is a team of the researchers.
@Suite struct AccessAnswerTests {
    private static let acme = NodeID(id(1)), research = NodeID(id(2)), search = NodeID(id(4))
    private static let ada = AccessSubject(UserID(id(10))), bob = AccessSubject(UserID(id(11)))
    private static let robot = AccessSubject(ServiceAccountID(id(12)))
    private static let searchTeam = GroupID(id(20)), researchers = GroupID(id(21))
    private static let reader = RoleID(id(30)), keeper = RoleID(id(31)), approver = RoleID(id(32))
    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private static func id(_ number: UInt64) -> UUIDValue { UUIDValue(high: 0x7000, low: 1 << 63 | number) }

    private static let facts: [AccessFact] = [
        .node(Self.acme, parent: nil), .node(Self.research, parent: Self.acme),
        .node(Self.search, parent: Self.research),
        .subject(Self.ada, isActive: true), .subject(Self.bob, isActive: true), .subject(Self.robot, isActive: true),
        .subject(AccessSubject(Self.searchTeam), isActive: true),
        .subject(AccessSubject(Self.researchers), isActive: true),
        .member(Self.ada, of: Self.searchTeam, true),
        .member(AccessSubject(Self.searchTeam), of: Self.researchers, true),
        .role(Self.reader, PermissionSet([.usageRead])),
        .role(Self.keeper, PermissionSet([.budgetsCreate, .usageRead])),
        .role(Self.approver, PermissionSet([.budgetsIncrease])),
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

    private func decide(_ subject: AccessSubject, _ permission: Permission, _ node: NodeID) throws -> AccessDecision {
        let path = try #require(self.policy.path(to: node))
        return self.policy.decide(subject, permission, along: path, at: Self.now)
    }

    // MARK: Reasons

    @Test mutating func `every binding that grants it is named, with the groups it comes through, shortest way first`()
        throws
    {
        self.policy.apply([
            Self.binding(100, AccessSubject(Self.researchers), Self.reader, .node(Self.search)),
            Self.binding(101, AccessSubject(Self.searchTeam), Self.keeper, .node(Self.acme)),
            Self.binding(102, Self.ada, Self.reader, .instance),
            Self.binding(103, Self.bob, Self.reader, .instance),
        ])
        let decision = try self.decide(Self.ada, .usageRead, Self.search)
        #expect(decision.isAllowed && decision.standing == .active)
        #expect(decision.grants.items.map(\.binding) == [102, 101, 100].map { BindingID(Self.id($0)) })
        #expect(decision.grants.items.map(\.groups) == [[], [Self.searchTeam], [Self.searchTeam, Self.researchers]])
        #expect(decision.roles.isEmpty && decision.expired.isEmpty && decision.elsewhere.isEmpty)
    }

    @Test mutating func `a deny rule is named with its group`() throws {
        self.policy.apply([
            Self.binding(100, Self.ada, Self.reader, .instance),
            .denial(
                AccessDenial(
                    id: DenyRuleID(Self.id(200)), subject: AccessSubject(Self.researchers),
                    permissions: PermissionSet([.usageRead]), scope: .node(Self.acme), expiresAt: nil)),
        ])
        let decision = try self.decide(Self.ada, .usageRead, Self.search)
        #expect(!decision.isAllowed && decision.grants.count == 1)
        #expect(
            decision.denials.items == [
                AppliedDenial(
                    rule: DenyRuleID(Self.id(200)), scope: .node(Self.acme), expiresAt: nil, isForEverybody: false,
                    groups: [Self.searchTeam, Self.researchers])
            ])
    }

    @Test mutating func `what is missing is named: roles, bindings that expired, bindings elsewhere`() throws {
        self.policy.apply([
            Self.binding(100, Self.ada, Self.reader, .node(Self.research), until: Self.now),
            Self.binding(101, Self.ada, Self.keeper, .node(Self.search)),
        ])
        let decision = try self.decide(Self.ada, .usageRead, Self.research)
        #expect(!decision.isAllowed && decision.grants.isEmpty && decision.denials.isEmpty)
        #expect(decision.roles.items == [Self.reader, Self.keeper])
        #expect(decision.expired.items.map(\.binding) == [BindingID(Self.id(100))])
        #expect(decision.elsewhere.items.map(\.binding) == [BindingID(Self.id(101))])
    }

    @Test mutating func `a subject that is not active, or not there, is said to be so`() throws {
        self.policy.apply(.subject(Self.bob, isActive: false))
        #expect(try self.decide(Self.bob, .usageRead, Self.search).standing == .inactive)
        #expect(try self.decide(AccessSubject(UserID(Self.id(99))), .usageRead, Self.search).standing == .unknown)
    }

    @Test mutating func `lists of reasons have a hundred entries at most, and say how many there are`() throws {
        self.policy.apply((0..<150).map { Self.binding(1000 + $0, Self.ada, Self.reader, .node(Self.search)) })
        let decision = try self.decide(Self.ada, .usageRead, Self.search)
        #expect(decision.grants.count == 150)
        #expect(decision.grants.items.map(\.binding) == (0..<100).map { BindingID(Self.id(1000 + $0)) })
    }

    // MARK: Lists

    @Test mutating func `what can be done somewhere is what bindings allow without what deny rules take`() throws {
        self.policy.apply([
            Self.binding(100, Self.ada, Self.keeper, .node(Self.research)),
            .denial(
                AccessDenial(
                    id: DenyRuleID(Self.id(200)), subject: nil, permissions: PermissionSet([.usageRead]),
                    scope: .node(Self.search), expiresAt: nil)),
        ])
        let path = try #require(self.policy.path(to: Self.search))
        #expect(
            self.policy.permissions(of: Self.ada, along: path, at: Self.now) == PermissionSet([.budgetsCreate]))
        let reach = self.policy.reach(of: Self.ada, .usageRead, at: Self.now)
        #expect(reach == AccessReach(everywhere: false, nodes: [Self.research], except: [Self.search]))
        #expect(!reach.contains(path))
        #expect(self.policy.reach(of: Self.bob, .usageRead, at: Self.now).isNowhere)
    }

    @Test mutating func `those who can do something are users and service accounts, page by page`() throws {
        self.policy.apply([
            Self.binding(100, AccessSubject(Self.researchers), Self.reader, .node(Self.research)),
            Self.binding(101, Self.robot, Self.reader, .instance),
        ])
        let path = try #require(self.policy.path(to: Self.search))
        let first = self.policy.holders(of: .usageRead, along: path, at: Self.now, limit: 1)
        #expect(first.count == 2 && first.next == Self.ada)
        #expect(first.holders.map(\.subject) == [Self.ada])
        #expect(first.holders.map(\.grant.groups) == [[Self.searchTeam, Self.researchers]])
        let second = self.policy.holders(of: .usageRead, along: path, at: Self.now, after: first.next, limit: 1)
        #expect(second.holders.map(\.subject) == [Self.robot] && second.next == nil)
    }

    // MARK: Separations of duties

    @Test mutating func `nobody may both make budgets and raise them, at one scope or one under the other`() {
        self.policy.apply([
            .separation(
                AccessSeparation(
                    id: DutySeparationID(Self.id(300)), first: PermissionSet([.budgetsCreate]),
                    second: PermissionSet([.budgetsIncrease]))),
            Self.binding(100, AccessSubject(Self.researchers), Self.keeper, .node(Self.acme)),
            Self.binding(101, Self.ada, Self.approver, .node(Self.search)),
            Self.binding(102, Self.bob, Self.keeper, .node(Self.search)),
        ])
        let conflicts = self.policy.conflicts(of: Self.ada, at: Self.now)
        #expect(conflicts.map(\.separation) == [DutySeparationID(Self.id(300))])
        #expect(conflicts.map(\.first.binding) == [BindingID(Self.id(100))])
        #expect(conflicts.map(\.second.binding) == [BindingID(Self.id(101))])
        #expect(self.policy.conflicts(of: Self.bob, at: Self.now).isEmpty)
    }

    // MARK: Effects

    @Test mutating func `who gains and who loses is said before it is done`() {
        self.policy.apply([
            Self.binding(100, AccessSubject(Self.researchers), Self.keeper, .node(Self.research)),
            Self.binding(101, Self.ada, Self.reader, .node(Self.search)),
        ])
        let effect = self.policy.effect(
            of: [.removedBinding(BindingID(Self.id(100))), Self.binding(102, Self.bob, Self.reader, .node(Self.acme))],
            at: Self.now)
        #expect(effect.count == 2 && effect.gaining == 1 && effect.losing == 1)
        // Ada keeps reading usage at Search, by a binding of her own.
        #expect(
            effect.subjects == [
                AccessSubjectEffect(
                    subject: Self.ada,
                    changes: AccessList([
                        AccessChange(
                            scope: .node(Self.research), gained: PermissionSet(),
                            lost: PermissionSet([.budgetsCreate, .usageRead])),
                        AccessChange(
                            scope: .node(Self.search), gained: PermissionSet(), lost: PermissionSet([.budgetsCreate])),
                    ])),
                AccessSubjectEffect(
                    subject: Self.bob,
                    changes: AccessList([
                        AccessChange(
                            scope: .node(Self.acme), gained: PermissionSet([.usageRead]), lost: PermissionSet())
                    ])),
            ])
    }

    @Test mutating func `a unit that moves takes with it what is allowed above it`() {
        let other = NodeID(Self.id(5))
        self.policy.apply([
            .node(other, parent: Self.acme), Self.binding(100, Self.bob, Self.reader, .node(other)),
        ])
        let effect = self.policy.effect(of: [.node(Self.research, parent: other)], at: Self.now)
        #expect(effect.subjects.map(\.subject) == [Self.bob] && effect.losing == 0)
        #expect(effect.subjects.first?.changes.items.map(\.scope) == [.node(Self.research)])
    }
}
