import Foundation
import Postgres
import TestKit
import Testing

/// Budgets and rate limits of tags through everything: from the API over two gateways to the ledger.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TaggedSubjectTests {
    private func chat(
        _ stack: Stack, _ place: Stack.GatewayPlace, _ key: String, _ tags: String?
    ) async throws -> Stack.Reply {
        try await stack.chat(
            at: place, key, tags: tags,
            #"{"model":"mock","max_tokens":40,"messages":[{"role":"user","content":"Hello there"}]}"#)
    }

    private func isRefused(_ reply: Stack.Reply, _ status: Int, by id: String) -> Bool {
        let error = reply.member("error") as? [String: Any]
        return reply.status == status && error?["level"] as? String == "tag" && error?["id"] as? String == id
    }

    /// What records with a tag were charged, each as often as it has charges.
    private func charged(_ stack: Stack, _ tag: String) async throws -> Int64 {
        try await stack.read { tx in
            try tx.query(
                """
                select coalesce(sum(e.cost_nano_usd * cardinality(e.charges)), 0)::bigint as charged
                from usage_event e join usage_tag_set t on t.id = e.tag_set_id
                where e.charges is not null and t.text = $1
                """, tag)[0].get("charged")
        }
    }

    @Test func `a customer's budget and rate limit hold over two gateways, and touch nobody else`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let project = "/v1/projects/\(tenant.project)"
            let names: [[String: any Sendable]] = [["name": "customer", "required": true]]
            #expect(try await stack.api("PATCH", project, ["tags": names], ifMatch: "*").status == 200)
            let (amount, rate) = (Int64(6_000_000), 6)
            let budget = try await stack.create(
                "/v1/budgets",
                [
                    "scope": tenant.organization, "name": "acme", "amount_nano_usd": "\(amount)", "period": "total",
                    "tag": ["name": "customer", "value": "acme"],
                ])
            let limit = try await stack.create(
                "/v1/rate-limits",
                [
                    "scope": tenant.project, "name": "slow", "meter": "requests", "amount": rate, "period": "day",
                    "away": "deny", "tag": ["name": "customer", "value": "slow"],
                ])
            let made = try await stack.api(
                "POST", "/v1/virtual-keys",
                ["project": tenant.project, "name": "tagged", "tags": ["customer": "acme"]])
            let tagged = try #require(made.member("secret") as? String)
            let places = try ["one", "two"].map { try stack.place($0) }
            var gateways: [ChildProcess] = []
            for place in places {
                gateways.append(try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant)))
            }
            for place in places {
                try await eventually("others are served") {
                    try await self.chat(stack, place, tenant.key, "customer=globex").status == 200
                }
                #expect(try await self.chat(stack, place, tenant.key, nil).body.contains("tag_required"))
            }
            try await stack.synced()

            var served = 0
            // One may hold what the other asks for: refusals in a row say that it is spent.
            var refused = 0
            for round in 0..<3000 where refused < 40 {
                let reply = try await self.chat(
                    stack, places[round % 2], round % 3 == 0 ? tagged : tenant.key,
                    round % 3 == 0 ? "customer=globex" : "customer=acme")
                if reply.status == 200 { served += 1 }
                refused = reply.status == 402 ? refused + 1 : 0
                if reply.status != 200 { try await Task.sleep(for: .milliseconds(20)) }
                if round == 60 {
                    _ = try await gateways[0].kill()
                    gateways[0] = try await stack.startGateway(places[0])
                    try await eventually("it serves again") {
                        try await self.chat(stack, places[0], tenant.key, "customer=globex").status == 200
                    }
                }
            }
            #expect(served > 30)
            for place in places {
                // Nothing fits any more, whoever names the customer or is it.
                for (key, tags) in [(tenant.key, "customer=acme"), (tagged, "customer=globex"), (tagged, nil)] {
                    try await eventually("the customer's budget refuses") {
                        self.isRefused(try await self.chat(stack, place, key, tags), 402, by: budget)
                    }
                }
                #expect(try await self.chat(stack, place, tenant.key, "customer=globex").status == 200)
            }
            var passed = 0
            for round in 0..<30 {
                let reply = try await self.chat(stack, places[round % 2], tenant.key, "customer=slow")
                if reply.status == 200 { passed += 1 }
            }
            #expect(passed > 0 && passed <= rate, "\(passed)")
            for place in places {
                try await eventually("the customer's rate limit refuses") {
                    self.isRefused(try await self.chat(stack, place, tenant.key, "customer=slow"), 429, by: limit)
                }
                #expect(try await self.chat(stack, place, tenant.key, "customer=globex").status == 200)
            }
            // What the budget needs is not taken back.
            let taken = try await stack.api("PATCH", project, ["tags": [[String: any Sendable]]()], ifMatch: "*")
            #expect(taken.status == 409 && taken.body.contains("tag_in_use"), "\(taken.body)")

            for gateway in gateways { #expect(try await gateway.terminate() == .code(0)) }
            try await eventually("the budget's money is the money of the customer's records") {
                let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
                let spent = (status.member("spent_nano_usd") as? String).flatMap { Int64($0) } ?? -1
                let charged = try await self.charged(stack, "customer=acme")
                return spent == charged && spent > 0 && spent <= amount
                    && status.member("escrow_nano_usd") as? String == "0"
            }
            #expect(try await self.charged(stack, "customer=globex") == 0)
            #expect(try await control.terminate() == .code(0))
        }
    }
}
