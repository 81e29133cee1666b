import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What one gives is what one holds: everywhere below, within what one's token is for, and for as long; whether by a
/// binding, a membership or the text of a token.
@Suite(.timeLimit(.minutes(10))) struct AccessGiftTests {
    private static let tomorrow = TimeSource.system.now().adding(seconds: 86_400)
    private static let later = TimeSource.system.now().adding(seconds: 2 * 86_400)
    private static let sooner = TimeSource.system.now().adding(seconds: 3600)

    @Test func `a token is good for no longer than its maker holds what it is for`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme)
            try await plane.bind(
                admin.id, BuiltInRole.admin.id.description, at: setting.acme,
                more: ["expires_at": JSONValue(Self.tomorrow)])
            let lasting = try await setting.account("lasting", role: .developer)
            func token(_ account: String, until: Timestamp?) async throws -> TestControlPlane.Reply {
                try await setting.token(for: account, ["expires_at": JSONValue(until)], token: admin.token)
            }
            for until in [nil, Self.later] {
                let reply = try await token(lasting, until: until)
                #expect(reply.status == 403 && reply.code == "escalation", "\(reply.json.text)")
                #expect(reply["detail"]?.string?.contains("for so long") == true)
            }
            let made = try await token(lasting, until: Self.sooner)
            #expect(made.status == 201, "\(made.json.text)")
            // Nor is it made good for longer, or somebody else's text obtained that is.
            func prolong(_ until: Timestamp?) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "PATCH", "/v1/api-tokens/\(made.id)", ["expires_at": JSONValue(until)], ifMatch: "*",
                    token: admin.token)
            }
            #expect(try await prolong(nil).code == "escalation")
            #expect(try await prolong(Self.tomorrow).status == 200)
            let others = try await setting.token(for: lasting)
            let rotated = try await plane.send(
                "POST", "/v1/api-tokens/\(others.id)/rotate", ["overlap_seconds": 9], token: admin.token)
            #expect(rotated.code == "escalation", "\(rotated.json.text)")
            // What the account holds no longer than he does, its token does not either.
            let brief = try await setting.account("brief")
            try await plane.bind(
                brief, BuiltInRole.developer.id.description, at: setting.acme,
                more: ["expires_at": JSONValue(Self.sooner)])
            #expect(try await token(brief, until: nil).status == 201)
            // And what he holds for good is good for good.
            try await setting.bind(admin.id, .admin, at: setting.project)
            let local = try await setting.account("local", at: setting.project, role: .developer)
            #expect(try await token(local, until: nil).status == 201)
        }
    }

    @Test func `what one's token is not for is not given`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let friend = try await setting.user("friend", of: setting.acme)
            let shown = try await setting.token(
                of: admin.id, setting.acme, permissions: [.bindingsCreate, .usersRead, .budgetsRead])
            let role = try await plane.make(
                "/v1/roles",
                [
                    "organization": .string(setting.acme), "name": "r",
                    "permissions": ["budgets.read", "budgets.create"],
                ]
            ).id
            func bind(_ token: String) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/bindings",
                    ["subject": .string(friend.id), "role": .string(role), "scope": .string(setting.acme)],
                    token: token)
            }
            let refused = try await bind(shown)
            #expect(refused.code == "escalation" && refused["detail"]?.string?.contains("budgets.create") == true)
            #expect(try await bind(admin.token).status == 201)
        }
    }

    @Test func `what one is denied further down one does not give from above`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let friend = try await setting.user("friend", of: setting.acme)
            func deny(_ subject: String, _ name: String, _ more: [String: JSONValue] = [:]) async throws -> String {
                let rule: [String: JSONValue] = [
                    "scope": .string(setting.project), "name": .string(name), "subject": .string(subject),
                    "permissions": ["virtual_keys.create"],
                ]
                return try await plane.make("/v1/deny-rules", .object(rule.merging(more) { $1 })).id
            }
            func bind(_ scope: String, _ role: BuiltInRole = .developer) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/bindings",
                    [
                        "subject": .string(friend.id), "role": .string(role.id.description), "scope": .string(scope),
                    ], token: admin.token)
            }
            _ = try await deny(admin.id, "admin's")
            let refused = try await bind(setting.acme)
            #expect(refused.code == "escalation", "\(refused.json.text)")
            let detail = refused["detail"]?.string ?? ""
            #expect(detail.contains("virtual_keys.create") && detail.contains(setting.project))
            // What he is not denied there he gives, and elsewhere all of it.
            #expect(try await bind(setting.acme, .billing).status == 201)
            let elsewhere = try await plane.make(
                "/v1/projects", ["name": "elsewhere", "parent": .string(setting.acme)]
            ).id
            #expect(try await bind(elsewhere).status == 201)
            // By a membership it is the same.
            let group = try await plane.make("/v1/groups", ["organization": .string(setting.acme), "name": "g"]).id
            try await setting.bind(group, .developer, at: setting.acme)
            func join() async throws -> TestControlPlane.Reply {
                try await plane.send("PUT", "/v1/groups/\(group)/members/\(friend.id)", token: admin.token)
            }
            #expect(try await join().code == "escalation")
            // Who is denied it there too gets nothing there; for as long as he is.
            let brief = try await deny(friend.id, "for a while", ["expires_at": JSONValue(Self.tomorrow)])
            #expect(try await join().code == "escalation")
            #expect(try await plane.send("DELETE", "/v1/deny-rules/\(brief)").status == 204)
            _ = try await deny(friend.id, "friend's")
            #expect(try await join().status == 204)
            #expect(try await bind(setting.acme).status == 201)
            // A role that is new gives nothing; one that is there gives more to those who have it.
            let body: JSONValue = [
                "organization": .string(setting.acme), "name": "r", "permissions": ["virtual_keys.create"],
            ]
            #expect(try await plane.send("POST", "/v1/roles", body, token: admin.token).status == 201)
            let role = try await plane.make("/v1/roles", body.with(["name": "s", "permissions": ["units.read"]])).id
            func add(_ permission: String) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "PATCH", "/v1/roles/\(role)", ["permissions": ["units.read", .string(permission)]], ifMatch: "*",
                    token: admin.token)
            }
            #expect(try await add("virtual_keys.create").code == "escalation")
            #expect(try await add("budgets.read").status == 200)
        }
    }

    @Test func `what is the instance's is not there for those of an organization`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject("acme")
            let owner = try await plane.member(of: organization, with: .owner, at: organization)
            let instance = try await plane.member(of: nil, with: .operator, at: nil)
            let binding = try await plane.send("GET", "/v1/bindings?subject=\(instance.subject)")
            let role = try await plane.make("/v1/roles", ["name": "r", "permissions": ["events.read"]]).id
            let rule = try await plane.make(
                "/v1/deny-rules",
                ["name": "d", "permissions": ["reratings.create"], "subject": .string(instance.subject)]
            ).id
            let duties = try await plane.make(
                "/v1/duty-separations",
                ["name": "s", "first": ["reratings.read"], "second": ["provider_statements.create"]]
            ).id
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            let webhook = try await plane.make(
                "/v1/webhooks",
                ["organization": .null, "name": "w", "url": "https://hooks.example/", "event_types": ["*"]]
            ).id
            let user = try await plane.make("/v1/users", ["login": "u", "name": "u"]).id
            let bound = try #require(binding["items"]?.array?.first?["id"]?.string)
            for (path, patch): (String, JSONValue) in [
                ("roles/\(role)", ["name": "x"]), ("deny-rules/\(rule)", ["name": "x"]),
                ("duty-separations/\(duties)", ["name": "x"]), ("bindings/\(bound)", ["reason": "x"]),
                ("providers/\(provider)", ["name": "x"]), ("webhooks/\(webhook)", ["name": "x"]),
                ("users/\(user)", ["name": "x"]), ("service-accounts/\(instance.subject)", ["name": "x"]),
            ] {
                for reply in [
                    try await plane.send("PATCH", "/v1/\(path)", patch, ifMatch: "*", token: owner.token),
                    try await plane.send("DELETE", "/v1/\(path)", token: owner.token),
                ] { #expect(reply.status == 404, "\(path): \(reply.json.text)") }
                #expect(try await plane.send("GET", "/v1/\(path)").status == 200)
            }
            #expect(
                try await plane.send("POST", "/v1/webhooks/\(webhook)/test", token: owner.token).status == 404)
            // That there is an instance is no secret: to make something there is refused as it is.
            for (path, body): (String, JSONValue) in [
                ("roles", ["name": "x", "permissions": ["events.read"]]), ("users", ["login": "x", "name": "x"]),
                ("providers", ["name": "x", "kind": "mock"]),
                ("deny-rules", ["name": "x", "permissions": ["events.read"]]),
                ("service-accounts", ["name": "x"]),
            ] {
                let reply = try await plane.send("POST", "/v1/\(path)", body, token: owner.token)
                #expect(reply.status == 403 && reply.code == "permission_denied", "\(path): \(reply.json.text)")
            }
        }
    }
}
