import Postgres
import TestKit

/// What the database says was used, to be compared with what clients saw.
struct Ledger: Sendable {
    /// How often each request is there.
    let requests: [String: Int]
    let events: Int
    let rejected: Int
    /// Records that gateways declared lost.
    let lost: Int
    let watermarks: Int
    let eventCost: Int64
    /// Money that is in no sum yet, and in the sums of each level.
    let unfoldedCost: Int64
    let levelCosts: [Int64]
    let mispriced: Int

    /// Requests by the text of their id, as clients saw it.
    static func read(_ stack: Stack) async throws -> Ledger {
        try await stack.read { tx in
            var requests: [String: Int] = [:]
            for row in try tx.query("select request_id, count(*) as n from usage_event group by request_id") {
                let id: SQLUUID = try row.get("request_id")
                requests[RequestText.of(id)] = Int(try row.get("n", as: Int64.self))
            }
            let row = try tx.queryOne(
                """
                select (select count(*) from usage_event) as events, (select count(*) from usage_rejected) as rejected,
                    (select coalesce(sum(to_seq - from_seq + 1), 0)::bigint from usage_gap) as lost,
                    (select coalesce(sum(last_seq), 0)::bigint from usage_stream) as watermarks,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_event) as event_cost,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_unfolded) as unfolded_cost,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_minute) as minute_cost,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_hour) as hour_cost,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_quarter_day) as quarter_cost,
                    (select coalesce(sum(cost_nano_usd), 0)::bigint from usage_day) as day_cost,
                    (select count(*) from usage_event where cost_nano_usd <> checked_cost_nano_usd) as mispriced
                """
            )
            guard let row else { throw TestKitError("no ledger") }
            return Ledger(
                requests: requests, events: Int(try row.get("events", as: Int64.self)),
                rejected: Int(try row.get("rejected", as: Int64.self)),
                lost: Int(try row.get("lost", as: Int64.self)),
                watermarks: Int(try row.get("watermarks", as: Int64.self)), eventCost: try row.get("event_cost"),
                unfoldedCost: try row.get("unfolded_cost"),
                levelCosts: try ["minute_cost", "hour_cost", "quarter_cost", "day_cost"].map { try row.get($0) },
                mispriced: Int(try row.get("mispriced", as: Int64.self))
            )
        }
    }

    /// What is wrong with it; nil when every answered request is there once and all sums agree.
    func fault(answered: Set<String>) -> String? {
        if let twice = self.requests.first(where: { $0.value != 1 }) {
            return "\(twice.key) is there \(twice.value) times"
        }
        let missing = answered.filter { self.requests[$0] == nil }
        if !missing.isEmpty { return "\(missing.count) of \(answered.count) answered requests are missing" }
        if self.events + self.rejected + self.lost != self.watermarks {
            return "\(self.events) events, \(self.rejected) rejected, \(self.lost) lost, but the streams say "
                + "\(self.watermarks)"
        }
        if let wrong = self.levelCosts.first(where: { $0 + self.unfoldedCost != self.eventCost }) {
            return "events cost \(self.eventCost), a level \(wrong) and what waits for it \(self.unfoldedCost)"
        }
        if self.mispriced != 0 { return "\(self.mispriced) records are mispriced" }
        return nil
    }
}

/// The text form of a request id, spelled out once more so that a mistake in the product's is not shared.
enum RequestText {
    static func of(_ id: SQLUUID) -> String {
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var bits = id.bytes.flatMap { byte in (0..<8).reversed().map { byte >> UInt8($0) & 1 } }
        bits = [0, 0] + bits
        var text = "req_"
        for start in stride(from: 0, to: 130, by: 5) {
            text.append(alphabet[bits[start..<start + 5].reduce(0) { $0 * 2 + Int($1) }])
        }
        return text
    }
}
