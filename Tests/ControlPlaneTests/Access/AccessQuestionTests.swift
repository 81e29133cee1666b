import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct AccessQuestionTests {
    @Test func `who can, what can and why are one answer`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let viewer = try await plane.member(of: acme, with: .viewer, at: acme)
            let grouped = try await plane.member(of: acme, "grouped")
            let group = try await plane.groups(around: grouped, of: acme)
            let binding = try await plane.bind(
                group, BuiltInRole.developer.id.description, at: project,
                more: ["expires_at": "2031-01-01T00:00:00Z", "reason": "team"])
            let who = try await plane.send(
                "GET", "/v1/access/who-can?permission=virtual_keys.create&scope=\(project)")
            #expect(who["count"] == 1 && who["items"]?.array?.count == 1)
            let holder = who["items"]?.array?.first
            #expect(holder?["subject"]?.string == grouped.subject)
            #expect(holder?["grant"]?["binding"]?.string == binding.id)
            #expect(holder?["grant"]?["groups"]?.array?.count == 2)
            #expect(holder?["grant"]?["groups"]?.array?.last?.string == group)
            #expect(holder?["grant"]?["scope"]?.string == project)
            // At the organization nobody of its own can; the instance's owner can.
            let above = try await plane.send("GET", "/v1/access/who-can?permission=virtual_keys.create&scope=\(acme)")
            #expect(above["count"] == 0)
            let instance = try await plane.send(
                "GET", "/v1/access/who-can?permission=virtual_keys.create&scope=\(acme)&of=instance")
            #expect(instance["count"] == 1 && instance["items"]?.array?.first?["grant"]?["scope"] == .null)
            // Page by page.
            let first = try await plane.send(
                "GET", "/v1/access/who-can?permission=projects.read&scope=\(project)&limit=1")
            #expect(first["count"] == 2 && first["items"]?.array?.count == 1)
            let cursor = try #require(first["next_cursor"]?.string)
            let second = try await plane.send(
                "GET", "/v1/access/who-can?permission=projects.read&scope=\(project)&limit=1&cursor=\(cursor)")
            #expect(second["next_cursor"] == .null && second["items"] != first["items"])

            let what = try await plane.send("GET", "/v1/access/what-can?subject=\(viewer.subject)&scope=\(project)")
            #expect(what["permissions"] == BuiltInRole.viewer.permissions.json)
            func explain(_ subject: String, _ permission: String, _ scope: String) async throws
                -> TestControlPlane.Reply
            {
                try await plane.send(
                    "GET", "/v1/access/explain?subject=\(subject)&permission=\(permission)&scope=\(scope)")
            }
            let yes = try await explain(grouped.subject, "virtual_keys.create", project)
            #expect(yes["allowed"] == true && yes["grants"]?["count"] == 1)
            let elsewhere = try await explain(grouped.subject, "virtual_keys.create", acme)
            #expect(elsewhere["allowed"] == false)
            #expect(elsewhere["elsewhere"]?["items"]?.array?.first?["binding"]?.string == binding.id)
            let missing = try await explain(viewer.subject, "virtual_keys.create", acme)
            let roles = missing["roles"]?["items"]?.array?.compactMap(\.string) ?? []
            #expect(roles.contains(BuiltInRole.developer.id.description) && missing["grants"]?["count"] == 0)
            // The same as what happens.
            let made = try await plane.send(
                "POST", "/v1/virtual-keys", ["project": .string(project), "name": "k"], token: grouped.token)
            #expect(made.status == 201)
            // Who may not ask is not told, and a stranger's place is not there.
            #expect(
                try await plane.send("GET", "/v1/access/review?organization=\(acme)", token: viewer.token).status == 403
            )
            let (other, _) = try await plane.makeProject("other")
            let stranger = try await plane.member(of: other, with: .owner, at: other)
            let asked = try await plane.send(
                "GET", "/v1/access/what-can?subject=\(viewer.subject)&scope=\(other)", token: stranger.token)
            #expect(asked.status == 400 && asked["pointer"] == "subject")
            #expect(try await plane.send("GET", "/v1/access/who-can?permission=budgets.fly").status == 400)
        }
    }

    @Test func `a change is told by whom it would give and take what, and is not made`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let one = try await plane.member(of: acme, "one")
            let two = try await plane.member(of: acme, "two")
            let group = try await plane.groups(around: one, of: acme)
            let developer = BuiltInRole.developer.id.description
            let binding = try await plane.bind(group, developer, at: project)
            func effect(_ body: JSONValue) async throws -> TestControlPlane.Reply {
                try await plane.send("POST", "/v1/access/effect", body)
            }
            let removed = try await effect(["unbind": .string(binding.id)])
            #expect(removed["losing"] == 1 && removed["gaining"] == 0)
            let change = removed["subjects"]?.array?.first?["changes"]?.array?.first
            #expect(removed["subjects"]?.array?.first?["subject"]?.string == one.subject)
            #expect(change?["scope"]?.string == project && change?["lost"] == BuiltInRole.developer.permissions.json)
            let joined = try await effect(["join": ["member": .string(two.subject), "group": .string(group)]])
            #expect(joined["gaining"] == 1 && joined["subjects"]?.array?.first?["subject"]?.string == two.subject)
            let bound = try await effect(
                ["bind": ["subject": .string(two.subject), "role": .string(developer), "scope": .string(acme)]])
            #expect(bound["gaining"] == 1)
            let denied = try await effect(
                ["deny": ["permissions": ["virtual_keys.create"], "scope": .string(project)]])
            #expect(denied["losing"] == 1)
            let disabled = try await effect(["disable": .string(one.subject)])
            #expect(disabled["losing"] == 1)
            // Nothing of it happened.
            #expect(try await plane.send("GET", "/v1/projects/\(project)", token: one.token).status == 200)
            #expect(try await plane.send("GET", "/v1/projects/\(project)", token: two.token).status == 403)
            for (body, pointer): (JSONValue, String) in [
                ([:], ""), (["unbind": .string(binding.id), "disable": .string(one.subject)], ""),
                (["disable": "usr_01jd3x0r7ze4qbt0xq4v6m2k5n"], "/disable"),
                (["role": ["id": .string(developer), "permissions": ["budgets.read"]]], "/role/id"),
            ] {
                let refused = try await effect(body)
                #expect(refused.status == 400 && refused["pointer"]?.string == pointer, "\(refused.json.text)")
            }
        }
    }

    @Test func `a review says who has what, since when, from whom and by which way`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let direct = try await plane.member(of: acme, with: .viewer, at: acme)
            let grouped = try await plane.member(of: acme, "=grouped")
            let group = try await plane.groups(around: grouped, of: acme)
            try await plane.bind(
                group, BuiltInRole.developer.id.description, at: project, more: ["reason": "team, \"a\""])
            let review = try await plane.send("GET", "/v1/access/review?organization=\(acme)")
            let items = review["items"]?.array ?? []
            #expect(items.map { $0["subject"]?.string } == [direct.subject, grouped.subject])
            #expect(items.map { $0["role_name"]?.string } == ["viewer", "developer"])
            #expect(items.last?["grant"]?["groups"]?.array?.count == 2 && items.last?["reason"] == "team, \"a\"")
            #expect(items.allSatisfy { $0["granted_by"]?["kind"] == "service_account" && $0["active"] == true })
            // What is used is known after a while, of members of groups too.
            #expect(items.allSatisfy { $0["last_used_at"] == .null })
            #expect(try await plane.send("GET", "/v1/projects/\(project)", token: grouped.token).status == 200)
            #expect(try await plane.send("GET", "/v1/projects", token: direct.token).status == 200)
            #expect(try await plane.services.uses.bindings.write(to: plane.services.database) >= 2)
            let used = try await plane.send("GET", "/v1/access/review?organization=\(acme)")
            #expect(used["items"]?.array?.allSatisfy { $0["last_used_at"] != .null } == true)
            let page = try await plane.send("GET", "/v1/access/review?organization=\(acme)&limit=1")
            #expect(page["items"]?.array?.count == 1 && page["next_cursor"]?.string == direct.subject)
            let csv = try await plane.send(
                "GET", "/v1/access/review?organization=\(acme)&format=csv&limit=1&cursor=\(direct.subject)")
            let lines = String(decoding: csv.response.body, as: UTF8.self).split(separator: "\r\n")
            #expect(lines.count == 2 && lines[0].hasPrefix("subject,name,active,role,role_name,scope,groups,binding"))
            // What a spreadsheet would run is text, and quotes are doubled.
            #expect(lines[1].contains("'=grouped") && lines[1].contains("\"team, \"\"a\"\"\""))
            #expect(csv.response.header("next-cursor") == nil)
        }
    }
}
