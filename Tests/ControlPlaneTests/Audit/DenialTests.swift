import ControlPlane
import Crypto
import Postgres
import Shared
import TestKit
import Testing

/// Each kind of refusal leaves its event, in the right log, and says nothing that it must not.
@Suite(.timeLimit(.minutes(10))) struct DenialTests {
    private static let address = "198.51.100.234"

    private func events(_ plane: TestControlPlane, organization: String? = nil) async throws -> [JSONValue] {
        await plane.services.denials.flush()
        let filter = organization.map { "&organization=\($0)" } ?? ""
        let page = try await plane.send("GET", "/v1/audit-events?lane=denials&limit=200\(filter)")
        return try #require(page["items"]?.array).reversed().map { $0["event"] ?? .null }
    }

    private func request(_ method: String, _ target: String, bearer: String?) -> APIRequest {
        var request = APIRequest(method, target)
        if let bearer { request.headers.add("authorization", "Bearer \(bearer)") }
        request.remoteAddress = Self.address
        return request
    }

    @Test func `every way in which a token is not good enough is told apart`() async throws {
        try await TestControlPlane.with { plane in
            let unknown = TokenText.generate(.serviceAccountToken)
            let ended = try await plane.database.database.transaction { tx -> ServiceAccountID in
                _ = try tx.execute(
                    """
                    insert into api_token (id, public_id, subject_id, name, expires_at)
                    select gen_random_uuid(), 'e', gen_random_uuid(), 'e', now()
                    """
                )
                return try tx.query("select subject_id from api_token where name = 'none'")[0].get("subject_id")
            }
            _ = await plane.api.respond(to: self.request("GET", "/v1/organizations", bearer: nil))
            _ = await plane.api.respond(to: self.request("GET", "/v1/organizations", bearer: "gh_sa_mistyped"))
            _ = await plane.api.respond(
                to: self.request("GET", "/v1/organizations", bearer: unknown.secret.reveal()))
            _ = await plane.api.respond(to: self.request("GET", "/v1/providers", bearer: plane.powerless))
            try await self.end(plane, "expires_at")
            _ = await plane.api.respond(to: self.request("GET", "/v1/models", bearer: plane.powerless))
            try await self.end(plane, "revoked_at")
            _ = await plane.api.respond(to: self.request("GET", "/v1/routes", bearer: plane.powerless))

            let events = try await self.events(plane)
            let anonymous: JSONValue = ["kind": "anonymous", "id": "anonymous"]
            let subject: JSONValue = ["kind": "service_account", "id": .string(ended.description)]
            let byReason = Dictionary(grouping: events) { $0["reason"]?.string ?? "" }
            #expect(events.count == 6)
            for (reason, actor, operation) in [
                ("no_credential", anonymous, "organizations.list"),
                ("malformed_credential", anonymous, "organizations.list"),
                ("unknown_credential", anonymous, "organizations.list"),
                ("permission_denied", subject, "providers.list"), ("expired_credential", subject, "models.list"),
                ("revoked_credential", subject, "routes.list"),
            ] {
                let event = byReason[reason]?.first
                #expect(event?["actor"] == actor, "\(reason)")
                #expect(event?["operation"]?.string == operation, "\(reason)")
                #expect(event?["count"] == 1, "\(reason)")
                #expect(event?["outcome"] == "denied")
                #expect(event?["request"]?.string?.hasPrefix("req_") == true)
                #expect(event?["personal"]?.array?.count == 1)
            }
            let shown = byReason["unknown_credential"]?.first?["credentials"]
            #expect(shown == JSONValue(["gh_sa_\(unknown.publicID)"]))
            #expect(byReason["malformed_credential"]?.first?["credentials"] == .array([]))
            try await self.checkNothingInTheClear(plane, [unknown.secret.reveal(), plane.powerless, Self.address])
        }
    }

    private func end(_ plane: TestControlPlane, _ column: SQL) async throws {
        _ = try await plane.database.database.transaction { tx in
            try tx.execute("update api_token set " + column + " = now() where name = 'none'")
        }
    }

    /// Everything that the database holds in tables that denials reach.
    private func checkNothingInTheClear(_ plane: TestControlPlane, _ canaries: [String]) async throws {
        let texts = try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select convert_from(leaf, 'UTF8') as text from audit_leaf union all select l::text from audit_log l
                union all select k::text from subject_key k union all select c::text from change c
                """
            ).map { try $0.get("text", as: String.self) }
        }
        #expect(texts.count > 8)
        for canary in canaries { #expect(!texts.contains { $0.contains(canary) }, "a canary is in the clear") }
    }

    @Test func `an address is sealed under the caller's key, or under one of the log`() async throws {
        try await TestControlPlane.with { plane in
            _ = await plane.api.respond(to: self.request("GET", "/v1/organizations", bearer: plane.powerless))
            _ = await plane.api.respond(to: self.request("GET", "/v1/organizations", bearer: nil))
            let events = try await self.events(plane)
            let log = try await plane.send("GET", "/v1/audit-logs")["items"]?.array?.first { $0["lane"] == "denials" }
            #expect(events.map { $0["personal"]?.array?.first?["subject"] } == [events[0]["actor"]?["id"], log?["id"]])
            for event in events {
                let request = try #require(event["request"]?.string)
                let sealed = try #require(event["personal"]?.array?.first)
                #expect(try await self.open(sealed, request, plane) == ["remote_addresses": [.string(Self.address)]])
            }
        }
    }

    /// Opens what a leaf has sealed, as the key's holder can.
    private func open(_ sealed: JSONValue, _ event: String, _ plane: TestControlPlane) async throws -> JSONValue {
        let subject = try #require(sealed["subject"]?.string)
        let id = String(subject.split(separator: "_").last ?? "")
        let wrapped = try await plane.database.database.transaction(.readOnly) { tx -> WrappedKey in
            let row = try tx.query("select subject_id, kek_id, wrapped_key from subject_key").first { row in
                Crockford.encode(try row.get("subject_id")) == id
            }
            let found = try #require(row)
            return WrappedKey(kekID: try found.get("kek_id"), bytes: try found.get("wrapped_key"))
        }
        let key = try plane.services.keys.unwrap(wrapped, context: "gatehouse subject|\(id)")
        let box = try AES.GCM.SealedBox(combined: try #require(Base64URL.decode(sealed["sealed"]?.string ?? "")))
        let context = "gatehouse audit|\(event)|\(subject)"
        return try JSONParser.parse(Array(try AES.GCM.open(box, using: key, authenticating: Array(context.utf8))))
    }

    @Test func `a denial is in the log of the organization that it is about`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let (other, foreign) = try await plane.makeProject("other")
            for id in [project, foreign] {
                _ = await plane.api.respond(to: self.request("GET", "/v1/projects/\(id)", bearer: plane.powerless))
            }
            _ = await plane.api.respond(to: self.request("GET", "/v1/projects/\(project)", bearer: nil))
            _ = await plane.api.respond(
                to: self.request("GET", "/v1/audit-events?organization=\(acme)", bearer: plane.powerless))
            _ = await plane.api.respond(to: self.request("GET", "/v1/projects/prj_\(Self.address)", bearer: nil))
            let inAcme = try await self.events(plane, organization: acme)
            #expect(inAcme.map { $0["operation"]?.string } == ["audit_events.list"])
            #expect(inAcme.first?["targets"] == [["kind": "organization", "id": .string(acme)]])
            #expect(inAcme.first?["organization"]?.string == acme)
            #expect(try await self.events(plane, organization: other).isEmpty)
            // What is about two organizations, or about nothing that exists, is the system's.
            let system = try await self.events(plane)
            #expect(system.map { $0["count"] } == [2, 2])
            #expect(system.map { $0["targets"]?.array?.count } == [2, 1])

            _ = await plane.api.respond(to: self.request("GET", "/v1/projects/\(foreign)", bearer: plane.powerless))
            _ = await plane.api.respond(to: self.request("GET", "/v1/units/\(foreign)", bearer: nil))
            let inOther = try await self.events(plane, organization: other)
            #expect(inOther.map { $0["operation"]?.string } == ["projects.get", "units.get"])
            // The changes of an organization are where they were.
            let changes = try await plane.send("GET", "/v1/audit-events?organization=\(acme)")
            #expect(changes["items"]?.array?.allSatisfy { $0["event"]?["outcome"] == "ok" } == true)
            #expect(changes["items"]?.array?.count == 2)
        }
    }

    @Test func `what is not a denial leaves no event`() async throws {
        try await TestControlPlane.with { plane in
            let nowhere = try await plane.send("GET", "/nowhere")
            #expect(nowhere.status == 404)
            #expect(try await plane.send("GET", "/v1/organizations/org_00000000000000000000000000").status == 404)
            #expect(try await plane.send("PUT", "/v1/organizations").status == 405)
            #expect(try await plane.send("POST", "/v1/organizations", [:]).status == 400)
            #expect(try await plane.send(APIRequest("GET", "/healthz")).status == 200)
            #expect(try await self.events(plane).isEmpty)
            #expect(try await plane.send("GET", "/v1/audit-events?lane=other").status == 400)
        }
    }
}
