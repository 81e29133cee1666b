import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What the control plane computes again of each record.
@Suite(.timeLimit(.minutes(10))) struct UsageRatesTests {
    /// A fleet with a price that has a window and an uplift, and three discounts.
    private struct Book {
        let fleet: TestFleet
        let provider: ProviderID
        let model: ModelID
        let price: PriceID
        let discount: AdjustmentID
        let fallback: PriceID
        let ofModel: AdjustmentID
        let foreign: AdjustmentID
        let stream: UsageStreamID = TimeSource.system.newID()

        init(_ fleet: TestFleet) async throws {
            let plane = fleet.plane
            self.fleet = fleet
            let provider = try await plane.make("/v1/providers", ["name": "p", "kind": "mock"]).id
            let model = try await plane.make("/v1/models", ["provider": .string(provider), "name": "m"]).id
            let other = try await plane.make("/v1/models", ["provider": .string(provider), "name": "o"]).id
            let (stranger, _) = try await plane.makeProject("b")
            let price = try await plane.make(
                "/v1/prices",
                [
                    "model": .string(model), "uplift_ppm": 1_100_000, "effective_at": "2026-01-01T00:00:00Z",
                    "items": [
                        ["meter": "input", "usd_per_million": "1000"],
                        ["meter": "input", "usd_per_million": "500", "window": ["start": "00:00", "end": "24:00"]],
                        ["meter": "image_output", "usd_per_million": "7"],
                    ],
                ])
            func adjust(_ organization: String, _ factor: Int64, model: JSONValue = .null) async throws -> AdjustmentID
            {
                let made = try await plane.make(
                    "/v1/price-adjustments",
                    ["organization": .string(organization), "factor_ppm": .integer(factor), "model": model])
                return try #require(AdjustmentID(made.id))
            }
            self.provider = try #require(ProviderID(provider))
            self.model = try #require(ModelID(model))
            self.price = try #require(PriceID(price.id))
            let fallback = try await plane.make(
                "/v1/prices",
                [
                    "model": .null, "effective_at": "2026-01-01T00:00:00Z",
                    "items": [["meter": "input", "usd_per_million": "9"]],
                ])
            #expect(fallback["model"] == .null)
            self.fallback = try #require(PriceID(fallback.id))
            self.discount = try await adjust(fleet.organization, 900_000)
            self.ofModel = try await adjust(fleet.organization, 100_000, model: .string(other))
            self.foreign = try await adjust(stranger, 200_000)
        }

        /// A record of three input tokens and two image tokens.
        func record(_ cost: Int64, adjustment: AdjustmentID?) throws -> UsageRecord {
            var record = try self.fleet.record()
            record.provider = self.provider
            record.model = self.model
            record.price = self.price
            record.adjustment = adjustment
            record.counters.input = 3
            record.counters.imageOutput = 2
            record.cost = NanoUSD(cost)
            record.started = TimeSource.system.now().adding(seconds: 60)
            return record
        }
    }

    @Test func `a cost is computed again with the price's window and uplift and the record's adjustment`() async throws
    {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let book = try await Book(fleet)
            // 3 * 500,000 + 2 * 7000 nano-dollars, a tenth more, a tenth off.
            let (plain, adjusted): (Int64, Int64) = (1_665_400, 1_498_860)
            var early = try book.record(adjusted, adjustment: book.discount)
            early.started = TimeSource.system.now().adding(seconds: -86_400)
            var other = try book.record(plain, adjustment: nil)
            other.model = TimeSource.system.newID()
            // At the fallback price it is an estimate, or it is wrong.
            var estimate = try book.record(27_000, adjustment: nil)
            estimate.price = book.fallback
            estimate.isEstimate = true
            var exact = estimate
            exact.isEstimate = false
            let records = [
                // As it should be, with and without.
                try book.record(adjusted, adjustment: book.discount), try book.record(plain, adjustment: nil),
                // One nano-dollar off; a discount for another model, of somebody else, unknown, and of tomorrow.
                try book.record(adjusted - 1, adjustment: book.discount),
                try book.record(166_540, adjustment: book.ofModel),
                try book.record(333_080, adjustment: book.foreign),
                try book.record(adjusted, adjustment: TimeSource.system.newID()), early,
                // A price that is another model's.
                other, estimate, exact,
            ]
            let batch = UsageBatch(gateway: gateway.gateway, stream: book.stream, from: 1, records: records)
            #expect(try await fleet.deliver(gateway, batch) == (200, records.count))
            let found = try await fleet.plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select checked_cost_nano_usd as cost from usage_event order by seq").map {
                    try $0.get("cost", as: Int64.self)
                }
            }
            #expect(found == [adjusted, plain, adjusted, plain, plain, plain, plain, 0, 27_000, 0])
            #expect(fleet.routes.figures.current.mispriced == 7)
            let listed = try await fleet.plane.send("GET", "/v1/usage/records?limit=1")["items"]?.array?.first
            #expect(listed?["adjustment"]?.string == book.discount.description)
            #expect(listed?["units"]?["image_output"] == 2)
            let sum = try await fleet.plane.send("GET", "/v1/usage")["items"]?.array?.first
            #expect(sum?["units"]?["image_output"] == 20 && sum?["units"]?["input"] == 30)
        }
    }
}
