import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PriceBookTests {
    private func model(_ plane: TestControlPlane, scope: JSONValue = .null) async throws -> (String, String) {
        let provider = try await plane.make(
            "/v1/providers", ["name": .string("p\(UInt64.random(in: 0 ... .max))"), "kind": "mock", "scope": scope]
        ).id
        let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
        return (provider, model)
    }

    @Test func `conditions of items are kept as they were said`() async throws {
        try await TestControlPlane.with { plane in
            let (_, model) = try await self.model(plane)
            let price = try await plane.make(
                "/v1/prices",
                [
                    "model": .string(model), "uplift_ppm": 1_100_000,
                    "items": [
                        ["meter": "image_output", "usd_per_million": "40"],
                        ["meter": "input", "usd_per_million": "3", "from_prompt_tokens": 128_000],
                        ["meter": "input", "usd_per_million": "2"],
                        [
                            "meter": "input", "usd_per_million": "1",
                            "window": ["start": "16:30", "end": "00:30", "weekdays": ["sun", "mon"]],
                        ],
                        ["meter": "output", "usd_per_million": "0.5", "window": ["start": "01:00", "end": "00:00"]],
                    ],
                ]
            )
            #expect(price["uplift_ppm"] == 1_100_000)
            let items = price["items"]?.array ?? []
            #expect(items.count == 5)
            #expect(items.contains { $0["above_prompt_tokens"] == 127_999 && $0["usd_per_million"] == "3.00" })
            let night: JSONValue = ["start": "16:30", "end": "00:30", "weekdays": ["mon", "sun"]]
            #expect(items.contains { $0["window"] == night })
            let days: JSONValue = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            #expect(items.contains { $0["window"] == ["start": "01:00", "end": "24:00", "weekdays": days] })
            #expect(try await plane.send("GET", "/v1/prices/\(price.id)").json == price.json)
        }
    }

    @Test func `items that contradict each other are refused where they stand`() async throws {
        try await TestControlPlane.with { plane in
            let (_, model) = try await self.model(plane)
            func refusal(_ items: JSONValue, uplift: JSONValue = 1_000_000) async throws -> String? {
                let reply = try await plane.send(
                    "POST", "/v1/prices", ["model": .string(model), "items": items, "uplift_ppm": uplift])
                return reply.status == 400 ? reply["pointer"]?.string : nil
            }
            func item(_ start: String, _ end: String, _ days: JSONValue) -> JSONValue {
                [
                    "meter": "input", "usd_per_million": "1",
                    "window": ["start": .string(start), "end": .string(end), "weekdays": days],
                ]
            }
            let base: JSONValue = ["meter": "input", "usd_per_million": "1"]
            #expect(try await refusal([base, base]) == "/items/1")
            // Into Tuesday, when the second opens.
            #expect(
                try await refusal([item("22:00", "02:00", ["mon"]), item("01:00", "03:00", ["tue"])]) == "/items/1")
            #expect(
                try await refusal([item("22:00", "02:00", ["mon"]), item("21:00", "22:01", ["mon"])]) == "/items/1")
            for (start, end) in [("05:00", "05:00"), ("24:00", "05:00"), ("5:000", "06:00"), ("05:60", "06:00")] {
                #expect(try await refusal([item(start, end, ["mon"])]) == "/items/0/window", "\(start) \(end)")
            }
            #expect(try await refusal([item("05:00", "06:00", [])]) == "/items/0/window/weekdays")
            #expect(try await refusal([base], uplift: 100_000_001) == "/uplift_ppm")
            let both: JSONValue = [
                "meter": "input", "usd_per_million": "1", "above_prompt_tokens": 5, "from_prompt_tokens": 6,
            ]
            #expect(try await refusal([both]) == "/items/0")
            #expect(try await plane.count("price") == 0)
            // Next to each other is not over each other; on other days neither.
            let apart: JSONValue = [
                base, item("22:00", "02:00", ["mon"]), item("02:00", "03:00", ["tue"]), item("22:00", "02:00", ["sat"]),
            ]
            #expect(try await refusal(apart) == nil)
            #expect(try await plane.count("price_item") == 4)
        }
    }

    @Test func `a discount is of an organization, for all, a provider or a model, and from now on`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject("a")
            let (stranger, _) = try await plane.makeProject("b")
            let (provider, model) = try await self.model(plane)
            let (otherProvider, otherModel) = try await self.model(plane, scope: .string(stranger))
            func body(_ more: [String: JSONValue]) -> JSONValue {
                let always: [String: JSONValue] = [
                    "organization": .string(organization), "factor_ppm": 850_000, "reason": "contract",
                ]
                return .object(always.merging(more) { $1 })
            }
            let all = try await plane.make("/v1/price-adjustments", body([:]))
            #expect(all["provider"] == .null && all["model"] == .null && all["factor_ppm"] == 850_000)
            #expect(all["reason"] == "contract")
            let one = try await plane.make("/v1/price-adjustments", body(["provider": .string(provider)]))
            let later = try await plane.make(
                "/v1/price-adjustments", body(["model": .string(model), "effective_at": "2030-01-01T00:00:00Z"]))
            #expect(later["effective_at"] == "2030-01-01T00:00:00.000000Z")
            let list = try await plane.send("GET", "/v1/price-adjustments?organization=\(organization)")
            #expect(list["items"] == [later.json, one.json, all.json])
            #expect(try await plane.send("GET", "/v1/price-adjustments/\(one.id)").json == one.json)
            #expect(try await plane.send("GET", "/v1/price-adjustments?organization=\(stranger)")["items"] == [])

            func refusal(_ more: [String: JSONValue]) async throws -> String? {
                try await plane.send("POST", "/v1/price-adjustments", body(more))["pointer"]?.string
            }
            #expect(try await refusal(["effective_at": "2020-01-01T00:00:00Z"]) == "/effective_at")
            #expect(try await refusal(["provider": .string(provider), "model": .string(model)]) == "/provider")
            #expect(try await refusal(["provider": .string(otherProvider)]) == "/provider")
            #expect(try await refusal(["model": .string(otherModel)]) == "/model")
            #expect(try await refusal(["factor_ppm": -1]) == "/factor_ppm")
            #expect(try await refusal(["organization": "org_01jd3x0r7ze4qbt0xq4v6m2k5n"]) == "/organization")
            let again = try await plane.send(
                "POST", "/v1/price-adjustments",
                body(["model": .string(model), "effective_at": "2030-01-01T00:00:00Z"]))
            #expect(again.status == 409)
            #expect(try await plane.count("price_adjustment") == 3)
        }
    }

    @Test func `a discount marks its own chunk, for the groups of its organization`() async throws {
        try await TestFleet.with { fleet in
            let other = try await fleet.plane.make("/v1/gateway-groups", ["name": "other"])
            try await fleet.plane.database.database.transaction { tx in
                _ = try tx.execute("delete from snapshot_dirty")
            }
            _ = try await fleet.plane.make(
                "/v1/price-adjustments", ["organization": .string(fleet.organization), "factor_ppm": 1_050_000])
            #expect(try await fleet.plane.count("snapshot_dirty") == 1)
            #expect(try await fleet.plane.count("snapshot_dirty where type = 10 and bucket is null") == 1)
            #expect(other.id != fleet.group.description)
        }
    }
}
