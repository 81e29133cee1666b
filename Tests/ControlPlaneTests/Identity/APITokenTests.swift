import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct APITokenTests {
    @Test func `a token is shown once, changed, rotated and revoked`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let account = try await setting.account(role: .viewer)
            let made = try await plane.make(
                "/v1/api-tokens",
                [
                    "service_account": .string(account), "name": "ci", "expires_at": "2099-01-01T00:00:00Z",
                    "permissions": ["projects.read", "units.read"], "scope": .string(setting.project),
                    "allowed_networks": ["203.0.113.0/24"],
                ])
            let secret = try #require(made["secret"]?.string)
            let text = try #require(TokenText(parsing: secret))
            #expect(text.kind == .serviceAccountToken && text.publicID == made["public_id"]?.string)
            #expect(made["subject"]?.string == account && made["status"] == "active")
            #expect(made["permissions"] == ["units.read", "projects.read"], "in the order of the catalogue")
            #expect(made["created_by"]?["kind"] == "service_account" && made["last_used_at"] == .null)
            let path = "/v1/api-tokens/\(made.id)"
            let read = try await plane.send("GET", path)
            #expect(read["secret"] == nil && read.etag == made.etag)
            #expect(read.json.merging(["secret": .string(secret)]) == made.json)
            #expect(try await plane.send("GET", "/v1/projects/\(setting.project)", token: secret).status == 200)

            let changed = try await plane.send(
                "PATCH", path, ["name": "cd", "expires_at": .null, "allowed_networks": .null], ifMatch: made.etag)
            #expect(changed.status == 200 && changed["name"] == "cd" && changed["expires_at"] == .null)
            #expect(changed["allowed_networks"] == [] && changed["scope"]?.string == setting.project)
            #expect(try await plane.send("PATCH", path, ["name": "x"], ifMatch: made.etag).status == 412)
            for member in ["permissions", "scope", "service_account", "status"] {
                let reply = try await plane.send("PATCH", path, .object([member: .null]), ifMatch: "*")
                #expect(reply.status == 400 && reply["pointer"]?.string == "/\(member)")
            }
            #expect(
                try await plane.send("PATCH", path, ["expires_at": "2001-01-01T00:00:00Z"], ifMatch: "*")["pointer"]
                    == "/expires_at")

            let revoked = try await plane.send("POST", path + "/revoke")
            #expect(revoked.status == 200 && revoked["status"] == "revoked")
            #expect(try await plane.send("GET", "/v1/projects/\(setting.project)", token: secret).status == 401)
            #expect(try await plane.send("POST", path + "/revoke").status == 200)
            #expect(try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0]).code == "token_revoked")
            #expect(try await plane.send("PATCH", path, ["name": "x"], ifMatch: "*").code == "token_revoked")
            #expect(try await plane.send("GET", path)["status"] == "revoked")
        }
    }

    @Test func `the secrets before a rotation are good for as long as it says`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let account = try await setting.account(role: .viewer)
            let made = try await setting.token(for: account)
            let first = try #require(made["secret"]?.string)
            let path = "/v1/api-tokens/\(made.id)/rotate"
            let rotated = try await plane.send("POST", path, ["overlap_seconds": 3600], key: "r")
            let second = try #require(rotated["secret"]?.string)
            #expect(TokenText(parsing: second)?.publicID == made["public_id"]?.string && first != second)
            #expect(rotated["secrets"]?.array?.map { $0["ordinal"] } == [1, 2])
            #expect(rotated["secrets"]?.array?.last?["expires_at"] == .null)
            let replay = try await plane.send("POST", path, ["overlap_seconds": 3600], key: "r")
            #expect(replay["secret"] == nil && replay["secret_already_issued"] == true)
            for token in [first, second] {
                #expect(try await plane.send("GET", "/v1/projects", token: token).status == 200)
            }
            try await setting.execute(
                "update api_token_secret set expires_at = now() where token_id = $1 and ordinal = 1", made.id)
            #expect(try await plane.send("GET", "/v1/projects", token: first).status == 401)
            #expect(try await plane.send("GET", "/v1/projects", token: second).status == 200)
            let third = try await plane.send("POST", path, ["overlap_seconds": 0])
            #expect(try await plane.send("GET", "/v1/projects", token: second).status == 401)
            #expect(try await plane.send("GET", "/v1/projects", token: third["secret"]?.string).status == 200)
            #expect(try await plane.send("POST", path, ["overlap_seconds": 2_592_001]).status == 400)
            // What ended long ago is no longer listed.
            try await setting.execute(
                "update api_token_secret set expires_at = now() - interval '31 days' where token_id = $1 and ordinal = 1",
                made.id)
            let last = try await plane.send("POST", path, ["overlap_seconds": 0])
            #expect(last["secrets"]?.array?.map { $0["ordinal"] } == [2, 3, 4])
        }
    }

    @Test func `what a token may not be is said`() async throws {
        try await TestIdentity.with { setting in
            let account = try await setting.account()
            for (members, pointer) in [
                (["service_account": "sa_00000000000000000000000000"], "/service_account"),
                (["service_account": .string(setting.acme)], "/service_account"),
                (["expires_at": "2001-01-01T00:00:00Z"], "/expires_at"), (["expires_at": "soon"], "/expires_at"),
                (["permissions": []], "/permissions"), (["permissions": ["units.read", "all"]], "/permissions/1"),
                (["scope": .string(setting.foreignProject)], "/scope"),
                (["scope": "prj_00000000000000000000000000"], "/scope"),
                (["allowed_networks": ["10.0.0.1/8"]], "/allowed_networks/0"), (["name": ""], "/name"),
                (["user": "x"], "/user"),
            ] as [(JSONValue, String)] {
                let reply = try await setting.token(for: account, members)
                #expect(
                    reply.status == 400 && reply["pointer"]?.string == pointer, "\(members.text): \(reply.json.text)")
            }
            #expect(
                try await setting.plane.send(
                    "PATCH", "/v1/service-accounts/\(account)", ["status": "disabled"], ifMatch: "*"
                ).status == 200)
            #expect(try await setting.token(for: account).code == "subject_disabled")
            #expect(try await setting.plane.count("api_token where subject_kind = 'user' or name = 't'") == 0)
        }
    }

    @Test func `a token is good where and for what its boundary says`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let account = try await setting.account(role: .admin)
            let whole = try await setting.token(for: account)["secret"]?.string
            let bounded = try await setting.token(
                for: account,
                ["permissions": ["projects.read", "projects.update"], "scope": .string(setting.project)])["secret"]?
                .string
            let beside = try await plane.make("/v1/projects", ["name": "b", "parent": .string(setting.acme)]).id
            for (target, wholeStatus, boundedStatus) in [
                ("/v1/projects/\(setting.project)", 200, 200), ("/v1/projects/\(beside)", 200, 404),
                ("/v1/organizations/\(setting.acme)", 200, 403), ("/v1/users", 200, 403),
            ] {
                #expect(try await plane.send("GET", target, token: whole).status == wholeStatus, "\(target)")
                #expect(try await plane.send("GET", target, token: bounded).status == boundedStatus, "\(target)")
            }
            #expect(try await setting.ids("/v1/projects", token: bounded) == [setting.project])
            #expect(
                try await plane.send(
                    "PATCH", "/v1/projects/\(setting.project)", ["name": "n"], ifMatch: "*", token: bounded
                ).status == 200)
            #expect(try await plane.send("DELETE", "/v1/projects/\(setting.project)", token: bounded).status == 403)
        }
    }

    @Test func `a token is good from its networks until it ends`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let account = try await setting.account(role: .viewer)
            let made = try await setting.token(
                for: account, ["allowed_networks": ["198.51.100.0/24", "2001:db8::/32"]])
            let secret = try #require(made["secret"]?.string)
            func status(from address: String?) async throws -> Int {
                var request = APIRequest("GET", "/v1/projects", headers: ["authorization": "Bearer \(secret)"])
                request.remoteAddress = address
                return try await plane.send(request).status
            }
            for address in ["198.51.100.7", "2001:db8::9"] { #expect(try await status(from: address) == 200) }
            for address in ["198.51.101.7", "2001:db9::9", "nowhere", nil] {
                #expect(try await status(from: address) == 401)
            }
            try await setting.execute("update api_token set expires_at = now() where id = $1", made.id)
            #expect(try await status(from: "198.51.100.7") == 401)
            #expect(try await plane.send("GET", "/v1/api-tokens/\(made.id)")["status"] == "expired")
            await plane.services.denials.flush()
            let denials = try await plane.send("GET", "/v1/audit-events?lane=denials&limit=200")
            let reasons = Set((denials["items"]?.array ?? []).compactMap { $0["event"]?["reason"]?.string })
            #expect(reasons == ["network_not_allowed", "expired_credential"])
        }
    }

    @Test func `who manages the account sees and manages its tokens`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let foreign = try await setting.user("foreign", of: setting.other, .admin)
            let local = try await setting.user("local", of: setting.acme, .admin, at: setting.project)
            let inOrganization = try await setting.account("a")
            let inProject = try await setting.account("b", at: setting.project)
            let first = try await setting.token(for: inOrganization).id
            let second = try await setting.token(for: inProject).id
            let own = try await plane.make("/v1/service-accounts", ["name": "own"]).id
            let instance = try await setting.token(for: own).id
            let list = "/v1/api-tokens"
            let personal = try await setting.ids(list + "?subject=\(admin.id)", token: admin.token)
            #expect(personal.count == 1)
            #expect(try await setting.ids(list + "?subject=\(inProject)", token: admin.token) == [second])
            #expect(try await setting.ids(list, token: local.token) == [second])
            #expect(try await setting.ids(list + "?organization=\(setting.acme)").count == 4)
            #expect(Set(try await setting.ids(list, token: admin.token)).count == 4)
            #expect(try await setting.ids(list + "?subject=\(inProject)", token: foreign.token) == [])
            for (id, statuses) in [
                (first, [200, 404, 404]), (second, [200, 200, 404]), (instance, [404, 404, 404]),
                (personal[0], [200, 404, 404]),
            ] {
                for (bearer, status) in zip([admin, local, foreign], statuses) {
                    #expect(try await plane.send("GET", "\(list)/\(id)", token: bearer.token).status == status)
                    guard status == 404 else { continue }
                    let revoking = try await plane.send("POST", "\(list)/\(id)/revoke", token: bearer.token)
                    #expect(revoking.status == 404)
                }
            }
            #expect(
                try await setting.token(for: inOrganization, token: local.token)["pointer"] == "/service_account")
            #expect(try await setting.token(for: inProject, token: local.token).status == 201)
            // A personal one may be ended by others, and its text had by nobody else.
            let path = "\(list)/\(personal[0])"
            #expect(
                try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0]).code == "personal_token")
            #expect(
                try await plane.send("PATCH", path, ["expires_at": .null], ifMatch: "*")["pointer"] == "/expires_at")
            #expect(try await plane.send("POST", path + "/revoke").status == 200)
            #expect(try await plane.send("GET", "/v1/me", token: admin.token).status == 401)
        }
    }

    @Test func `a subject has a bounded number of tokens`() async throws {
        try await TestIdentity.with { setting in
            let account = try await setting.account()
            let id = try #require(ServiceAccountID(account))
            try await setting.plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    insert into api_token (id, public_id, subject_kind, subject_id, organization_id, name, revoked_at,
                        expires_at)
                    select gen_random_uuid(), lpad(n::text, 16, '0'), 'service_account', $1, $2, 'n',
                        case when n > 110 then now() end, case when n between 100 and 110 then now() end
                    from generate_series(1, 130) n
                    """, id, OrganizationID(setting.acme))
            }
            let last = try await setting.token(for: account)
            #expect(last.status == 201)
            #expect(try await setting.token(for: account).code == "too_many_tokens")
            #expect(try await setting.plane.send("POST", "/v1/api-tokens/\(last.id)/revoke").status == 200)
            #expect(try await setting.token(for: account).status == 201)
        }
    }

    @Test func `a creation under a name takes effect once and shows its secret once`() async throws {
        try await TestIdentity.with { setting in
            let account = try await setting.account()
            let body: JSONValue = ["service_account": .string(account), "name": "t"]
            let first = try await setting.plane.send("POST", "/v1/api-tokens", body, key: "k")
            let second = try await setting.plane.send("POST", "/v1/api-tokens", body, key: "k")
            #expect(first.status == 201 && second.status == 201 && first.id == second.id)
            #expect(first["secret"] != nil && second["secret"] == nil && second["secret_already_issued"] == true)
            let dump = try await setting.plane.database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select t::text as text from api_token t union all select s::text from api_token_secret s
                    union all select convert_from(leaf, 'UTF8') from audit_leaf union all select i::text
                    from idempotency_key i
                    """
                ).map { try $0.get("text", as: String.self) }.joined(separator: "\n")
            }
            let secret = try #require(first["secret"]?.string)
            #expect(dump.contains(first["public_id"]?.string ?? "-") && !dump.contains(secret))
        }
    }

    @Test func `when a token was last used is noted`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("u", of: setting.acme, .viewer)
            let (before, uses) = (TimeSource.system.now(), plane.services.uses)
            #expect(try await plane.send("GET", "/v1/projects", token: user.token).status == 200)
            let token = try await setting.ids("/v1/api-tokens?subject=\(user.id)")[0]
            func used() async throws -> Timestamp? {
                try await plane.send("GET", "/v1/api-tokens/\(token)")["last_used_at"]?.string.flatMap { Timestamp($0) }
            }
            #expect(try await used() == nil)
            // A failure keeps what was collected.
            let closed = Database(config: plane.database.config, logger: plane.database.logger)
            await closed.shutdown()
            await #expect(throws: (any Error).self) { _ = try await uses.write(to: closed) }
            #expect(try await uses.write(to: plane.services.database) == 2)
            let first = try #require(try await used())
            #expect(first >= before && first <= TimeSource.system.now())
            // What is collected when the process ends is written then.
            #expect(try await plane.send("GET", "/v1/projects", token: user.token).status == 200)
            let running = Task { await uses.run(plane.services.database, logger: TestPostgres.logger) }
            running.cancel()
            await running.value
            #expect(try #require(try await used()) > first)
        }
    }
}
