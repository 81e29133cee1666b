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

    @Test func `what a gateway must have known is what it is held against`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let book = try await Book(fleet)
            let (plain, adjusted): (Int64, Int64) = (1_665_400, 1_498_860)
            // The entries are of an hour ago; version 1 was made before them, version 2 right after, version 3 now.
            let group = fleet.group
            try await fleet.plane.database.database.transaction { tx in
                _ = try tx.execute("update price_adjustment set created_at = now() - interval '1 hour'")
                _ = try tx.execute("update price set created_at = now() - interval '1 hour'")
                for (version, minutes) in [(1, 61), (2, 59), (3, 0)] {
                    _ = try tx.execute(
                        """
                        insert into snapshot (group_id, epoch, version, keyring_epoch, root_version, created_at)
                        values ($1, 1, $2, 1, 1, now() - $3::bigint * interval '1 minute' - interval '30 seconds')
                        """, group, Int64(version), Int64(minutes))
                }
            }
            var records: [UsageRecord] = []
            for version in 1...3 {
                for adjustment in [nil, book.discount] {
                    var record = try book.record(adjustment == nil ? plain : adjusted, adjustment: adjustment)
                    record.snapshot = SnapshotVersion(epoch: 1, version: version)
                    records.append(record)
                }
            }
            // No price although the model has one, and the fallback although it has one.
            for price in [nil, book.fallback] {
                var record = try book.record(0, adjustment: book.discount)
                record.price = price
                record.isEstimate = true
                record.snapshot = SnapshotVersion(epoch: 1, version: 3)
                records.append(record)
            }
            let batch = UsageBatch(gateway: gateway.gateway, stream: book.stream, from: 1, records: records)
            #expect(try await fleet.deliver(gateway, batch) == (200, records.count))
            let found = try await fleet.plane.database.database.transaction(.readOnly) { tx in
                try tx.query("select checked_cost_nano_usd as cost from usage_event order by seq").map {
                    try $0.get("cost", as: Int64.self)
                }
            }
            #expect(found == [plain, adjusted, plain, adjusted, adjusted, adjusted, adjusted, adjusted])
            #expect(fleet.routes.figures.current.mispriced == 3)
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
            try await Rollups(database: fleet.plane.services.database, logger: TestPostgres.logger).foldAll()
            let to = TimeSource.system.now().adding(seconds: 2 * 86_400).description.prefix(10)
            let sum = try await fleet.plane.send("GET", "/v1/usage?to=\(to)")["items"]?.array?.first
            #expect(sum?["units"]?["image_output"] == 20 && sum?["units"]?["input"] == 30)
        }
    }
}
