import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct OwnTokenTests {
    private static let soon = TimeSource.system.now().adding(seconds: 86_400).description

    @Test func `everybody can read who he is`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("ann", of: setting.acme)
            let me = try await plane.send("GET", "/v1/me", token: user.token)
            #expect(me.status == 200 && me["kind"] == "user" && me.id == user.id && me["login"] == "ann")
            #expect(me["organization"]?.string == setting.acme && me["name"] == "Name of ann" && me["email"] == .null)
            #expect(me["token"]?["subject"]?.string == user.id && me["token"]?["status"] == "active")
            let program = try await plane.send("GET", "/v1/me", token: plane.powerless)
            #expect(program["kind"] == "service_account" && program["login"] == .null)
            #expect(program["organization"] == .null && program["token"]?["name"] == "none")
            #expect(try await plane.send(APIRequest("GET", "/v1/me")).status == 401)
            let none = try await setting.token(of: user.id, setting.acme, permissions: [.unitsRead])
            #expect(try await plane.send("GET", "/v1/me", token: none)["token"]?["permissions"] == ["units.read"])
        }
    }

    @Test func `a user makes, lists, rotates and revokes tokens of his own without any permission`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("ann", of: setting.acme)
            let body: JSONValue = ["name": "laptop", "expires_at": .string(Self.soon)]
            let made = try await plane.send("POST", "/v1/me/api-tokens", body, key: "k", token: user.token)
            #expect(made.status == 201, "\(made.json.text)")
            #expect(made.response.header("location") == "/v1/me/api-tokens/\(made.id)")
            let secret = try #require(made["secret"]?.string)
            #expect(TokenText(parsing: secret)?.kind == .personalToken && made["subject"]?.string == user.id)
            #expect(made["created_by"] == ["kind": "user", "id": .string(user.id)])
            let leaf = try await setting.leaf(of: setting.acme)
            #expect(leaf["actor"]?["id"]?.string == user.id && leaf["permission"] == "api_tokens.create")
            #expect(try await setting.opened(leaf, of: user.id) == ["remote_address": "203.0.113.77"])
            let names = try #require(leaf["personal"]?.array?.last)
            #expect(names["subject"]?.string == user.id, "the token's name is about the person")
            let replay = try await plane.send("POST", "/v1/me/api-tokens", body, key: "k", token: user.token)
            #expect(replay.id == made.id && replay["secret"] == nil && replay["secret_already_issued"] == true)

            let path = "/v1/me/api-tokens/\(made.id)"
            #expect(try await plane.send("GET", path, token: secret).etag == made.etag)
            #expect(try await setting.ids("/v1/me/api-tokens", token: secret).count == 2)
            let rotated = try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0], token: secret)
            #expect(rotated.status == 200 && rotated["secrets"]?.array?.count == 2)
            #expect(try await plane.send("GET", "/v1/me", token: secret).status == 401)
            let newer = try #require(rotated["secret"]?.string)
            #expect(TokenText(parsing: newer)?.kind == .personalToken)
            #expect(try await plane.send("GET", "/v1/me", token: newer).status == 200)
            // Somebody else's is none.
            let other = try await setting.user("bob", of: setting.acme, .owner)
            for (method, target) in [("GET", path), ("DELETE", path), ("POST", path + "/rotate")] {
                let body: JSONValue? = method == "POST" ? ["overlap_seconds": 0] : nil
                #expect(try await plane.send(method, target, body, token: other.token).status == 404)
            }
            #expect(try await setting.ids("/v1/me/api-tokens", token: other.token).count == 1)
            #expect(try await plane.send("DELETE", path, token: user.token).status == 204)
            #expect(try await plane.send("GET", "/v1/me", token: newer).status == 401)
            #expect(try await plane.send("GET", path, token: user.token)["status"] == "revoked")
            #expect(
                try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0], token: user.token).code
                    == "token_revoked")
            // All the while nobody let him see tokens.
            #expect(try await plane.send("GET", "/v1/api-tokens", token: user.token).status == 403)
        }
    }

    @Test func `a personal token ends within 366 days and only users have them`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("ann", of: setting.acme)
            let now = TimeSource.system.now()
            for (expiry, status) in [
                (JSONValue.null, 400), ("2001-01-01T00:00:00Z", 400),
                (.string(now.adding(seconds: 366 * 86_400 + 3600).description), 400),
                (.string(now.adding(seconds: 366 * 86_400 - 3600).description), 201),
            ] {
                let body: JSONValue = .object(["name": "t", "expires_at": expiry])
                let reply = try await plane.send("POST", "/v1/me/api-tokens", body, token: user.token)
                #expect(
                    reply.status == status && (status == 201 || reply["pointer"] == "/expires_at"), "\(expiry.text)")
            }
            let missing = try await plane.send("POST", "/v1/me/api-tokens", ["name": "t"], token: user.token)
            #expect(missing.code == "missing_member" && missing["pointer"] == "/expires_at")
            let body: JSONValue = ["name": "t", "expires_at": .string(Self.soon)]
            #expect(try await plane.send("POST", "/v1/me/api-tokens", body).code == "users_only")
            let mine = try await setting.ids("/v1/me/api-tokens")
            #expect(mine.count == 1)
            let rotation = try await plane.send("POST", "/v1/me/api-tokens/\(mine[0])/rotate", ["overlap_seconds": 0])
            #expect(rotation.code == "users_only")
            // A program may end its own.
            let own = try await setting.ids("/v1/me/api-tokens", token: plane.powerless)
            #expect(try await plane.send("DELETE", "/v1/me/api-tokens/\(own[0])", token: plane.powerless).status == 204)
            #expect(try await plane.send("GET", "/v1/me", token: plane.powerless).status == 401)
        }
    }

    @Test func `a token makes no token that is for more than itself`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            let user = try await setting.user("ann", of: setting.acme, .owner)
            let body: JSONValue = ["name": "t", "expires_at": .string(Self.soon)]
            func make(_ members: JSONValue, _ token: String) async throws -> TestControlPlane.Reply {
                try await plane.send("POST", "/v1/me/api-tokens", body.merging(members), token: token)
            }
            let bounded = try await setting.token(
                of: user.id, setting.acme, permissions: [.apiTokensCreate, .projectsRead], scope: setting.project,
                networks: ["203.0.113.0/24"])
            let within: JSONValue = [
                "permissions": ["projects.read"], "scope": .string(setting.project),
                "allowed_networks": ["203.0.113.77"],
            ]
            for (members, pointer) in [
                (["permissions": .null], "/permissions"),
                (["permissions": ["projects.read", "units.read"]], "/permissions"),
                (["scope": .null], "/scope"), (["scope": .string(setting.acme)], "/scope"),
                (["allowed_networks": []], "/allowed_networks"),
            ] as [(JSONValue, String)] {
                let reply = try await make(within.merging(members), bounded)
                #expect(reply.status == 403 && reply.code == "boundary_too_wide", "\(members.text): \(reply.json.text)")
                #expect(reply["pointer"]?.string == pointer)
            }
            let made = try await make(within, bounded)
            #expect(made.status == 201, "\(made.json.text)")
            let secret = try #require(made["secret"]?.string)
            #expect(try await plane.send("GET", "/v1/projects/\(setting.project)", token: secret).status == 200)
            #expect(try await plane.send("GET", "/v1/organizations/\(setting.acme)", token: secret).status == 403)
            // That one is not for making tokens at all, nor for ending any.
            #expect(try await make(within, secret).code == "permission_denied")
            #expect(try await plane.send("GET", "/v1/me/api-tokens", token: secret).code == "permission_denied")
            #expect(try await plane.send("DELETE", "/v1/me/api-tokens/\(made.id)", token: secret).status == 403)
            #expect(try await make(["scope": .string(setting.foreignProject)], user.token)["pointer"] == "/scope")
            // A user's first token is bounded by nothing but what he may do.
            #expect(try await make([:], user.token).status == 201)
        }
    }
}
