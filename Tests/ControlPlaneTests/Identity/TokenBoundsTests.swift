import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Nobody gets more by a token than he has.
@Suite(.timeLimit(.minutes(10))) struct TokenBoundsTests {
    @Test func `nobody makes a token that is for more than the one he shows`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let account = try await setting.account(role: .viewer)
            let bounded = try await setting.token(
                of: admin.id, setting.acme,
                permissions: [.apiTokensCreate, .apiTokensRotate, .apiTokensRead, .apiTokensUpdate, .unitsRead])
            for (members, pointer) in [
                ([:], "/permissions"), (["permissions": ["units.read", "projects.read"]], "/permissions"),
            ] as [(JSONValue, String)] {
                let reply = try await setting.token(for: account, members, token: bounded)
                #expect(reply.status == 403 && reply.code == "boundary_too_wide" && reply["pointer"]?.string == pointer)
            }
            let narrow = try await setting.token(for: account, ["permissions": ["units.read"]], token: bounded)
            #expect(narrow.status == 201)
            // Nor does he get the text of one.
            let wide = try await setting.token(for: account)
            let path = "/v1/api-tokens/\(wide.id)/rotate"
            #expect(
                try await plane.send("POST", path, ["overlap_seconds": 0], token: bounded).code == "boundary_too_wide")
            #expect(
                try await plane.send(
                    "POST", "/v1/api-tokens/\(narrow.id)/rotate", ["overlap_seconds": 0], token: bounded
                ).status == 200)

            let local = try await setting.token(of: admin.id, setting.acme, scope: setting.project)
            let inProject = try await setting.account("local", at: setting.project)
            for members in [[:], ["scope": .string(setting.acme)]] as [JSONValue] {
                let reply = try await setting.token(for: inProject, members, token: local)
                #expect(reply.code == "boundary_too_wide" && reply["pointer"] == "/scope")
            }
            let there = ["scope": .string(setting.project)] as JSONValue
            #expect(try await setting.token(for: inProject, there, token: local).status == 201)
            #expect(try await setting.token(for: account, there, token: local)["pointer"] == "/service_account")

            let near = try await setting.token(of: admin.id, setting.acme, networks: ["203.0.113.0/24"])
            for networks in [[], ["0.0.0.0/0"], ["203.0.113.7", "10.0.0.0/8"]] as [JSONValue] {
                let reply = try await setting.token(for: account, ["allowed_networks": networks], token: near)
                #expect(reply.code == "boundary_too_wide" && reply["pointer"] == "/allowed_networks")
            }
            let within = try await setting.token(
                for: account, ["allowed_networks": ["203.0.113.64/26", "203.0.113.0/24"]], token: near)
            #expect(within.status == 201)
            let widened = try await plane.send(
                "PATCH", "/v1/api-tokens/\(within.id)", ["allowed_networks": []], ifMatch: "*", token: near)
            #expect(widened.code == "boundary_too_wide")
        }
    }

    @Test func `nobody gets by a token what he does not hold`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let owner = try await setting.user("owner", of: setting.acme, .owner)
            let powerful = try await setting.account("powerful", role: .owner)
            let refused = try await setting.token(for: powerful, token: admin.token)
            #expect(refused.status == 403 && refused.code == "escalation")
            #expect(refused["detail"]?.string?.contains("organizations.create") == true)
            let made = try await setting.token(for: powerful, token: owner.token)
            #expect(made.status == 201)
            let path = "/v1/api-tokens/\(made.id)/rotate"
            #expect(try await plane.send("POST", path, ["overlap_seconds": 9], token: admin.token).code == "escalation")
            #expect(
                try await setting.token(for: powerful, ["permissions": ["units.read"]], token: admin.token).status
                    == 201)
            // By way of a group, and at one project only.
            let member = try await setting.account("member")
            let group = try await plane.make("/v1/groups", ["organization": .string(setting.acme), "name": "g"]).id
            #expect(try await plane.send("PUT", "/v1/groups/\(group)/members/\(member)").status == 204)
            #expect(try await setting.token(for: member, token: admin.token).status == 201)
            try await setting.bind(group, .owner, at: setting.project)
            #expect(try await setting.token(for: member, token: admin.token).code == "escalation")
            #expect(
                try await setting.token(for: member, ["scope": .string(setting.project)], token: admin.token).code
                    == "escalation")
            // Bound above the scope of the token, held at that.
            let scoped = ["scope": .string(setting.project)] as JSONValue
            #expect(try await setting.token(for: powerful, scoped, token: admin.token).code == "escalation")
            // What a rule denies the caller, he does not get back.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    insert into deny_rule (id, organization_id, name, subject_kind, subject_id, permissions, scope_id)
                    values (gen_random_uuid(), $1, 'r', 'user', $2, '{virtual_keys.create}', $3)
                    """, OrganizationID(setting.acme), UserID(admin.id), ProjectID(setting.project))
            }
            let equal = try await setting.account("equal", role: .developer)
            let denied = try await setting.token(for: equal, token: admin.token)
            #expect(denied.code == "escalation" && denied["detail"]?.string?.contains("virtual_keys.create") == true)
        }
    }
}
