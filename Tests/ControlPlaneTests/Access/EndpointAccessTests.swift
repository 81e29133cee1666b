import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Each endpoint of the catalogue, asked by those who may and those who may not.
@Suite(.timeLimit(.minutes(20))) struct EndpointAccessTests {
    /// Of things that this fixture has none of: who may is told that there is no such thing.
    private static let withoutThing: Set<String> = ["usage.record", "decisions.get"]

    private struct World {
        let plane: TestControlPlane
        let fixture: AccessFixture
        /// Everything in another organization.
        let stranger: TestMember
        /// One for each way to have a permission: by a binding at the project, by one above it, through groups.
        let ways: [(name: String, member: TestMember, subject: String, scope: String)]

        init(_ plane: TestControlPlane) async throws {
            self.plane = plane
            self.fixture = try await AccessFixture(plane)
            let other = try await plane.makeProject("other")
            self.stranger = try await plane.member(of: other.organization, with: .owner, at: other.organization)
            let direct = try await plane.member(of: self.fixture.organization, "direct")
            let inherited = try await plane.member(of: self.fixture.organization, "inherited")
            let grouped = try await plane.member(of: self.fixture.organization, "grouped")
            let outer = try await plane.groups(around: grouped, of: self.fixture.organization)
            self.ways = [
                ("direct", direct, direct.subject, self.fixture.project),
                ("inherited", inherited, inherited.subject, self.fixture.organization),
                ("group", grouped, outer, self.fixture.organization),
            ]
        }

        func send(
            _ endpoint: Endpoint, _ ask: AccessFixture.Ask, _ member: TestMember
        ) async throws -> TestControlPlane.Reply {
            try await self.plane.send(
                endpoint.method.rawValue, ask.path, ask.body, ifMatch: ask.isConditional ? "\"999999\"" : nil,
                token: member.token)
        }

        /// A role with these permissions alone.
        func role(_ name: String, _ permissions: [Permission], of organization: String?) async throws -> String {
            try await self.plane.make(
                "/v1/roles",
                [
                    "organization": JSONValue(organization), "name": .string(name),
                    "permissions": JSONValue(permissions.map(\.rawValue)),
                ]
            ).id
        }
    }

    @Test func `each endpoint is for those who hold its permission where the thing is, and for nobody else`()
        async throws
    {
        try await TestControlPlane.with { plane in
            let world = try await World(plane)
            var number = 1
            for endpoint in plane.api.catalogue.endpoints {
                guard let permission = endpoint.auth.permission else { continue }
                if case .instance = endpoint.auth {
                    try await self.check(endpoint, permission, ofInstance: world)
                    continue
                }
                number += 10
                try await self.check(endpoint, permission, in: world, number)
            }
        }
    }

    /// An endpoint of things that are somewhere.
    private func check(_ endpoint: Endpoint, _ permission: Permission, in world: World, _ number: Int) async throws {
        let name = endpoint.operation
        guard let ask = world.fixture.ask(endpoint, permission: permission, number: number) else {
            Issue.record("\(name): it is not said here what it is asked with")
            return
        }
        try await self.checkStranger(endpoint, ask, world)
        // Nor what the fixture's separation of duties keeps apart from the rest.
        let without = Permission.allCases.filter { $0 != permission && $0 != .providerStatementsCreate }
        let others = try await world.role("without \(name)", without, of: world.fixture.organization)
        let member = try await world.plane.member(of: world.fixture.organization, "without")
        try await world.plane.bind(member.subject, others, at: world.fixture.organization)
        let refused = try await world.send(endpoint, ask, member)
        #expect(refused.status == 403 && refused.code == "permission_denied", "\(name): \(refused.json.text)")
        var needed = [permission]
        if let reading = permission.reading, reading != permission { needed.append(reading) }
        // Whose groups they are is seen by whoever sees both.
        if name == "users.groups" { needed.append(.usersRead) }
        if name == "service_accounts.groups" { needed.append(.serviceAccountsRead) }
        let role = try await world.role("for \(name)", needed, of: world.fixture.organization)
        for (index, way) in world.ways.enumerated() {
            // What is the organization's is not under the project.
            let isBelow = Self.isBelowProject(endpoint)
            let scope = isBelow ? way.scope : world.fixture.organization
            let binding = try await world.plane.bind(way.subject, role, at: scope)
            var asked = world.fixture.ask(endpoint, permission: permission, number: number + index) ?? ask
            if asked.body?["role"] == "ROLE" {
                let bound = try await world.role("bound \(index)", [permission], of: world.fixture.organization)
                asked.body = asked.body?.with(["role": .string(bound)])
            }
            let reply = try await world.send(endpoint, asked, way.member)
            if ["approvals.approve", "approvals.reject"].contains(name) {
                // Who is asked here is a program, and no rule names it.
                #expect(reply.code == "not_an_approver", "\(name), \(way.name): \(reply.json.text)")
            } else if asked.isOfInstance {
                #expect(reply.code == "permission_denied", "\(name), \(way.name): \(reply.json.text)")
            } else if Self.withoutThing.contains(name) || (name == "budget_increases.end" && index > 0) {
                #expect([204, 404].contains(reply.status), "\(name), \(way.name): \(reply.json.text)")
            } else {
                let expected = asked.isConditional ? 412 : endpoint.status
                #expect(reply.status == expected, "\(name), \(way.name): \(reply.json.text)")
            }
            #expect(try await world.plane.send("DELETE", "/v1/bindings/\(binding.id)").status == 204)
            // Withdrawn, it is withdrawn with the next request.
            let after = try await world.send(endpoint, asked, way.member)
            #expect(after.status == 403, "\(name), \(way.name): \(after.json.text)")
        }
    }

    private func checkStranger(_ endpoint: Endpoint, _ ask: AccessFixture.Ask, _ world: World) async throws {
        let before = try await world.plane.count("change")
        let reply = try await world.send(endpoint, ask, world.stranger)
        let name = endpoint.operation
        if endpoint.method == .get {
            // A question about a place that is not there for him is not well put.
            let isHidden = [200, 404].contains(reply.status) || (reply.status == 400 && reply["pointer"] == "scope")
            #expect(isHidden, "\(name): \(reply.json.text)")
            for secret in world.fixture.secrets {
                #expect(!reply.json.text.contains(secret), "\(name) tells \(secret)")
            }
            // A list that has nothing for him does not say how much there is for others.
            if reply.json["items"] != nil { #expect(reply.json["next_cursor"] == .null, "\(name)") }
        } else {
            #expect((400..<500).contains(reply.status) && reply.status != 412, "\(name): \(reply.json.text)")
            let isHidden = [400, 404, 403].contains(reply.status)
            #expect(isHidden && reply.code != "revision_mismatch", "\(name): \(reply.json.text)")
            if !ask.isOfInstance { #expect(reply.code != "permission_denied", "\(name): \(reply.json.text)") }
        }
        #expect(try await world.plane.count("change") == before, "\(name) changed something")
    }

    /// What is the instance's: an organization's owner may not, whoever has the permission for the instance may.
    private func check(_ endpoint: Endpoint, _ permission: Permission, ofInstance world: World) async throws {
        let path = endpoint.path.description.replacing("{id}", with: "none").replacing("{organization}", with: "none")
        let ask = AccessFixture.Ask(path: path)
        let refused = try await world.send(endpoint, ask, world.stranger)
        #expect(refused.status == 403 && refused.code == "permission_denied", "\(endpoint.operation)")
        let role = try await world.role("for \(endpoint.operation)", [permission], of: nil)
        let member = try await world.plane.member(of: nil, "instance")
        try await world.plane.bind(member.subject, role, at: nil)
        let reply = try await world.send(endpoint, ask, member)
        #expect(![401, 403].contains(reply.status), "\(endpoint.operation): \(reply.json.text)")
    }

    /// Whether what an endpoint is about in the fixture is the project, or in it.
    private static func isBelowProject(_ endpoint: Endpoint) -> Bool {
        [
            "projects.get", "projects.list", "projects.update", "projects.delete", "routes", "virtual_keys", "budgets",
            "budget_increases", "rate_limits", "bindings", "deny_rules", "decisions",
        ].contains { endpoint.operation == $0 || endpoint.operation.hasPrefix($0 + ".") }
    }
}

extension TestControlPlane {
    /// Two groups around a member, one in the other; the outer one.
    func groups(around member: TestMember, of organization: String) async throws -> String {
        let (inner, outer): (GroupID, GroupID) = (TimeSource.system.newID(), TimeSource.system.newID())
        let organization = try #require(OrganizationID(organization))
        try await self.database.database.transaction { tx in
            for id in [inner, outer] {
                _ = try tx.execute(
                    "insert into user_group (id, organization_id, name) values ($1, $2, $3)", id, organization, "\(id)")
            }
            _ = try tx.execute(
                """
                insert into group_member (group_id, member_kind, member_id, organization_id)
                values ($1, 'service_account', $2, $4), ($3, 'group', $1, $4)
                """, inner, member.id, outer, organization)
        }
        return outer.description
    }
}
