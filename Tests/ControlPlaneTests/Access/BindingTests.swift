import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct BindingTests {
    @Test func `a member sees and changes what is under the scope of his role, and the rest is not there`() async throws
    {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let (other, foreign) = try await plane.makeProject("other")
            let sibling = try await plane.make("/v1/projects", ["name": "second", "parent": .string(acme)]).id
            let developer = try await plane.member(of: acme, with: .developer, at: project)
            func send(_ method: String, _ target: String, _ body: JSONValue? = nil) async throws
                -> TestControlPlane.Reply
            {
                try await plane.send(
                    method, target, body, ifMatch: method == "PATCH" ? "*" : nil, token: developer.token)
            }
            #expect(try await send("GET", "/v1/projects/\(project)").status == 200)
            for hidden in [sibling, foreign] {
                #expect(try await send("GET", "/v1/projects/\(hidden)").code == "not_found")
                #expect(try await send("PATCH", "/v1/projects/\(hidden)", ["name": "x"]).status == 403)
            }
            #expect(try await send("GET", "/v1/organizations/\(acme)").code == "not_found")
            let projects = try await send("GET", "/v1/projects")
            #expect(projects["items"]?.array?.map { $0["id"]?.string } == [project] && projects["next_cursor"] == .null)
            #expect(try await send("GET", "/v1/organizations")["items"] == .array([]))
            // What he may do, where he may.
            let key = try await send("POST", "/v1/virtual-keys", ["project": .string(project), "name": "mine"])
            #expect(key.status == 201)
            for place in [sibling, foreign, "prj_01jd3x0r7ze4qbt0xq4v6m2k5n"] {
                let refused = try await send(
                    "POST", "/v1/virtual-keys", ["project": .string(place), "name": "not mine"])
                #expect(refused.status == 400 && refused["pointer"] == "/project", "\(refused.json.text)")
            }
            // What he sees and may not change is not hidden from him.
            #expect(try await send("PATCH", "/v1/projects/\(project)", ["name": "x"]).code == "permission_denied")
            let budget = try await plane.make(
                "/v1/budgets",
                ["scope": .string(project), "name": "b", "amount_usd": "1", "period": "day"])
            #expect(try await send("GET", "/v1/budgets/\(budget.id)").status == 200)
            #expect(try await send("DELETE", "/v1/budgets/\(budget.id)").code == "permission_denied")
            let above = try await plane.make(
                "/v1/budgets",
                ["scope": .string(other), "name": "b", "amount_usd": "1", "period": "day"])
            #expect(try await send("GET", "/v1/budgets/\(above.id)").status == 404)
            #expect(try await send("GET", "/v1/budgets")["items"]?.array?.count == 1)
            // What is the instance's.
            #expect(try await send("GET", "/v1/gateway-groups").code == "permission_denied")
            #expect(try await send("GET", "/v1/providers")["items"] == .array([]))
        }
    }

    @Test func `a role that is taken away is gone with the next request, and so is a membership`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let member = try await plane.member(of: acme)
            func status() async throws -> Int {
                try await plane.send("GET", "/v1/projects/\(project)", token: member.token).status
            }
            #expect(try await status() == 403)
            let binding = try await plane.bind(member.subject, BuiltInRole.viewer.id.description, at: acme)
            #expect(try await status() == 200)
            #expect(try await plane.send("DELETE", "/v1/bindings/\(binding.id)").status == 204)
            #expect(try await status() == 403)
            // Through a group in a group.
            let (inner, outer): (GroupID, GroupID) = (TimeSource.system.newID(), TimeSource.system.newID())
            let organization = try #require(OrganizationID(acme))
            try await plane.database.database.transaction { tx in
                for (id, name) in [(inner, "inner"), (outer, "outer")] {
                    _ = try tx.execute(
                        "insert into user_group (id, organization_id, name) values ($1, $2, $3)", id, organization, name
                    )
                }
                _ = try tx.execute(
                    """
                    insert into group_member (group_id, member_kind, member_id, organization_id)
                    values ($1, 'service_account', $2, $4), ($3, 'group', $1, $4)
                    """, inner, member.id, outer, organization)
            }
            try await plane.bind(outer.description, BuiltInRole.viewer.id.description, at: project)
            #expect(try await status() == 200)
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update group_member set deleted_at = now() where group_id = $1", outer)
            }
            #expect(try await status() == 403)
        }
    }

    @Test func `nobody gives what he does not hold`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let friend = try await plane.member(of: acme, "friend")
            let role = try await plane.make(
                "/v1/roles",
                [
                    "organization": .string(acme), "name": "granter",
                    "permissions": ["bindings.create", "bindings.read", "projects.read", "roles.create", "roles.read"],
                ]
            ).id
            let granter = try await plane.member(of: acme, "granter")
            try await plane.bind(granter.subject, role, at: project)
            func bind(_ role: String, _ scope: String, _ subject: String) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/bindings",
                    ["subject": .string(subject), "role": .string(role), "scope": .string(scope)], token: granter.token)
            }
            let more = try await bind(BuiltInRole.viewer.id.description, project, friend.subject)
            #expect(more.status == 403 && more.code == "escalation", "\(more.json.text)")
            #expect(try await bind(BuiltInRole.viewer.id.description, project, granter.subject).code == "escalation")
            #expect(try await bind(role, project, friend.subject).status == 201)
            #expect(try await bind(role, project, friend.subject).code == "already_bound")
            // Not where he holds nothing.
            let above = try await bind(role, acme, friend.subject)
            #expect(above.status == 400 && above["pointer"] == "/scope")
            // A role is the organization's, and he holds his at a project only.
            let made = try await plane.send(
                "POST", "/v1/roles",
                ["organization": .string(acme), "name": "mine", "permissions": ["projects.read"]], token: granter.token)
            #expect(made.status == 400 && made["pointer"] == "/organization", "\(made.json.text)")
            // With more in it, the role would give more to himself.
            try await plane.bind(
                granter.subject,
                try await plane.make(
                    "/v1/roles",
                    ["organization": .string(acme), "name": "roles", "permissions": ["roles.update", "roles.read"]]
                ).id, at: acme)
            let grown = try await plane.send(
                "PATCH", "/v1/roles/\(role)", ["permissions": ["bindings.create", "credentials.read"]], ifMatch: "*",
                token: granter.token)
            #expect(grown.code == "escalation", "\(grown.json.text)")
            // Who may bind what he does not hold does.
            try await plane.bind(
                granter.subject,
                try await plane.make(
                    "/v1/roles", ["organization": .string(acme), "name": "binder", "permissions": ["roles.bind"]]
                ).id, at: project)
            #expect(try await bind(BuiltInRole.viewer.id.description, project, friend.subject).status == 201)
        }
    }

    @Test func `the machine itself is its operator's, whoever administers an organization`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, _) = try await plane.makeProject("acme")
            let owner = try await plane.member(of: acme, with: .owner, at: acme)
            func provider(_ url: String, _ token: String? = nil) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/providers",
                    [
                        "scope": .string(acme), "name": .string(url), "kind": "openai-compatible",
                        "base_url": .string(url),
                    ],
                    token: token)
            }
            func webhook(_ url: String, _ token: String? = nil) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/webhooks",
                    ["organization": .string(acme), "name": "h", "url": .string(url), "event_types": ["*"]],
                    token: token)
            }
            for url in ["http://127.0.0.1:9464", "http://localhost:1/v1", "http://[::1]:1"] {
                let refused = try await provider(url, owner.token)
                #expect(
                    refused.code == "loopback_not_allowed" && refused["pointer"] == "/base_url", "\(refused.json.text)")
                #expect(try await webhook(url, owner.token).code == "loopback_not_allowed")
            }
            #expect(try await provider("http://127.0.0.1:9464").status == 201)
            let made = try await provider("https://llm.acme.example", owner.token)
            #expect(made.status == 201, "\(made.json.text)")
            let moved = try await plane.send(
                "PATCH", "/v1/providers/\(made.id)", ["base_url": "http://localhost:2"], ifMatch: "*",
                token: owner.token)
            #expect(moved.code == "loopback_not_allowed")
            let hook = try await webhook("https://hooks.acme.example", owner.token)
            let turned = try await plane.send(
                "PATCH", "/v1/webhooks/\(hook.id)", ["url": "http://localhost:2"], ifMatch: "*", token: owner.token)
            #expect(turned.code == "loopback_not_allowed")
        }
    }

    @Test func `who holds something for a while gives it for no longer, and does not prolong it`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, _) = try await plane.makeProject("acme")
            let friend = try await plane.member(of: acme, "friend")
            let deputy = try await plane.member(of: acme, "deputy")
            let admin = BuiltInRole.admin.id.description
            let own = try await plane.bind(
                deputy.subject, admin, at: acme, more: ["expires_at": "2031-01-01T00:00:00Z"])
            func bind(_ expires: JSONValue) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/bindings",
                    [
                        "subject": .string(friend.subject), "role": .string(admin), "scope": .string(acme),
                        "expires_at": expires,
                    ], token: deputy.token)
            }
            for expires: JSONValue in [.null, "2031-01-01T00:00:00.000001Z"] {
                let refused = try await bind(expires)
                #expect(refused.code == "escalation", "\(refused.json.text)")
                #expect(refused["detail"]?.string?.contains("for so long") == true)
            }
            #expect(try await bind("2031-01-01T00:00:00Z").status == 201)
            let prolonged = try await plane.send(
                "PATCH", "/v1/bindings/\(own.id)", ["expires_at": "2032-01-01T00:00:00Z"], ifMatch: "*",
                token: deputy.token)
            #expect(prolonged.code == "escalation")
            let shortened = try await plane.send(
                "PATCH", "/v1/bindings/\(own.id)", ["expires_at": "2030-01-01T00:00:00Z"], ifMatch: "*",
                token: deputy.token)
            #expect(shortened.status == 200)
        }
    }

    @Test func `a deny rule is stronger than any role, and not for the weak to take away`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let owner = try await plane.member(of: acme, with: .owner, at: acme)
            func send(_ method: String, _ target: String, _ body: JSONValue? = nil) async throws
                -> TestControlPlane.Reply
            {
                try await plane.send(method, target, body, token: owner.token)
            }
            #expect(try await send("GET", "/v1/projects/\(project)").status == 200)
            let rule = try await plane.make(
                "/v1/deny-rules",
                ["name": "closed", "permissions": ["projects.read"], "scope": .string(project), "reason": "moved"])
            #expect(rule["subject"] == .null && rule["organization"]?.string == acme)
            #expect(try await send("GET", "/v1/projects/\(project)").status == 404)
            #expect(try await send("GET", "/v1/projects")["items"] == .array([]))
            // The owner holds roles.bind, which is what lifting takes; who does not may not.
            #expect(try await send("DELETE", "/v1/deny-rules/\(rule.id)").status == 204)
            let weak = try await plane.member(of: acme, "weak")
            try await plane.bind(
                weak.subject,
                try await plane.make(
                    "/v1/roles",
                    [
                        "organization": .string(acme), "name": "rules",
                        "permissions": ["deny_rules.create", "deny_rules.read", "deny_rules.delete"],
                    ]
                ).id, at: acme)
            let against = try await plane.send(
                "POST", "/v1/deny-rules",
                ["name": "up", "permissions": ["budgets.read"], "scope": .string(acme)], token: weak.token)
            #expect(against.code == "escalation" && against["detail"]?.string?.contains("deny budgets.read") == true)
            // Those who run the instance are not shut out by an organization.
            let support = try await plane.member(of: nil, with: .viewer, at: nil)
            let shut = try await send(
                "POST", "/v1/deny-rules",
                [
                    "name": "shut", "permissions": ["projects.read"], "subject": .string(support.subject),
                    "scope": .string(acme),
                ])
            #expect(shut.code == "permission_denied", "\(shut.json.text)")
            // One that has ended forbids nothing.
            let past = try await plane.make(
                "/v1/deny-rules",
                [
                    "name": "past", "permissions": ["projects.read"], "subject": .string(owner.subject),
                    "scope": .string(project), "expires_at": "2020-01-01T00:00:00Z",
                ])
            #expect(past["expires_at"] != .null)
            #expect(try await send("GET", "/v1/projects/\(project)").status == 200)
        }
    }

    @Test func `nobody frees himself of a deny rule by leaving the group it is for`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, _) = try await plane.makeProject("acme")
            let group = try await plane.make("/v1/groups", ["organization": .string(acme), "name": "trainees"]).id
            let trainee = try await plane.member(of: acme, "trainee")
            let path = "/v1/groups/\(group)/members/\(trainee.subject)"
            #expect(try await plane.send("PUT", path).status == 204)
            try await plane.bind(trainee.subject, BuiltInRole.admin.id.description, at: acme)
            let rule = try await plane.make(
                "/v1/deny-rules",
                [
                    "name": "not yet", "permissions": ["budgets.increase"], "subject": .string(group),
                    "scope": .string(acme),
                ])
            func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> TestControlPlane.Reply
            {
                try await plane.send(
                    method, path, body, ifMatch: method == "PATCH" ? "*" : nil, token: trainee.token)
            }
            #expect(try await send("DELETE", path).code == "escalation")
            #expect(try await send("PATCH", "/v1/groups/\(group)", ["status": "disabled"]).code == "escalation")
            #expect(try await send("DELETE", "/v1/groups/\(group)").code == "escalation")
            #expect(try await send("DELETE", "/v1/deny-rules/\(rule.id)").code == "escalation")
            // Who holds what was denied lets him go.
            let owner = try await plane.member(of: acme, with: .owner, at: acme)
            #expect(try await plane.send("DELETE", path, token: owner.token).status == 204)
        }
    }

    @Test func `nobody comes to hold both sides of a separation of duties`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            func role(_ name: String, _ permissions: JSONValue) async throws -> String {
                try await plane.make(
                    "/v1/roles", ["organization": .string(acme), "name": .string(name), "permissions": permissions]
                ).id
            }
            let maker = try await role("maker", ["virtual_keys.create"])
            let checker = try await role("checker", ["virtual_keys.revoke"])
            let both = try await plane.member(of: acme, "both before")
            try await plane.bind(both.subject, maker, at: acme)
            try await plane.bind(both.subject, checker, at: project)
            let overlap = try await plane.send(
                "POST", "/v1/duty-separations",
                [
                    "organization": .string(acme), "name": "keys",
                    "first": ["virtual_keys.create", "virtual_keys.read"],
                    "second": ["virtual_keys.read"],
                ])
            #expect(overlap.code == "both_sides" && overlap["pointer"] == "/second")
            _ = try await plane.make(
                "/v1/duty-separations",
                [
                    "organization": .string(acme), "name": "keys", "first": ["virtual_keys.create"],
                    "second": ["virtual_keys.revoke"], "reason": "four eyes",
                ])
            let member = try await plane.member(of: acme, "member")
            try await plane.bind(member.subject, maker, at: project)
            let refused = try await plane.send(
                "POST", "/v1/bindings",
                ["subject": .string(member.subject), "role": .string(checker), "scope": .string(acme)])
            #expect(refused.status == 409 && refused.code == "separation_of_duties")
            #expect(refused["detail"]?.string?.contains(member.subject) == true)
            // A role that grows would do it too.
            let grown = try await plane.send(
                "PATCH", "/v1/roles/\(maker)", ["permissions": ["virtual_keys.create", "virtual_keys.revoke"]],
                ifMatch: "*")
            #expect(grown.code == "separation_of_duties")
            // In another project he may.
            let second = try await plane.make("/v1/projects", ["name": "second", "parent": .string(acme)]).id
            try await plane.bind(member.subject, checker, at: second)
        }
    }

    @Test func `bindings and roles are said as they are, and refused where they stand`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let (other, _) = try await plane.makeProject("other")
            let member = try await plane.member(of: acme)
            let stranger = try await plane.member(of: other)
            let owner = BuiltInRole.owner.id.description
            let binding = try await plane.bind(
                member.subject, owner, at: project,
                more: ["reason": "on call", "expires_at": "2031-01-01T00:00:00Z"])
            #expect(
                binding["reason"] == "on call"
                    && binding["expires_at"]?.string?.hasPrefix("2031-01-01T00:00:00") == true)
            #expect(binding["created_by"]?["kind"] == "service_account" && binding["last_used_at"] == .null)
            for (body, pointer): (JSONValue, String) in [
                (["subject": .string(stranger.subject), "role": .string(owner), "scope": .string(acme)], "/subject"),
                (["subject": .string(member.subject), "role": .string(owner)], "/subject"),
                (
                    [
                        "subject": .string(member.subject), "role": "rol_01jd3x0r7ze4qbt0xq4v6m2k5n",
                        "scope": .string(acme),
                    ],
                    "/role"
                ),
                (
                    [
                        "subject": .string(member.subject), "role": .string(owner), "scope": .string(acme),
                        "expires_at": "2020-01-01T00:00:00Z",
                    ], "/expires_at"
                ),
            ] {
                let refused = try await plane.send("POST", "/v1/bindings", body)
                #expect(refused.status == 400 && refused["pointer"]?.string == pointer, "\(refused.json.text)")
            }
            let wild = try await plane.send(
                "POST", "/v1/roles", ["organization": .string(acme), "name": "x", "permissions": ["budgets.*"]])
            #expect(wild.status == 400 && wild["pointer"] == "/permissions/0", "\(wild.json.text)")
            #expect(wild["detail"]?.string?.contains("/openapi.json lists, for example organizations.create") == true)
            #expect(try await plane.send("DELETE", "/v1/roles/\(owner)").code == "built_in")
            let changed = try await plane.send(
                "PATCH", "/v1/bindings/\(binding.id)", ["expires_at": .null], ifMatch: binding.etag)
            #expect(changed["expires_at"] == .null && changed["revision"] == 2)
            let listed = try await plane.send("GET", "/v1/bindings?subject=\(member.subject)&scope=\(project)")
            #expect(listed["items"]?.array?.count == 1)
            let roles = try await plane.send("GET", "/v1/roles?limit=3")
            #expect(roles["items"]?.array?.map { $0["name"]?.string } == ["owner", "admin", "billing"])
            let next = try await plane.send("GET", "/v1/roles?cursor=\(roles["next_cursor"]?.string ?? "")")
            #expect(next["items"]?.array?.first?["name"] == "developer")
            // Nobody shuts himself out by accident.
            let owned = try await plane.member(of: acme, with: .owner, at: acme)
            _ = try await plane.member(of: acme, with: .owner, at: acme)
            let me = "/v1/service-accounts/\(owned.subject)"
            #expect(try await plane.send("DELETE", me, token: owned.token).code == "own_account")
            let off = try await plane.send("PATCH", me, ["status": "disabled"], ifMatch: "*", token: owned.token)
            #expect(off.code == "own_account")
            #expect(try await plane.send("DELETE", me).status == 204)
            // An expired binding allows nothing.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update role_binding set expires_at = now() where subject_id = $1", member.id)
            }
            #expect(try await plane.send("GET", "/v1/projects/\(project)", token: member.token).status == 403)
        }
    }
}
