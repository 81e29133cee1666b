import ControlPlane
import Shared
import Testing

@Suite(.timeLimit(.minutes(10))) struct CatalogTests {
    @Test func `a provider, its credential, model and route live together`() async throws {
        try await TestControlPlane.with { plane in
            let provider = try await plane.make(
                "/v1/providers", ["name": "OpenAI", "kind": "openai", "base_url": "https://api.openai.com"]
            )
            #expect(provider["scope"] == .null)
            let credential = try await plane.make(
                "/v1/credentials", ["provider": .string(provider.id), "name": "main", "secret": "sk-1234567890"]
            )
            #expect(credential["hint"] == "7890")
            #expect(credential["version"] == 1)
            let rotated = try await plane.send("POST", "/v1/credentials/\(credential.id)/rotate", ["secret": "short"])
            #expect(rotated["hint"] == "")
            #expect(rotated["version"] == 2)
            let model = try await plane.make(
                "/v1/models", ["provider": .string(provider.id), "name": "gpt-5", "context_window": 400_000]
            )
            let route = try await plane.make(
                "/v1/routes",
                ["alias": "gpt-5", "targets": [["model": .string(model.id), "credential": .string(credential.id)]]]
            )
            #expect(route["targets"]?.array?.first?["weight"] == 1)
            let target: JSONValue = ["model": .string(model.id), "credential": .null, "order": 3, "weight": 0]
            let changed = try await plane.send(
                "PATCH", "/v1/routes/\(route.id)", ["targets": [target, target]], ifMatch: route.etag
            )
            #expect(changed["targets"] == [target, target])
            #expect(try await plane.send("GET", "/v1/routes?alias=gpt-5")["items"] == [changed.json])

            #expect(try await plane.send("DELETE", "/v1/providers/\(provider.id)").code == "not_empty")
            #expect(try await plane.send("DELETE", "/v1/models/\(model.id)").code == "in_use")
            #expect(try await plane.send("DELETE", "/v1/routes/\(route.id)").status == 204)
            #expect(try await plane.send("DELETE", "/v1/models/\(model.id)").status == 204)
            #expect(try await plane.send("DELETE", "/v1/credentials/\(credential.id)").status == 204)
            #expect(try await plane.send("DELETE", "/v1/providers/\(provider.id)").status == 204)
            #expect(try await plane.send("GET", "/v1/models")["items"] == [])
        }
    }

    @Test func `a base URL fits its kind`() async throws {
        try await TestControlPlane.with { plane in
            for (kind, url) in [
                ("openai", ""), ("openai-compatible", "ftp://x"), ("mock", "https://x"), ("openai", "https://a@b"),
            ] {
                let reply = try await plane.send(
                    "POST", "/v1/providers", ["name": "p", "kind": .string(kind), "base_url": .string(url)]
                )
                #expect(reply["pointer"] == "/base_url", "\(kind) \(url)")
            }
            let mock = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"])
            let patched = try await plane.send(
                "PATCH", "/v1/providers/\(mock.id)", ["base_url": "https://x"], ifMatch: mock.etag
            )
            #expect(patched.status == 400)
        }
    }

    @Test func `a route uses only what is visible where it is`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, project) = try await plane.makeProject("a")
            let (stranger, _) = try await plane.makeProject("b")
            func model(scope: JSONValue) async throws -> (model: String, credential: String) {
                let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock", "scope": scope]).id
                let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
                let credential = try await plane.make(
                    "/v1/credentials", ["provider": .string(provider), "name": "c", "secret": "x"]
                ).id
                return (model, credential)
            }
            let own = try await model(scope: .string(organization))
            let other = try await model(scope: .string(stranger))
            let shared = try await model(scope: .null)
            func status(_ scope: JSONValue, _ model: String, _ credential: String? = nil) async throws -> Int {
                let target: JSONValue = ["model": .string(model), "credential": JSONValue(credential)]
                let alias = "a\(Int.random(in: 0..<1_000_000_000))"
                return try await plane.send(
                    "POST", "/v1/routes", ["alias": .string(alias), "scope": scope, "targets": [target]]
                ).status
            }
            #expect(try await status(.string(project), own.model, own.credential) == 201)
            #expect(try await status(.string(project), shared.model) == 201)
            #expect(try await status(.string(project), other.model) == 400)
            #expect(try await status(.string(project), own.model, other.credential) == 400)
            #expect(try await status(.string(project), own.model, shared.credential) == 400)
            #expect(try await status(.null, own.model) == 400)
            let mine = try await plane.send("GET", "/v1/models?organization=\(organization)")
            #expect(mine["items"]?.array?.count == 1)
        }
    }

    @Test func `prices are added, never changed, and exact`() async throws {
        try await TestControlPlane.with { plane in
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
            let price = try await plane.make(
                "/v1/prices",
                [
                    "model": .string(model), "effective_at": "2026-01-01T00:00:00Z",
                    "items": [
                        ["meter": "input", "usd_per_million": "1.25"],
                        ["meter": "output", "nano_usd_per_million": "9007199254740993", "tier": "batch"],
                        ["meter": "input", "nano_usd_per_million": "2500000000", "above_prompt_tokens": 200_000],
                    ],
                ]
            )
            let items = price["items"]?.array ?? []
            #expect(items.count == 3)
            #expect(items.contains { $0["nano_usd_per_million"] == "9007199254740993" && $0["tier"] == "batch" })
            #expect(items.contains { $0["usd_per_million"] == "1.25" && $0["nano_usd_per_million"] == "1250000000" })
            func status(_ items: JSONValue, at: JSONValue = "2027-01-01T00:00:00Z") async throws -> Int {
                try await plane.send(
                    "POST", "/v1/prices", ["model": .string(model), "effective_at": at, "items": items]
                ).status
            }
            let item: JSONValue = ["meter": "input", "usd_per_million": "1"]
            #expect(try await status([item], at: "2026-01-01T00:00:00Z") == 409)
            #expect(try await status([item, item]) == 400)
            #expect(try await status([["meter": "input"]]) == 400)
            #expect(try await status([["meter": "input", "usd_per_million": 1]]) == 400)
            #expect(try await status([["meter": "inputs", "usd_per_million": "1"]]) == 400)
            #expect(try await status([["meter": "input", "usd_per_million": "-1"]]) == 400)
            #expect(try await status([item]) == 201)
            #expect(try await plane.send("GET", "/v1/prices?model=\(model)")["items"]?.array?.count == 2)
            #expect(try await plane.send("GET", "/v1/prices/\(price.id)").json == price.json)
        }
    }
}
