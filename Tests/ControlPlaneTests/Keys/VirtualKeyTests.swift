import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct VirtualKeyTests {
    @Test func `a key belongs to a user or a service account, and so do budgets and limits`() async throws {
        try await TestControlPlane.with { plane in
            let (acme, project) = try await plane.makeProject("acme")
            let (other, _) = try await plane.makeProject("other")
            let user = try await plane.make(
                "/v1/users", ["organization": .string(acme), "login": "ann", "name": "Ann"]
            ).id
            let account = try await plane.make("/v1/service-accounts", ["scope": .string(project), "name": "bot"]).id
            let stranger = try await plane.make("/v1/service-accounts", ["scope": .string(other), "name": "bot"]).id
            let group = try await plane.make("/v1/groups", ["organization": .string(acme), "name": "all"]).id
            func key(_ owner: JSONValue) async throws -> TestControlPlane.Reply {
                try await plane.send(
                    "POST", "/v1/virtual-keys", ["project": .string(project), "name": "k", "owner": owner])
            }
            let made = try await key(.string(user))
            #expect(made["owner"]?.string == user)
            #expect(try await key(.null)["owner"] == .null)
            for nobody in [stranger, group, "usr_01jd3x0r7ze4qbt0xq4v6m2k5n"] {
                let refused = try await key(.string(nobody))
                #expect(refused.status == 400 && refused["pointer"] == "/owner", "\(refused.json.text)")
            }
            let path = "/v1/virtual-keys/\(made.id)"
            let moved = try await plane.send("PATCH", path, ["owner": .string(account)], ifMatch: made.etag)
            #expect(moved["owner"]?.string == account)
            for (noun, more): (String, [String: JSONValue]) in [
                ("budgets", ["amount_usd": "1", "period": "day"]),
                ("rate-limits", ["meter": "requests", "amount": 1, "period": "minute"]),
            ] {
                for owner in [user, account] {
                    let body: [String: JSONValue] = ["scope": .string(owner), "name": "x"]
                    let one = try await plane.make("/v1/\(noun)", .object(body.merging(more) { $1 }))
                    #expect(one["scope"]?.string == owner && one["organization"]?.string == acme)
                    #expect(try await plane.send("GET", "/v1/\(noun)/\(one.id)")["scope"]?.string == owner)
                }
                let tagged = try await plane.send(
                    "POST", "/v1/\(noun)",
                    .object(
                        ["scope": .string(user), "name": "x", "tag": ["name": "a", "value": "b"]].merging(more) { $1 }))
                #expect(tagged["pointer"] == "/tag", "\(tagged.json.text)")
                let ofGroup = try await plane.send(
                    "POST", "/v1/\(noun)", .object(["scope": .string(group), "name": "x"].merging(more) { $1 }))
                #expect(ofGroup.status == 400 && ofGroup["pointer"] == "/scope")
            }
        }
    }

    @Test func `a key is shown once, rotated, revoked and deleted`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject()
            let made = try await plane.make(
                "/v1/virtual-keys",
                [
                    "project": .string(project), "name": "ci", "expires_at": "2099-01-01T00:00:00Z",
                    "allowed_models": ["gpt-5"], "allowed_networks": ["10.0.0.0/8"], "metadata": ["team": "x"],
                ]
            )
            let path = "/v1/virtual-keys/\(made.id)"
            let secret = try #require(made["secret"]?.string)
            let token = try #require(TokenText(parsing: secret))
            #expect(token.kind == .virtualKey)
            #expect(token.publicID == made["public_id"]?.string)
            #expect(made["organization"]?.string == organization)
            let read = try await plane.send("GET", path)
            #expect(read["secret"] == nil)
            #expect(read["expires_at"] == "2099-01-01T00:00:00.000000Z")

            let rotated = try await plane.send("POST", path + "/rotate", ["overlap_seconds": 60])
            #expect(rotated.status == 200)
            let newer = try #require(rotated["secret"]?.string.flatMap { TokenText(parsing: $0) })
            #expect(newer.publicID == token.publicID)
            #expect(newer.digest != token.digest)
            #expect(rotated["secrets"]?.array?.count == 2)
            #expect(rotated["secrets"]?.array?.first?["expires_at"]?.string != nil)
            #expect(rotated["secrets"]?.array?.last?["expires_at"] == .null)
            #expect(try await plane.count("virtual_key_secret where length(digest) = 32") == 2)

            let patched = try await plane.send(
                "PATCH", path, ["status": "disabled", "expires_at": .null, "allowed_models": .null],
                ifMatch: rotated.etag
            )
            #expect(patched["expires_at"] == .null)
            #expect(patched["allowed_models"] == .null)
            #expect(patched["allowed_networks"] == ["10.0.0.0/8"])
            #expect(patched["status"] == "disabled")
            #expect(try await plane.send("PATCH", path, ["status": "revoked"], ifMatch: patched.etag).status == 400)

            #expect(try await plane.send("POST", path + "/revoke")["status"] == "revoked")
            #expect(try await plane.send("POST", path + "/rotate", ["overlap_seconds": 0]).code == "key_revoked")
            #expect(try await plane.send("PATCH", path, ["status": "active"], ifMatch: "*").code == "key_revoked")
            #expect(try await plane.send("DELETE", "/v1/projects/\(project)").code == "not_empty")
            #expect(try await plane.send("DELETE", path).status == 204)
            #expect(try await plane.send("GET", path).status == 404)
            #expect(try await plane.count("virtual_key where status = 'revoked' and deleted_at is not null") == 1)
            #expect(try await plane.send("DELETE", "/v1/projects/\(project)").status == 204)
        }
    }

    @Test func `what a key may not be is said`() async throws {
        try await TestControlPlane.with { plane in
            let (_, project) = try await plane.makeProject()
            func refusal(_ members: JSONValue) async throws -> JSONValue? {
                let body = (["project": .string(project), "name": "k"] as JSONValue).merging(members)
                let reply = try await plane.send("POST", "/v1/virtual-keys", body)
                #expect(reply.status == 400)
                return reply["pointer"]
            }
            #expect(try await refusal(["expires_at": "2001-01-01T00:00:00Z"]) == "/expires_at")
            #expect(try await refusal(["expires_at": "soon"]) == "/expires_at")
            #expect(try await refusal(["allowed_networks": ["10.0.0.1/8"]]) == "/allowed_networks/0")
            #expect(try await refusal(["allowed_models": [""]]) == "/allowed_models/0")
            #expect(try await refusal(["project": "prj_00000000000000000000000000"]) == "/project")
            #expect(try await refusal(["owner": "x"]) == "/owner")
        }
    }

    @Test func `a rotation ends every earlier secret and a replay shows none`() async throws {
        try await TestControlPlane.with { plane in
            let (_, project) = try await plane.makeProject()
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"])
            let path = "/v1/virtual-keys/\(key.id)/rotate"
            let first = try await plane.send("POST", path, ["overlap_seconds": 2_592_000], key: "r")
            #expect(first["secret"] != nil)
            let replay = try await plane.send("POST", path, ["overlap_seconds": 2_592_000], key: "r")
            #expect(replay["secret"] == nil)
            #expect(replay["secret_already_issued"] == true)
            #expect(try await plane.send("POST", path, ["overlap_seconds": 2_592_001]).status == 400)
            _ = try await plane.send("POST", path, ["overlap_seconds": 0])
            #expect(try await plane.count("virtual_key_secret where expires_at <= now()") == 2)
            #expect(try await plane.count("virtual_key_secret where expires_at is null") == 1)
        }
    }

    @Test func `no secret is stored or logged as text`() async throws {
        try await TestControlPlane.with { plane in
            let (_, project) = try await plane.makeProject()
            let key = try await plane.make("/v1/virtual-keys", ["project": .string(project), "name": "k"])
            let provider = try await plane.make("/v1/providers", ["name": "m", "kind": "mock"]).id
            let canary = "sk-canary-0123456789abcdef"
            let credential = try await plane.make(
                "/v1/credentials", ["provider": .string(provider), "name": "c", "secret": .string(canary)]
            )
            _ = try await plane.send(
                "POST", "/v1/credentials/\(credential.id)/rotate", ["secret": .string(canary + "2")])
            let group = try await plane.make("/v1/gateway-groups", ["name": "g"]).id
            let join = try await plane.make("/v1/join-tokens", ["group": .string(group)])
            let secrets = [
                canary, key["secret"]?.string ?? "", plane.root, plane.powerless,
                String(join["secret"]?.string?.prefix { $0 != "." } ?? ""), "203.0.113.77",
            ]
            let dump = try await plane.database.database.transaction { tx in
                let tables = try tx.query("select tablename::text as name from pg_tables where schemaname = 'public'")
                return try tables.map { row in
                    let table = SQL(identifier: try row.get("name", as: String.self))
                    return try tx.query(
                        "select coalesce(string_agg(t::text, ' '), '') as dump from " + table + " t"
                    )[0].get("dump", as: String.self)
                }.joined(separator: "\n")
            }
            #expect(dump.contains(key["public_id"]?.string ?? "-"))
            for secret in secrets {
                #expect(secret.count >= 12)
                #expect(!dump.contains(secret))
                #expect(!dump.contains(Hex.encode(Array(secret.utf8))))
            }
        }
    }
}
