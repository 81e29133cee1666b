import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Whatever can be made to need approval does.
@Suite(.timeLimit(.minutes(20))) struct ApprovalCoverageTests {
    /// What cannot be done in the fixture anyway: nobody is asked whether it may.
    private static let impossible: [String: String] = [
        "organizations.delete": "not_empty", "units.delete": "not_empty", "projects.delete": "not_empty",
        "providers.delete": "not_empty", "roles.delete": "in_use", "models.delete": "in_use",
    ]

    private static let all = PermissionSet(ApprovalRule.permissions)

    @Test func `each endpoint that changes something waits for approval where a rule says so`() async throws {
        try await TestControlPlane.with { plane in
            let fixture = try await AccessFixture(plane)
            let owner = fixture.owner
            let (group, user) = (fixture.ids["grp"] ?? "", fixture.ids["usr"] ?? "")
            let role = BuiltInRole.viewer.id.description
            _ = try await plane.make(
                "/v1/approval-rules",
                [
                    "scope": .string(fixture.organization), "name": "everything",
                    "permissions": JSONValue(Self.all.permissions.map(\.rawValue)),
                ])
            var waiting = 0
            for endpoint in plane.api.catalogue.endpoints where endpoint.method != .get {
                guard case .bearer(let permission) = endpoint.auth, Self.all.contains(permission) else { continue }
                guard var ask = fixture.ask(endpoint, permission: permission, number: 7), !ask.isOfInstance else {
                    continue
                }
                if ask.body?["role"] == "ROLE" { ask.body = ask.body?.with(["role": .string(role)]) }
                if endpoint.operation == "group_members.remove" {
                    let path = "/v1/groups/\(group)/members/\(user)"
                    let put = try await plane.send("PUT", path, token: owner.token)
                    #expect(put.code == "approval_required", "\(put.json.text)")
                    continue
                }
                let changes = try await plane.count("change where permission <> 'approvals.request'")
                let reply = try await plane.send(
                    endpoint.method.rawValue, ask.path, ask.body, ifMatch: ask.isConditional ? "*" : nil,
                    token: owner.token)
                let expected = Self.impossible[endpoint.operation] ?? "approval_required"
                #expect(reply.code == expected, "\(endpoint.operation): \(reply.json.text)")
                #expect(
                    try await plane.count("change where permission <> 'approvals.request'") == changes,
                    "\(endpoint.operation) changed something")
                if expected == "approval_required" { waiting += 1 }
            }
            #expect(waiting > 50)
            print("\(waiting) operations wait for approval")
            // One's own, too.
            let until = TimeSource.system.now().adding(seconds: 3600)
            let own = try await plane.send(
                "POST", "/v1/me/api-tokens", ["name": "t", "expires_at": JSONValue(until)], token: owner.token)
            #expect(own.code == "approval_required", "\(own.json.text)")
        }
    }

    @Test func `enrolment, retention and the account for emergencies can need approval; that account needs none`()
        async throws
    {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let first = try await plane.user(of: nil, with: .owner, at: nil)
            let second = try await plane.user(of: nil, with: .owner, at: nil)
            _ = try await plane.make(
                "/v1/approval-rules",
                [
                    "name": "of the instance",
                    "permissions": ["join_tokens.create", "usage_retention.update", "break_glass.open"],
                ])
            func token(_ caller: String) async throws -> TestControlPlane.Reply {
                try await plane.send("POST", "/v1/join-tokens", ["group": .string(group)], token: caller)
            }
            let asked = try await token(first.token)
            let id = try #require(asked["approval"]?.string, "\(asked.json.text)")
            let said = try await plane.send("POST", "/v1/approvals/\(id)/approve", [:], token: second.token)
            #expect(said["status"] == "approved")
            #expect(try await token(first.token).status == 201)
            let retention = try await plane.send(
                "PATCH", "/v1/usage/retention", ["raw_days": 30], ifMatch: "*", token: first.token)
            #expect(retention.code == "approval_required", "\(retention.json.text)")

            let keys = plane.services.keys
            let deployment = try await plane.database.database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: keys).deployment
            }
            let glass = BreakGlass(changes: plane.services.changes, time: .system)
            func context(_ minutes: Int64) -> OperationContext {
                var context = OperationContext(
                    actor: .localOperator(of: deployment), authority: .everything,
                    request: TimeSource.system.newID(), time: TimeSource.system.now())
                context.submission = Submission(command: "break-glass open", ["minutes": .integer(minutes)])
                return context
            }
            var needed: ApprovalID?
            do {
                _ = try await glass.open(reason: "fire", seconds: 600, as: context(10))
                Issue.record("it was opened by one alone")
            } catch let error as ControlError {
                #expect(error.code == "approval_required")
                needed = error.approval
            }
            let shown = try await plane.send("GET", "/v1/approvals/\(needed?.description ?? "")", token: first.token)
            #expect(shown["method"] == "COMMAND" && shown["requester"]?["kind"] == "operator")
            let approved = try await plane.send(
                "POST", "/v1/approvals/\(needed?.description ?? "")/approve", [:], token: first.token)
            #expect(approved["status"] == "approved")
            await #expect(throws: ControlError.self) {
                _ = try await glass.open(reason: "fire", seconds: 6000, as: context(100))
            }
            let opening = try await glass.open(reason: "fire", seconds: 600, as: context(10))
            // When nobody else gets in, nobody can be asked.
            let secret: String = opening.token.reveal()
            #expect(try await token(secret).status == 201)
            // Its name is its own.
            let named = try await plane.send("POST", "/v1/service-accounts", ["name": "Break-Glass"])
            #expect(named["pointer"] == "/name")
            let renamed = try await plane.send(
                "PATCH", "/v1/service-accounts/\(opening.account)", ["name": "x"], ifMatch: "*")
            #expect(renamed["pointer"] == "/name")
        }
    }
}
