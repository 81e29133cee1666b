import Foundation
import Postgres
import Shared
import TestKit
import Testing

/// What a request costs where prices have conditions.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PriceTests {
    private struct Charge: Sendable {
        let units: (input: Int64, output: Int64)
        let cost: Int64
        let checked: Int64
        let adjustment: UUIDValue?
    }

    private func charge(_ stack: Stack, _ request: String) async throws -> Charge? {
        let id = try #require(RequestID(request))
        return try await stack.read { tx in
            try tx.queryOne(
                """
                select input, output, cost_nano_usd, checked_cost_nano_usd, adjustment_id from usage_event
                where request_id = $1::uuid
                """, SQLUUID(high: id.value.high, low: id.value.low)
            ).map { row in
                let adjustment = try row.optional("adjustment_id", as: SQLUUID.self)
                return Charge(
                    units: (try row.get("input"), try row.get("output")), cost: try row.get("cost_nano_usd"),
                    checked: try row.get("checked_cost_nano_usd"),
                    adjustment: adjustment.map { UUIDValue(high: $0.high, low: $0.low) }
                )
            }
        }
    }

    @Test func `windows, uplifts and discounts are charged, and computed again the same`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }

            let always = ["start": "00:00", "end": "24:00"]
            let items: [[String: any Sendable]] = [
                ["meter": "input", "usd_per_million": "1"], ["meter": "output", "usd_per_million": "2"],
                ["meter": "input", "usd_per_million": "0.333333333", "window": always],
                ["meter": "output", "usd_per_million": "0.777777777", "window": always],
            ]
            try await stack.create(
                "/v1/prices", ["model": tenant.mockModel, "items": items, "uplift_ppm": 1_100_000])
            try await stack.create(
                "/v1/price-adjustments", ["organization": tenant.organization, "factor_ppm": 1_000_001])
            let discount = try #require(
                AdjustmentID(
                    try await stack.create(
                        "/v1/price-adjustments",
                        ["organization": tenant.organization, "model": tenant.mockModel, "factor_ppm": 850_000])))
            var last: Charge?
            try await eventually("a request is charged with the model's discount") {
                let reply = try await stack.chat(place, tenant.key)
                try await eventually("its record is there") {
                    last = try await self.charge(stack, reply.requestID ?? "")
                    return last != nil
                }
                return last?.adjustment == discount.value
            }
            let charge = try #require(last)
            func ceiling(_ units: Int64, _ price: Int64) -> Int64 { (units * price + 999_999) / 1_000_000 }
            let base = ceiling(charge.units.input, 333_333_333) + ceiling(charge.units.output, 777_777_777)
            #expect(base > 0)
            #expect(charge.cost == (base * 935_000 + 999_999) / 1_000_000)
            #expect(charge.checked == charge.cost)
            let wrong = try await stack.read { tx in
                try tx.queryOne(
                    "select count(*) as wrong from usage_event where cost_nano_usd <> checked_cost_nano_usd"
                )?.get("wrong", as: Int64.self)
            }
            #expect(wrong == 0)
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
