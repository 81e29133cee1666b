import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PriceProposalTests {
    /// A provider with three models, the first two of which have a price; and a second administrator.
    private struct Setting {
        let plane: TestControlPlane
        let provider: String
        let models: [String]
        let second: String

        init(_ plane: TestControlPlane) async throws {
            self.plane = plane
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            var models: [String] = []
            for name in ["a", "b", "c"] {
                models.append(
                    try await plane.make("/v1/models", ["provider": .string(provider), "name": .string(name)]).id)
            }
            self.provider = provider
            self.models = models
            for model in models.prefix(2) {
                _ = try await plane.make(
                    "/v1/prices",
                    [
                        "model": .string(model), "effective_at": "2026-01-01T00:00:00Z",
                        "items": [["meter": "input", "usd_per_million": "1"]],
                    ])
            }
            let deployment = try await plane.database.database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: plane.services.keys).deployment
            }
            let context = OperationContext(
                actor: .localOperator(of: deployment), authority: .everything, request: TimeSource.system.newID(),
                time: TimeSource.system.now()
            )
            let tokens = APITokens(changes: plane.services.changes, time: .system)
            self.second = try await tokens.create(name: "second", role: .owner, expiresAt: nil, as: context).text
                .reveal()
        }

        func propose(_ more: [String: JSONValue] = [:]) async throws -> TestControlPlane.Reply {
            func entry(_ model: String, _ dollars: String) -> JSONValue {
                ["model": .string(model), "items": [["meter": "input", "usd_per_million": .string(dollars)]]]
            }
            let body: [String: JSONValue] = [
                "provider": .string(self.provider), "source": "a page",
                "entries": [entry("c", "3"), entry("a", "2"), entry("b", "1.0"), entry("x", "9")],
            ]
            return try await self.plane.send("POST", "/v1/price-proposals", .object(body.merging(more) { $1 }))
        }

        func decide(_ reply: TestControlPlane.Reply, _ how: String, token: String? = nil) async throws
            -> TestControlPlane.Reply
        {
            try await self.plane.send("POST", "/v1/price-proposals/\(reply.id)/\(how)", token: token)
        }

        /// The dollars of each model's input in force now.
        func rates() async throws -> [String] {
            try await self.plane.database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select distinct on (m.name) m.name || '=' || i.nano_usd_per_million / 1000000000 as rate
                    from model m join price p on p.model_id = m.id join price_item i on i.price_id = p.id
                    where p.effective_at <= now() + interval '1 minute' order by m.name, p.effective_at desc
                    """
                ).map { try $0.get("rate") }
            }
        }
    }

    @Test func `a proposal says what it would change, and changes it when somebody else approves`() async throws {
        try await TestControlPlane.with { plane in
            let setting = try await Setting(plane)
            let proposal = try await setting.propose()
            #expect(proposal.status == 201 && proposal["status"] == "open" && proposal["source"] == "a page")
            #expect(proposal["entries"] == ["new": 1, "changed": 1, "unchanged": 1, "unknown_model": 1])
            let path = "/v1/price-proposals/\(proposal.id)"
            let first = try await plane.send("GET", "\(path)/entries?limit=3")
            let cursor = try #require(first["next_cursor"]?.string)
            let rest = try await plane.send("GET", "\(path)/entries?limit=3&cursor=\(cursor)")
            let entries = (first["items"]?.array ?? []) + (rest["items"]?.array ?? [])
            #expect(entries.map { $0["model_name"] } == ["c", "a", "b", "x"])
            #expect(entries.map { $0["effect"] } == ["new", "changed", "unchanged", "unknown_model"])
            #expect(entries[0]["before"] == .null && entries[1]["before"]?.string?.hasPrefix("prc_") == true)
            #expect(try await setting.rates() == ["a=1", "b=1"])

            #expect(try await setting.decide(proposal, "approve").code == "second_person_needed")
            #expect(try await setting.rates() == ["a=1", "b=1"])
            let approved = try await setting.decide(proposal, "approve", token: setting.second)
            #expect(approved.status == 200 && approved["status"] == "approved" && approved.receipt != nil)
            #expect(approved["decided_by"] != approved["requested_by"] && approved["decided_at"] != .null)
            #expect(try await setting.rates() == ["a=2", "b=1", "c=3"])
            #expect(try await plane.count("price") == 4)
            for how in ["approve", "reject"] {
                #expect(try await setting.decide(proposal, how, token: setting.second).code == "decided")
            }
            #expect(try await plane.send("GET", "/v1/price-proposals?status=approved")["items"] == [approved.json])
            #expect(try await plane.send("GET", "/v1/price-proposals?status=open")["items"] == [])
        }
    }

    @Test func `what was priced otherwise or removed meanwhile is not approved, not even in part`() async throws {
        try await TestControlPlane.with { plane in
            let setting = try await Setting(plane)
            let proposal = try await setting.propose()
            _ = try await plane.make(
                "/v1/prices",
                ["model": .string(setting.models[0]), "items": [["meter": "input", "usd_per_million": "7"]]])
            #expect(try await setting.decide(proposal, "approve", token: setting.second).code == "stale")
            #expect(try await setting.rates() == ["a=7", "b=1"])
            let again = try await setting.propose()
            #expect(try await plane.send("DELETE", "/v1/models/\(setting.models[2])").status == 204)
            #expect(try await setting.decide(again, "approve", token: setting.second).code == "stale")
            #expect(try await setting.rates() == ["a=7", "b=1"])
            let rejected = try await setting.decide(again, "reject")
            #expect(rejected["status"] == "rejected" && rejected.receipt != nil)
            #expect(try await setting.decide(again, "approve", token: setting.second).code == "decided")
        }
    }

    @Test func `prices take effect when they were proposed to, and a lone administrator may approve his own`()
        async throws
    {
        try await TestControlPlane.with { plane in
            let setting = try await Setting(plane)
            let later = try await setting.propose(["effective_at": "2031-01-01T00:00:00Z"])
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("update service_account set status = 'disabled' where name like 'second %'")
            }
            let approved = try await setting.decide(later, "approve")
            #expect(approved.status == 200)
            #expect(try await setting.rates() == ["a=1", "b=1"])
            #expect(try await plane.count("price where effective_at = timestamptz '2031-01-01 00:00:00+00'") == 2)
            func pointer(_ more: [String: JSONValue]) async throws -> String? {
                try await setting.propose(more)["pointer"]?.string
            }
            #expect(try await pointer(["effective_at": "2020-01-01T00:00:00Z"]) == "/effective_at")
            #expect(try await pointer(["provider": "prv_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/provider")
            let item: JSONValue = ["meter": "input", "usd_per_million": "1"]
            let twice: JSONValue = [["model": "a", "items": [item]], ["model": "a", "items": [item]]]
            #expect(try await pointer(["entries": twice]) == "/entries/1/model")
            #expect(try await pointer(["entries": [["model": "a", "items": [item, item]]]]) == "/entries/0/items/1")
            #expect(try await pointer(["entries": []]) == "/entries")
        }
    }
}
