import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReratingTests {
    private let stream: UsageStreamID = TimeSource.system.newID()

    private func price(_ plane: TestControlPlane, _ model: String, _ dollars: String, at: Timestamp) async throws
        -> String
    {
        try await plane.make(
            "/v1/prices",
            [
                "model": .string(model), "effective_at": .string(at.description),
                "items": [["meter": "input", "usd_per_million": .string(dollars)]],
            ]
        ).id
    }

    @Test func `after a correction each record costs what the book says now, and the records stay`() async throws {
        try await TestFleet.with { fleet in
            let (plane, gateway, now) = (fleet.plane, try await fleet.enrol(), fleet.clock.now)
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
            let first = try await self.price(plane, model, "1000", at: now.adding(seconds: -7200))
            let discount = try await plane.make(
                "/v1/price-adjustments",
                [
                    "organization": .string(fleet.organization), "factor_ppm": 500_000,
                    "effective_at": .string(now.adding(seconds: 3600).description),
                ])
            // Five tokens each: an hour ago twice, with the discount later, and one that cost nothing.
            var records: [UsageRecord] = []
            for (offset, adjustment, cost) in [
                (-3600, nil, 5_000_000), (-1800, nil, 5_000_000), (3600, discount.id, 2_500_000), (-1800, nil, 0),
            ] as [(Int64, String?, Int64)] {
                var record = try fleet.record()
                record.started = now.adding(seconds: offset)
                record.provider = ProviderID(provider)
                record.model = ModelID(model)
                record.price = cost == 0 ? nil : PriceID(first)
                record.adjustment = adjustment.flatMap { AdjustmentID($0) }
                record.cost = NanoUSD(cost)
                records.append(record)
            }
            let batch = UsageBatch(gateway: gateway.gateway, stream: self.stream, from: 1, records: records)
            #expect(try await fleet.deliver(gateway, batch) == (200, 4))

            let body: JSONValue = [
                "model": .string(model), "from": .string(now.adding(seconds: -7200).description),
                "to": .string(now.adding(seconds: 7200).description), "reason": "a typing error",
            ]
            let nothing = try await plane.make("/v1/reratings", body)
            #expect(nothing["records"] == 3 && nothing["corrected"] == 0 && nothing["difference_nano_usd"] == "0")
            // It was a tenth of that from half an hour ago on.
            let second = try await self.price(plane, model, "100", at: now.adding(seconds: -1800))
            let made = try await plane.make("/v1/reratings", body)
            #expect(made["records"] == 3 && made["corrected"] == 2)
            #expect(made["before_nano_usd"] == "12500000" && made["after_nano_usd"] == "5750000")
            #expect(made["difference_nano_usd"] == "-6750000" && made["reason"] == "a typing error")
            let page = try await plane.send("GET", "/v1/reratings/\(made.id)/corrections?limit=1")
            let cursor = try #require(page["next_cursor"]?.string)
            let rest = try await plane.send("GET", "/v1/reratings/\(made.id)/corrections?limit=1&cursor=\(cursor)")
            let corrections = (page["items"]?.array ?? []) + (rest["items"]?.array ?? [])
            #expect(corrections.map { $0["request"]?.string } == records[1...2].map { $0.request.description })
            #expect(corrections.map { $0["before_nano_usd"] } == ["5000000", "2500000"])
            #expect(corrections.map { $0["after_nano_usd"] } == ["500000", "250000"])
            #expect(
                corrections.allSatisfy { $0["price_before"]?.string == first && $0["price_after"]?.string == second })
            // Again, nothing; after another correction from what the last one made of it.
            #expect(try await plane.make("/v1/reratings", body)["corrected"] == 0)
            _ = try await self.price(plane, model, "200", at: now.adding(seconds: -1700))
            let third = try await plane.make("/v1/reratings", body)
            #expect(third["corrected"] == 1 && third["difference_nano_usd"] == "250000")
            #expect(try await plane.send("GET", "/v1/reratings?model=\(model)")["items"]?.array?.count == 4)
            #expect(try await plane.send("GET", "/v1/reratings/\(third.id)").json == third.json)
            // The records are what they were, and so is the ledger.
            #expect(try await plane.count("usage_event where cost_nano_usd in (5000000, 2500000, 0)") == 4)
            let ledger = try await plane.services.database.transaction(.repeatableReadWrite) { tx in
                try LedgerCheck.run(&tx, now: now).identities
            }
            #expect(ledger.holds)
        }
    }

    @Test func `a period is bounded, and what it is of is there`() async throws {
        try await TestFleet.with { fleet in
            let plane = fleet.plane
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
            func refusal(_ more: [String: JSONValue]) async throws -> String? {
                let body: [String: JSONValue] = [
                    "model": .string(model), "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z",
                ]
                return try await plane.send("POST", "/v1/reratings", .object(body.merging(more) { $1 }))["pointer"]?
                    .string
            }
            #expect(try await refusal(["organization": .string(fleet.organization)]) == nil)
            #expect(try await refusal(["to": "2026-02-01T00:00:01Z"]) == "/to")
            #expect(try await refusal(["to": "2026-01-01T00:00:00Z"]) == "/to")
            #expect(try await refusal(["model": "mdl_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/model")
            #expect(try await refusal(["organization": "org_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/organization")
            #expect(try await plane.count("rerating") == 1)
        }
    }
}
