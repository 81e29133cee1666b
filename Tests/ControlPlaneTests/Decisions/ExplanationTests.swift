import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ExplanationTests {
    private func checks(_ reply: TestControlPlane.Reply, _ name: String) -> [JSONValue] {
        (reply["checks"]?.array ?? []).filter { $0["check"]?.string == name }
    }

    @Test func `rules of tags, other targets, groups and networks are looked at as a gateway does`() async throws {
        try await ReportFixture.with { fixture in
            let plane = fixture.fleet.plane
            let project = fixture.projects[1].description
            let key = fixture.keys[1].description
            let items: JSONValue = [["meter": "output", "usd_per_million": "2"]]
            _ = try await plane.make("/v1/prices", ["model": .string(fixture.model.description), "items": items])
            let second = try await plane.make(
                "/v1/models", ["provider": .string(fixture.provider.description), "name": "m-2"]
            ).id
            let route = try await plane.make(
                "/v1/routes",
                ["alias": "m", "targets": [["model": .string(fixture.model.description)], ["model": .string(second)]]]
            ).id
            let tags: JSONValue = [["name": "customer", "required": true]]
            let patched = try await plane.send("PATCH", "/v1/projects/\(project)", ["tags": tags], ifMatch: "*")
            #expect(patched.status == 200)
            var budgets: [String: String] = [:]
            for (value, amount) in [("acme", "100000"), ("globex", "1000000000")] {
                budgets[value] =
                    try await plane.make(
                        "/v1/budgets",
                        [
                            "scope": .string(project), "name": .string(value), "amount_nano_usd": .string(amount),
                            "period": "month", "tag": ["name": "customer", "value": .string(value)],
                        ]
                    ).id
            }
            func explain(_ more: [String: JSONValue]) async throws -> TestControlPlane.Reply {
                let base: [String: JSONValue] = ["key": .string(key), "model": "m", "max_tokens": 1000]
                let reply = try await plane.send("POST", "/v1/explain", .object(base.merging(more) { $1 }))
                #expect(reply.status == 200, "\(reply.json.text)")
                return reply
            }
            // Two targets of one order: the second one has no price.
            var reply = try await explain(["tags": ["customer": "globex"]])
            #expect(
                reply["would_pass"] == "no" && reply["code"] == "model_not_priced" && reply["route"]?.string == route)
            #expect(self.checks(reply, "price").map { $0["result"] } == ["pass", "fail"])
            _ = try await plane.make("/v1/prices", ["model": .string(second), "items": items])
            reply = try await explain(["tags": ["customer": "globex"]])
            #expect(reply["would_pass"] == "yes" && reply["code"] == .null, "\(reply.json.text)")
            #expect(self.checks(reply, "budget").map { $0["id"]?.string } == [budgets["globex"], budgets["globex"]])

            reply = try await explain(["tags": ["customer": "acme"]])
            #expect(reply["code"] == "budget_exceeded")
            #expect(self.checks(reply, "budget").first?["level"] == "tag")
            // The nearest discount counts: at a tenth of the price it fits.
            let organization = JSONValue.string(fixture.fleet.organization)
            for narrowing: [String: JSONValue] in [
                [:], ["provider": .string(fixture.provider.description)], ["model": .string(fixture.model.description)],
                ["model": .string(second)],
            ] {
                let factor: JSONValue = narrowing["model"] == nil ? 2_000_000 : 40_000
                _ = try await plane.make(
                    "/v1/price-adjustments",
                    .object(["organization": organization, "factor_ppm": factor].merging(narrowing) { $1 }))
            }
            reply = try await explain(["tags": ["customer": "acme"]])
            #expect(reply["would_pass"] == "yes", "\(reply.json.text)")
            reply = try await explain(["tags": ["customer": "initech"]])
            #expect(reply["would_pass"] == "yes" && self.checks(reply, "budget").isEmpty)
            #expect(try await explain([:])["code"] == "tag_required")
            // The key's own value wins.
            let own = try await plane.make(
                "/v1/virtual-keys",
                [
                    "project": .string(project), "name": "own", "tags": ["customer": "acme"],
                    "allowed_networks": ["10.0.0.0/8"],
                ]
            ).id
            reply = try await explain(
                ["key": .string(own), "tags": ["customer": "globex"], "address": "10.1.2.3", "max_tokens": 10_000])
            #expect(reply["code"] == "budget_exceeded")
            reply = try await explain(["key": .string(own), "max_tokens": 1])
            #expect(reply["would_pass"] == "depends" && self.checks(reply, "network").first?["result"] == "depends")
            // One that makes requests fit, and one that goes by what was learned.
            for (member, value) in [("lower_max_tokens", JSONValue.bool(true)), ("estimate", "learned")] {
                let changed = try await plane.send(
                    "PATCH", "/v1/budgets/\(budgets["acme"] ?? "")",
                    ["amount_nano_usd": "1000000", "lower_max_tokens": false, member: value], ifMatch: "*")
                #expect(changed.status == 200, "\(changed.json.text)")
                reply = try await explain(["tags": ["customer": "acme"], "max_tokens": 100_000])
                #expect(reply["would_pass"] == "depends" && reply["code"] == .null, "\(reply.json.text)")
            }
            // What a rate limit has left gateways know; what it never allows is known here.
            let limit: [String: JSONValue] = ["scope": .string(key), "name": "l", "amount": 10, "period": "minute"]
            _ = try await plane.make("/v1/rate-limits", .object(limit.merging(["meter": "requests"]) { $1 }))
            reply = try await explain(["tags": ["customer": "globex"]])
            #expect(reply["would_pass"] == "depends" && self.checks(reply, "rate_limit").count == 2)
            _ = try await plane.make(
                "/v1/rate-limits", .object(limit.merging(["meter": "total_tokens", "strict": true]) { $1 }))
            #expect(try await explain(["tags": ["customer": "globex"]])["code"] == "request_exceeds_rate_limit")
            // Expired: the key, or each of its texts.
            let short = try await plane.make(
                "/v1/virtual-keys", ["project": .string(project), "name": "short"]
            ).id
            let early: [String: JSONValue] = ["key": .string(short), "tags": ["customer": "initech"]]
            #expect(try await explain(early)["would_pass"] == "yes")
            for (table, column): (SQL, SQL) in [("virtual_key", "id"), ("virtual_key_secret", "key_id")] {
                func expire(_ interval: String) async throws {
                    try await plane.services.database.transaction { tx in
                        _ = try tx.execute(
                            "update " + table + " set expires_at = now() + $2::text::interval where " + column
                                + " = $1",
                            VirtualKeyID(short), interval)
                    }
                }
                try await expire("-1 hour")
                #expect(try await explain(early)["code"] == "key_expired")
                try await expire("1 hour")
                #expect(try await explain(early)["would_pass"] == "yes")
            }
            for wrong: JSONValue in [
                ["model": "m"], ["key": .string(key)], ["key": .string(key), "model": "m", "max_tokens": 0],
            ] {
                #expect(try await plane.send("POST", "/v1/explain", wrong).status == 400)
            }
        }
    }
}
