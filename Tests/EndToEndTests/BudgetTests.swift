import Foundation
import NIOHTTP1
import Postgres
import TestKit
import Testing

/// Hard budgets over real gateways: what is spent is never more than the budget, whatever happens to whom.
@Suite(.serialized, .timeLimit(.minutes(10))) struct BudgetTests {
    /// What the database says of one budget.
    private struct Money: Sendable, CustomStringConvertible {
        /// The cost of all records that were charged to it.
        let charged: Int64
        /// What leases say was posted from records; what they hold.
        let settled: Int64
        let held: Int64
        let open: Int64

        var description: String {
            "charged \(self.charged), settled \(self.settled), held \(self.held), open \(self.open)"
        }
    }

    private func money(_ stack: Stack) async throws -> Money {
        try await stack.read { tx in
            let row = try tx.queryOne(
                """
                select (select coalesce(sum(cost_nano_usd * cardinality(charges)), 0)::bigint from usage_event
                        where charges is not null) as charged,
                    (select coalesce(sum(settled), 0)::bigint from budget_lease) as settled,
                    (select coalesce(sum(greatest(granted - returned, posted, settled)), 0)::bigint from budget_lease)
                        as held,
                    (select count(*) from budget_lease where state <> 'closed') as open
                """)
            guard let row else { throw TestKitError("no money") }
            return Money(
                charged: try row.get("charged"), settled: try row.get("settled"), held: try row.get("held"),
                open: try row.get("open"))
        }
    }

    private static let members = ",\"max_tokens\":40"

    private func spend(
        _ stack: Stack, _ places: [Stack.GatewayPlace], _ key: String, clients: Int,
        until enough: @escaping @Sendable (Int) -> Bool
    ) async -> [Int: Int] {
        await withTaskGroup(of: [Int: Int].self) { group in
            for client in 0..<clients {
                group.addTask {
                    var statuses: [Int: Int] = [:]
                    var refused = 0
                    for round in 0..<3000 {
                        let place = places[(client + round) % places.count]
                        let reply = try? await stack.chat(
                            place, key, content: "client \(client) round \(round)",
                            members: Self.members + (round % 3 == 0 ? ",\"stream\":true" : ""))
                        let status = reply?.status ?? 0
                        statuses[status, default: 0] += 1
                        refused = status == 402 ? refused + 1 : 0
                        if enough(refused) { break }
                        if status != 200 { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                    return statuses
                }
            }
            return await group.reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
        }
    }

    @Test func `three gateways spend one small budget to the end and never beyond`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let amount: Int64 = 30_000_000
            let budget = try await stack.create(
                "/v1/budgets",
                ["scope": tenant.project, "name": "small", "amount_nano_usd": "\(amount)", "period": "year"])
            let places = try ["one", "two", "three"].map { try stack.place($0) }
            var gateways: [ChildProcess] = []
            for place in places {
                gateways.append(try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant)))
            }
            for place in places {
                try await eventually("the key works") {
                    try await stack.chat(place, tenant.key, members: Self.members).status == 200
                }
            }
            let statuses = await self.spend(stack, places, tenant.key, clients: 24) { $0 >= 6 }
            #expect(Set(statuses.keys).isSubset(of: [200, 402]), "\(statuses)")
            #expect(statuses[402, default: 0] > 0)
            try await eventually("all usage has arrived") {
                let money = try await self.money(stack)
                let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
                let events = try await Ledger.read(stack).events
                return money.charged == money.settled && money.charged > 0
                    && status.member("spent_nano_usd") as? String == "\(money.charged)"
                    && events >= statuses.values.reduce(0, +)
            }
            let money = try await self.money(stack)
            print("spent \(money.charged) of \(amount): \(statuses), \(money)")
            #expect(money.charged <= amount)
            #expect(money.held <= amount)
            // A request's bound is about 250,000: what is refused in the end would not have fitted.
            #expect(money.charged > amount - 6 * 300_000)
            var last: Stack.Reply?
            try await eventually("nothing fits any more") {
                last = try await stack.chat(places[0], tenant.key, members: Self.members)
                return last?.status == 402
            }
            let refused = try #require(last)
            #expect(refused.headers.first(name: "x-should-retry") == "false")
            let error = refused.member("error") as? [String: Any]
            #expect(error?["code"] as? String == "budget_exceeded")
            #expect(error?["id"] as? String == budget && error?["level"] as? String == "project")
            // More money is there at once; and what is lowered under what was spent stops at once.
            let patch = try await stack.api(
                "PATCH", "/v1/budgets/\(budget)", ["amount_nano_usd": "\(amount * 2)"], ifMatch: "*")
            #expect(patch.status == 200)
            try await eventually("more money is spent") {
                try await stack.chat(places[0], tenant.key, members: Self.members).status == 200
            }
            for gateway in gateways { #expect(try await gateway.terminate() == .code(0)) }
            // Ended in order, nobody holds anything beyond what was spent.
            let after = try await self.money(stack)
            #expect(after.held == after.settled && after.settled == after.charged && after.open == 0, "\(after)")
            #expect(try await control.terminate() == .code(0))
        }
    }

    /// Spends a budget under load while `harm` is done to the parts; then nothing was overspent, and when all usage is
    /// there, nobody holds anything.
    private func underLoad(
        _ amount: Int64,
        _ harm:
            @escaping @Sendable (Stack, [Stack.GatewayPlace], inout [ChildProcess], inout ChildProcess) async throws ->
            Void
    ) async throws {
        try await Stack.with { stack in
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let budget = try await stack.create(
                "/v1/budgets",
                ["scope": tenant.organization, "name": "all", "amount_nano_usd": "\(amount)", "period": "total"])
            let places = try ["one", "two"].map { try stack.place($0) }
            var gateways: [ChildProcess] = []
            for place in places {
                gateways.append(try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant)))
            }
            for place in places {
                try await eventually("the key works") {
                    try await stack.chat(place, tenant.key, members: Self.members).status == 200
                }
            }
            try await stack.synced()
            let load = Task {
                await self.spend(stack, places, tenant.key, clients: 12) { $0 >= 40 }
            }
            try await harm(stack, places, &gateways, &control)
            let statuses = await load.value
            try await eventually("all usage has arrived, and nothing of dead processes is held") {
                let money = try await self.money(stack)
                return money.charged == money.settled && money.charged > 0 && money.open <= 2
            }
            let money = try await self.money(stack)
            print("spent \(money.charged) of \(amount): \(statuses), \(money)")
            #expect(money.charged <= amount)
            #expect(money.held <= amount)
            for index in gateways.indices { #expect(try await gateways[index].terminate() == .code(0)) }
            let after = try await self.money(stack)
            #expect(after.held == after.settled && after.settled == after.charged && after.open == 0, "\(after)")
            let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
            #expect(status.member("spent_nano_usd") as? String == "\(after.charged)")
            #expect(status.member("escrow_nano_usd") as? String == "0")
            #expect(try await control.terminate() == .code(0))
        }
    }

    @Test func `kill -9 of gateways neither overspends nor keeps money`() async throws {
        try await self.underLoad(60_000_000) { stack, places, gateways, _ in
            for round in 0..<4 {
                try await Task.sleep(for: .milliseconds(700))
                let victim = round % places.count
                _ = try await gateways[victim].kill()
                gateways[victim] = try await stack.startGateway(places[victim])
            }
        }
    }

    @Test func `kill -9 of the control plane and of PostgreSQL does not overspend`() async throws {
        try await self.underLoad(60_000_000) { stack, _, _, control in
            for round in 0..<3 {
                try await Task.sleep(for: .milliseconds(700))
                if round == 1 {
                    try await stack.postgres.kill9()
                    try await Task.sleep(for: .milliseconds(300))
                    try await stack.postgres.restart()
                } else {
                    _ = try await control.kill()
                    try await Task.sleep(for: .milliseconds(300))
                    control = try await stack.startControl()
                }
            }
        }
    }
}
