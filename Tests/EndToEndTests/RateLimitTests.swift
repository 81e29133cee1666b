import Foundation
import NIOHTTP1
import Postgres
import Synchronization
import TestKit
import Testing

/// Rate limits over real gateways: together they let through what one bucket would, whatever happens to whom.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RateLimitTests {
    private struct Outcome: Sendable {
        var statuses: [Int: Int] = [:]
        var headers: [String: String] = [:]
    }

    /// Asks all places over and over until `end`.
    private func ask(
        _ stack: Stack, _ places: [Stack.GatewayPlace], _ key: String, clients: Int, until end: ContinuousClock.Instant
    ) async -> Outcome {
        await withTaskGroup(of: Outcome.self) { group in
            for client in 0..<clients {
                group.addTask {
                    var outcome = Outcome()
                    for round in 0..<5000 where ContinuousClock.now < end {
                        let place = places[(client + round) % places.count]
                        let reply = try? await stack.chat(place, key, content: "client \(client) round \(round)")
                        outcome.statuses[reply?.status ?? 0, default: 0] += 1
                        if let reply, reply.status == 429 {
                            for (name, value) in reply.headers { outcome.headers[name] = value }
                        }
                        if reply?.status != 200 { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                    return outcome
                }
            }
            return await group.reduce(into: Outcome()) { sum, next in
                sum.statuses.merge(next.statuses) { $0 + $1 }
                sum.headers.merge(next.headers) { $1 }
            }
        }
    }

    @Test func `three gateways let through what one bucket would, through kills and absence`() async throws {
        try await Stack.with { stack in
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let (amount, burst) = (20, 30)
            let limit = try await stack.create(
                "/v1/rate-limits",
                [
                    "scope": tenant.project, "name": "rate", "meter": "requests", "amount": amount, "period": "second",
                    "burst": burst, "away": "deny",
                ])
            let places = try ["one", "two", "three"].map { try stack.place($0) }
            var gateways: [ChildProcess] = []
            for place in places {
                gateways.append(try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant)))
            }
            for place in places {
                try await eventually("the key works") {
                    try await stack.chat(place, tenant.key).status == 200
                }
            }
            try await stack.synced()
            let began = ContinuousClock.now
            let load = Task { await self.ask(stack, places, tenant.key, clients: 18, until: began + .seconds(12)) }
            try await Task.sleep(for: .seconds(3))
            _ = try await gateways[0].kill()
            gateways[0] = try await stack.startGateway(places[0])
            try await Task.sleep(for: .seconds(2))
            _ = try await control.kill()
            try await Task.sleep(for: .seconds(2))
            control = try await stack.startControl()
            let outcome = await load.value
            let elapsed = ContinuousClock.now - began
            // What was served before began with a full bucket too; clocks may run a hundredth fast.
            let bound = Double(burst) + Double(amount) * (Double(elapsed.components.seconds) + 1) * 1.01
            print("let through \(outcome.statuses) in \(elapsed), at most \(Int(bound))")
            let served = outcome.statuses[200, default: 0]
            #expect(Double(served) <= bound)
            #expect(served >= burst)
            #expect(outcome.statuses[429, default: 0] > 0)
            #expect(Set(outcome.statuses.keys).isSubset(of: [0, 200, 429, 503]), "\(outcome.statuses)")
            #expect(outcome.headers["ratelimit-limit"] == "\(amount)" && outcome.headers["retry-after"] != nil)
            let status = try await stack.api("GET", "/v1/rate-limits/\(limit)/status")
            let shares = (status.member("gateways") as? [[String: Any]]) ?? []
            #expect(shares.reduce(0) { $0 + (($1["share_percent"] as? Int) ?? 0) } <= 100, "\(shares)")
            for gateway in gateways { #expect(try await gateway.terminate() == .code(0)) }
            // Ended in order, nobody has a share any more.
            let left = try await stack.read { tx in
                try tx.queryOne(
                    """
                    select coalesce(sum(share), 0)::bigint as shares from rate_limit_share
                    where renewed_at > now() - interval '2 minutes'
                    """)?.get("shares", as: Int64.self)
            }
            #expect(left == 0)
            #expect(try await control.terminate() == .code(0))
        }
    }
}
