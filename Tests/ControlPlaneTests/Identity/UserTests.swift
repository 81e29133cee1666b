import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct UserTests {
    @Test func `a user lives and leaves a tombstone`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let made = try await plane.make(
                "/v1/users",
                [
                    "organization": .string(setting.acme), "login": "ann@acme.example", "name": "Ann Canary",
                    "email": "ann@acme.example", "metadata": ["desk": "7"],
                ])
            #expect(made["status"] == "active" && made.etag == "\"1\"")
            #expect(made["organization"]?.string == setting.acme)
            let path = "/v1/users/\(made.id)"
            #expect(try await plane.send("GET", path).json == made.json)

            #expect(try await plane.send("PATCH", path, ["name": "B"]).status == 428)
            #expect(try await plane.send("PATCH", path, ["name": "B"], ifMatch: "\"7\"").code == "revision_mismatch")
            let changed = try await plane.send(
                "PATCH", path,
                [
                    "name": "B", "login": "b", "email": .null, "status": "disabled",
                    "metadata": ["desk": .null, "n": "1"],
                ],
                ifMatch: made.etag)
            #expect(changed.status == 200 && changed.etag == "\"2\"")
            #expect(changed["email"] == .null && changed["metadata"] == ["n": "1"] && changed["login"] == "b")
            #expect(changed["status"] == "disabled")

            #expect(try await plane.send("DELETE", path, ifMatch: "\"1\"").status == 412)
            let deleted = try await plane.send("DELETE", path, ifMatch: changed.etag)
            #expect(deleted.status == 204 && deleted.receipt != nil)
            #expect(try await plane.send("GET", path).status == 404)
            #expect(try await plane.send("DELETE", path).status == 404)
            #expect(try await plane.send("PATCH", path, ["name": "C"], ifMatch: "*").status == 404)
            #expect(try await plane.count("user_account where deleted_at is not null") == 1)
            // The login is free again; the identifier never is.
            let again = try await plane.make(
                "/v1/users", ["organization": .string(setting.acme), "login": "b", "name": "B"])
            #expect(again.id != made.id)
        }
    }

    @Test func `what a user may not be is said`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let base: JSONValue = ["organization": .string(setting.acme), "login": "x", "name": "X"]
            for (members, pointer) in [
                (["login": ""], "/login"), (["login": "a b"], "/login"), (["login": "a\u{200B}b"], "/login"),
                (["login": "a\u{7}"], "/login"), (["name": ""], "/name"), (["email": "nobody"], "/email"),
                (["email": "@x"], "/email"), (["status": "gone"], "/status"), (["role": "owner"], "/role"),
                (["organization": "org_00000000000000000000000000"], "/organization"),
                (["organization": .string(setting.project)], "/organization"),
                (["metadata": ["a": 1]], "/metadata/a"),
            ] as [(JSONValue, String)] {
                let reply = try await plane.send("POST", "/v1/users", base.merging(members))
                #expect(
                    reply.status == 400 && reply["pointer"]?.string == pointer, "\(members.text): \(reply.json.text)")
            }
            _ = try await plane.make("/v1/users", base)
            let taken = try await plane.send("POST", "/v1/users", base.merging(["login": "X"]))
            #expect(taken.status == 409 && taken.code == "login_taken" && taken["pointer"] == "/login")
            // Each partition has logins of its own.
            let second = try await plane.make("/v1/users", base.merging(["organization": .string(setting.other)]))
            _ = try await plane.make("/v1/users", ["login": "x", "name": "X"])
            _ = try await plane.make("/v1/users", base.merging(["login": "y", "organization": .string(setting.other)]))
            let renamed = try await plane.send("PATCH", "/v1/users/\(second.id)", ["login": "Y"], ifMatch: "*")
            #expect(renamed.code == "login_taken")
        }
    }

    @Test func `a creation under a name takes effect once`() async throws {
        try await TestIdentity.with { setting in
            let body: JSONValue = ["organization": .string(setting.acme), "login": "once", "name": "Once"]
            let first = try await setting.plane.send("POST", "/v1/users", body, key: "k")
            let second = try await setting.plane.send("POST", "/v1/users", body, key: "k")
            #expect(first.status == 201 && second.status == 201 && first.json == second.json)
            #expect(first.receipt != nil && second.receipt == nil)
            let other = try await setting.plane.send("POST", "/v1/users", body.merging(["login": "2"]), key: "k")
            #expect(other.code == "idempotency_key_reused")
            #expect(try await setting.plane.count("user_account") == 1)
        }
    }

    @Test func `a list is walked by its cursor and narrowed`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            var made: [String: [String]] = [:]
            for (organization, logins) in [
                (setting.acme, ["Anna", "anton", "bob", "an_x"]), (setting.other, ["ann", "zoe"]), (nil, ["anybody"]),
            ] {
                for login in logins {
                    var body: [String: JSONValue] = ["login": .string(login), "name": "n"]
                    if let organization { body["organization"] = .string(organization) }
                    made[organization ?? "", default: []].append(try await plane.make("/v1/users", .object(body)).id)
                }
            }
            let (acme, other, own) = (made[setting.acme] ?? [], made[setting.other] ?? [], made[""] ?? [])
            #expect(try await setting.ids("/v1/users") == acme + other + own)
            #expect(try await setting.ids("/v1/users?organization=\(setting.acme)") == acme)
            #expect(
                try await setting.ids("/v1/users?organization=\(setting.acme)&login=AN") == [acme[0], acme[1], acme[3]])
            #expect(try await setting.ids("/v1/users?login=ann") == [acme[0], other[0]])
            #expect(try await setting.ids("/v1/users?login=an_") == [acme[3]])
            #expect(try await setting.ids("/v1/users?login=%25") == [])
            #expect(
                try await plane.send("PATCH", "/v1/users/\(acme[2])", ["status": "disabled"], ifMatch: "*").status
                    == 200)
            #expect(try await setting.ids("/v1/users?status=disabled") == [acme[2]])
            #expect(try await setting.ids("/v1/users?status=active&organization=\(setting.acme)").count == 3)
            let group = try await plane.make(
                "/v1/groups", ["organization": .string(setting.acme), "name": "g"]
            ).id
            for member in [acme[3], acme[0]] {
                #expect(try await plane.send("PUT", "/v1/groups/\(group)/members/\(member)").status == 204)
            }
            #expect(try await setting.ids("/v1/users?group=\(group)") == [acme[0], acme[3]])
            #expect(try await setting.ids("/v1/users?group=\(group)&login=anna") == [acme[0]])
            #expect(try await setting.ids("/v1/users?group=grp_00000000000000000000000000") == [])
            for query in ["status=gone", "organization=x", "login=", "cursor=AA", "group=\(acme[0])"] {
                #expect(try await plane.send("GET", "/v1/users?\(query)").status == 400, "\(query)")
            }
        }
    }

    @Test func `a member of an organization sees and changes what is in it, and nothing else`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let viewer = try await setting.user("viewer", of: setting.acme, .viewer)
            let foreign = try await setting.user("foreign", of: setting.other, .admin)
            let own = try await setting.user("own", of: nil)
            #expect(try await setting.ids("/v1/users", token: admin.token) == [admin.id, viewer.id])
            #expect(try await setting.ids("/v1/users", token: foreign.token) == [foreign.id])
            #expect(try await setting.ids("/v1/users?organization=\(setting.other)", token: admin.token) == [])
            for id in [foreign.id, own.id] {
                let path = "/v1/users/\(id)"
                #expect(try await plane.send("GET", path, token: admin.token).status == 404)
                #expect(
                    try await plane.send("PATCH", path, ["name": "x"], ifMatch: "*", token: admin.token).status == 404)
                #expect(try await plane.send("DELETE", path, token: admin.token).status == 404)
            }
            #expect(try await plane.send("GET", "/v1/users/\(foreign.id)/groups", token: admin.token).status == 404)
            // In another organization, and in the instance, he makes nobody.
            let body: JSONValue = ["login": "new", "name": "New"]
            let there = try await plane.send(
                "POST", "/v1/users", body.merging(["organization": .string(setting.other)]), token: admin.token)
            #expect(there.status == 400 && there["pointer"] == "/organization")
            #expect(try await plane.send("POST", "/v1/users", body, token: admin.token).status == 403)
            let here = try await plane.send(
                "POST", "/v1/users", body.merging(["organization": .string(setting.acme)]), token: admin.token)
            #expect(here.status == 201)
            // Who sees them only is told so.
            #expect(try await plane.send("GET", "/v1/users/\(here.id)", token: viewer.token).status == 200)
            #expect(
                try await plane.send("DELETE", "/v1/users/\(here.id)", token: viewer.token).code == "permission_denied")
            // A role at a project is for what is at it.
            let developer = try await setting.user("dev", of: setting.acme, .admin, at: setting.project)
            #expect(try await setting.ids("/v1/users", token: developer.token) == [])
            #expect(try await plane.send("GET", "/v1/users/\(here.id)", token: developer.token).status == 404)
        }
    }

    @Test func `what a person is called is in the audit log under the person's key only`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let made = try await plane.make(
                "/v1/users",
                [
                    "organization": .string(setting.acme), "login": "canary-login", "name": "Canary Name",
                    "email": "canary@acme.example", "metadata": ["who": "canary-metadata"],
                ])
            let created = try await setting.leaf(of: setting.acme)
            #expect(created["target"] == ["kind": "user", "id": .string(made.id)])
            #expect(created["after"]?["status"] == "active")
            let opened = try await setting.opened(created, of: made.id)
            #expect(opened["after"]?["login"] == "canary-login" && opened["after"]?["name"] == "Canary Name")
            #expect(opened["after"]?["email"] == "canary@acme.example")
            #expect(
                created["personal"]?.array?.contains { $0["subject"]?.string == setting.acme } == false,
                "the organization's key opens it")
            let path = "/v1/users/\(made.id)"
            #expect(try await plane.send("PATCH", path, ["name": "Canary Two"], ifMatch: "*").status == 200)
            let changed = try await setting.opened(try await setting.leaf(of: setting.acme), of: made.id)
            #expect(changed["before"]?["name"] == "Canary Name" && changed["after"]?["name"] == "Canary Two")
            #expect(try await plane.send("DELETE", path).status == 204)
            let leaves = try await plane.database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select convert_from(leaf, 'UTF8') as text from audit_leaf union all select c::text from change c
                    """
                ).map { try $0.get("text", as: String.self) }
            }
            #expect(leaves.count > 6)
            for canary in ["canary-login", "Canary", "canary@", "canary-metadata"] {
                #expect(!leaves.contains { $0.contains(canary) })
            }
        }
    }

    @Test func `a user is an actor in changes, audit and denials`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let actor: JSONValue = ["kind": "user", "id": .string(admin.id)]
            let unit = try await plane.send(
                "POST", "/v1/units", ["name": "u", "parent": .string(setting.acme)], token: admin.token)
            #expect(unit.status == 201)
            let leaf = try await setting.leaf(of: setting.acme)
            #expect(leaf["actor"] == actor && leaf["target"]?["id"]?.string == unit.id)
            let changes = try await plane.send("GET", "/v1/changes?organization=\(setting.acme)&limit=1")
            #expect(changes["items"]?.array?.first?["actor"] == actor)
            let foreign = try await setting.user("foreign", of: setting.other)
            _ = try await plane.send("GET", "/v1/users/\(foreign.id)", token: admin.token)
            await plane.services.denials.flush()
            let denials = try await plane.send("GET", "/v1/audit-events?lane=denials&organization=\(setting.other)")
            let denial = denials["items"]?.array?.first?["event"]
            #expect(denial?["actor"] == actor && denial?["reason"] == "not_visible")
            #expect(denial?["targets"] == [["kind": "user", "id": .string(foreign.id)]])
        }
    }
}
