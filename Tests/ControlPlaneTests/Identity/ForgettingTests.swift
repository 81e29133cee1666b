import ControlPlane
import Crypto
import Postgres
import Shared
import TestKit
import Testing

/// A person who is forgotten is nowhere any more but as a number.
@Suite(.timeLimit(.minutes(10))) struct ForgettingTests {
    /// Somebody who is spoken of wherever that can be.
    private struct Person {
        let setting: TestIdentity
        let id: String
        let token: String
        let key: String

        static let canaries = ["canary", "Canary", "198.51.100.0"]

        var plane: TestControlPlane { self.setting.plane }

        init(_ setting: TestIdentity) async throws {
            self.setting = setting
            let plane = setting.plane
            self.id = try await plane.make(
                "/v1/users",
                [
                    "organization": .string(setting.acme), "login": "canary-login", "name": "Canary Name",
                    "email": "canary@acme.example", "metadata": ["who": "canary-metadata"],
                ]
            ).id
            try await plane.bind(
                self.id, BuiltInRole.developer.id.description, at: setting.acme, more: ["reason": "canary is on call"])
            _ = try await plane.make(
                "/v1/deny-rules",
                [
                    "scope": .string(setting.acme), "name": "canary's rule", "subject": .string(self.id),
                    "permissions": ["virtual_keys.delete"], "reason": "canary is new",
                ])
            self.key = try await plane.make(
                "/v1/virtual-keys",
                [
                    "project": .string(setting.project), "name": "canary's laptop", "owner": .string(self.id),
                    "metadata": ["seat": "canary-1"],
                ]
            ).id
            _ = try await plane.make(
                "/v1/budgets",
                ["scope": .string(self.id), "name": "canary's budget", "amount_usd": "1", "period": "day"])
            _ = try await plane.make(
                "/v1/rate-limits",
                [
                    "scope": .string(self.id), "name": "canary's limit", "meter": "requests", "amount": 5,
                    "period": "hour",
                ])
            self.token = try await setting.token(of: self.id, setting.acme)
            let made = try await plane.send(
                "POST", "/v1/me/api-tokens",
                [
                    "name": "canary's token", "allowed_networks": ["198.51.100.0/24"],
                    "expires_at": .string(TimeSource.system.now().adding(seconds: 86_400).description),
                ], key: "canary-key", token: self.token)
            #expect(made.status == 201, "\(made.json.text)")
            // And somebody who is refused something.
            #expect(try await plane.send("GET", "/v1/users", token: self.token).status == 403)
            await plane.services.denials.flush()
        }

        func forget(
            _ reason: String = "asked to be", key: String? = nil, token: String? = nil
        ) async throws -> TestControlPlane.Reply {
            try await self.plane.send(
                "POST", "/v1/users/\(self.id)/forget", ["reason": .string(reason)], key: key, token: token)
        }

        /// Everything that is in the database, as text; leaves by what they say.
        func everything() async throws -> [(table: String, text: String)] {
            try await self.plane.database.database.transaction(.readOnly) { tx in
                let tables = try tx.query(
                    """
                    select relname::text as name from pg_class
                    where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1
                    """
                ).map { try $0.get("name", as: String.self) }
                var found: [(String, String)] = []
                for table in tables {
                    let text: SQL = table == "audit_leaf" ? "convert_from(t.leaf, 'UTF8')" : "t::text"
                    let sql = "select " + text + " as text from " + SQL(identifier: table) + " t"
                    found += try tx.query(sql).map { (table, try $0.get("text")) }
                }
                return found
            }
        }

        func isSpokenOf() async throws -> Set<String> {
            let found = try await self.everything()
            #expect(found.count > 50)
            return Set(found.filter { row in Self.canaries.contains { row.text.contains($0) } }.map(\.table))
        }

        func leaves() async throws -> [(leaf: [UInt8], hash: [UInt8])] {
            try await self.plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select leaf, hash from audit_leaf order by log_id, index").map {
                    (try $0.get("leaf"), try $0.get("hash"))
                }
            }
        }
    }

    @Test func `nothing is left of him in the clear, and what the log has sealed is never read again`() async throws {
        try await TestIdentity.with { setting in
            let (person, plane) = (try await Person(setting), setting.plane)
            let spoken = try await person.isSpokenOf()
            #expect(
                spoken.isSuperset(of: [
                    "user_account", "role_binding", "deny_rule", "virtual_key", "budget", "rate_limit", "api_token",
                    "idempotency_key",
                ]), "\(spoken)")
            let created = try await self.leaf("users.create", setting)
            #expect(try await setting.opened(created.event, of: person.id)["after"]?["name"] == "Canary Name")
            #expect(created.forgotten.isEmpty)
            let bound = try await self.leaf("bindings.create", setting)
            #expect(try await setting.opened(bound.event, of: person.id)["after"]?["reason"] == "canary is on call")
            let before = try await person.leaves()

            let reply = try await person.forget()
            #expect(reply.status == 200 && reply.id == person.id && reply["organization"]?.string == setting.acme)
            #expect(reply.receipt != nil)
            #expect(try await person.isSpokenOf().isEmpty)
            #expect(try await plane.send("GET", "/v1/users/\(person.id)").status == 404)
            #expect(try await plane.send("GET", "/v1/me", token: person.token).status == 401)
            #expect(try await plane.count("role_binding where reason <> '' and deleted_at is not null") == 0)
            // The log is what it was, and one leaf longer.
            let after = try await person.leaves()
            #expect(after.count == before.count + 1)
            #expect(Set(before.map(\.hash)).isSubset(of: Set(after.map(\.hash))))
            for (leaf, hash) in after { #expect(Array(SHA256.hash(data: [0] + leaf)) == hash) }
            await #expect(throws: (any Error).self) { try await setting.opened(created.event, of: person.id) }
            for permission in ["users.create", "bindings.create", "virtual_keys.create", "budgets.create"] {
                #expect(try await self.leaf(permission, setting).forgotten == [person.id], "\(permission)")
            }
            #expect(try await self.leaf("projects.create", setting).forgotten.isEmpty)
            // Who did it and why is known.
            let told = try await self.leaf("users.forget", setting)
            #expect(told.event["target"]?["id"]?.string == person.id && told.forgotten.isEmpty)
            #expect(told.event["actor"]?["kind"] == "service_account")
            #expect(told.event["after"]?["forgotten_at"] == reply["forgotten_at"])
            #expect(try await setting.opened(told.event, of: setting.acme)["after"] == ["reason": "asked to be"])
        }
    }

    /// The newest leaf of a permission in the organization's log, with those who were forgotten.
    private func leaf(
        _ permission: String, _ setting: TestIdentity
    ) async throws -> (event: JSONValue, forgotten: [String]) {
        let log = try await setting.plane.send("GET", "/v1/audit-events?organization=\(setting.acme)&limit=200")
        let found = try #require(log["items"]?.array?.first { $0["event"]?["permission"]?.string == permission })
        return (found["event"] ?? .null, (found["forgotten"]?.array ?? []).compactMap(\.string))
    }

    @Test func `the key is not made again, whatever is said of him later`() async throws {
        try await TestIdentity.with { setting in
            let (person, plane) = (try await Person(setting), setting.plane)
            #expect(try await person.forget().status == 200)
            // He is refused, and a key of his is changed.
            #expect(try await plane.send("GET", "/v1/users", token: person.token).status == 401)
            await plane.services.denials.flush()
            let denial = try await plane.send("GET", "/v1/audit-events?lane=denials&limit=1")["items"]?.array?.first
            #expect(denial?["event"]?["actor"]?["id"]?.string == person.id)
            #expect(denial?["event"]?["personal"] == nil)
            let renamed = try await plane.send(
                "PATCH", "/v1/virtual-keys/\(person.key)", ["name": "of somebody who left"], ifMatch: "*")
            #expect(renamed.status == 200, "\(renamed.json.text)")
            let personal = try await self.leaf("virtual_keys.update", setting).event["personal"]?.array
            #expect(personal?.contains { $0["subject"]?.string == person.id } == false)
            let isGone: SQL = "subject_key where wrapped_key is null and kek_id is null and forgotten_at is not null"
            #expect(try await plane.count(isGone) == 1)
            // Nor by hand, with the rights that serve has.
            let id = try #require(UserID(person.id))
            for statement: SQL in [
                "delete from subject_key where subject_id = $1",
                "update subject_key set forgotten_at = null, kek_id = 'x', wrapped_key = 'x' where subject_id = $1",
            ] {
                await #expect(throws: PostgresError.self) {
                    try await plane.services.database.transaction { tx in try tx.execute(statement, id) }
                }
            }
            #expect(try await plane.count(isGone) == 1)
        }
    }

    @Test func `done again it erases again, and says since when`() async throws {
        try await TestIdentity.with { setting in
            let (person, plane) = (try await Person(setting), setting.plane)
            // One who was deleted can be forgotten.
            #expect(try await plane.send("DELETE", "/v1/users/\(person.id)").status == 204)
            #expect(try await person.isSpokenOf().contains("user_account"))
            let first = try await person.forget(key: "once")
            #expect(first.status == 200, "\(first.json.text)")
            let again = try await person.forget(key: "once")
            #expect(again.status == 200 && again.json == first.json && again.receipt == nil)
            // As after a backup was restored: what came back goes.
            try await setting.execute("update user_account set name = 'Canary Name' where id = $1", person.id)
            let second = try await person.forget("the backup")
            #expect(second.status == 200 && second["forgotten_at"] == first["forgotten_at"])
            #expect(try await plane.count("user_account where name = 'Canary Name'") == 0)
            #expect(
                try await plane.count("change where permission = 'users.forget' and actor_kind = 'service_account'")
                    == 2)
        }
    }

    @Test func `who may is decided where the user is, or was`() async throws {
        try await TestIdentity.with { setting in
            let (person, plane) = (try await Person(setting), setting.plane)
            let admin = try await setting.user("admin", of: setting.acme, .admin)
            let auditor = try await setting.user("auditor", of: setting.acme, .auditor)
            let stranger = try await setting.user("stranger", of: setting.other, .owner)
            let security = try await setting.user("security", of: nil, .security)
            #expect(try await person.forget(token: stranger.token).status == 404)
            #expect(try await person.forget(token: auditor.token).code == "permission_denied")
            #expect(try await person.forget("", token: admin.token)["pointer"] == "/reason")
            let own = try await plane.send(
                "POST", "/v1/users/\(admin.id)/forget", ["reason": "x"], token: admin.token)
            #expect(own.status == 409 && own.code == "own_account")
            let nobody = "usr_\(Crockford.encode(UUIDValue(high: 1, low: 1)))"
            #expect(try await plane.send("POST", "/v1/users/\(nobody)/forget", ["reason": "x"]).status == 404)
            #expect(try await person.forget(token: admin.token).status == 200)
            // Whose organization is gone is the instance's to forget.
            let lone = try await plane.make("/v1/organizations", ["name": "lone"]).id
            let left = try await setting.user("canary", of: lone)
            #expect(try await plane.send("DELETE", "/v1/users/\(left.id)").status == 204)
            try await setting.execute("update scope_node set deleted_at = now() where id = $1", lone)
            #expect(
                try await plane.send(
                    "POST", "/v1/users/\(left.id)/forget", ["reason": "x"], token: admin.token
                ).status == 404)
            #expect(
                try await plane.send(
                    "POST", "/v1/users/\(left.id)/forget", ["reason": "x"], token: security.token
                ).status == 200)
        }
    }

    @Test func `what passes from one to another is sealed under the key of each`() async throws {
        try await TestIdentity.with { setting in
            let (person, plane) = (try await Person(setting), setting.plane)
            let heir = try await setting.user("heir", of: setting.acme)
            let moved = try await plane.send(
                "PATCH", "/v1/virtual-keys/\(person.key)", ["owner": .string(heir.id), "name": "the heir's"],
                ifMatch: "*")
            #expect(moved.status == 200, "\(moved.json.text)")
            let leaf = try await self.leaf("virtual_keys.update", setting).event
            let (old, new) = (
                try await setting.opened(leaf, of: person.id), try await setting.opened(leaf, of: heir.id)
            )
            #expect(old["before"]?["name"] == "canary's laptop" && old["after"] == nil)
            #expect(new["after"]?["name"] == "the heir's" && new["before"] == nil)
        }
    }
}
