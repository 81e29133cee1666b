import Foundation
import Postgres
import Synchronization
import TestKit
import Testing

/// A gateway whose network to the control plane is cut goes on spending what it holds, and nothing more.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PartitionTests {
    /// What clients saw.
    private struct Answers: Sendable {
        var served: Set<String> = []
        var statuses: [Int: Int] = [:]

        mutating func add(_ reply: Stack.Reply?) {
            self.statuses[reply?.status ?? 0, default: 0] += 1
            if let reply, reply.status == 200, let id = reply.requestID { self.served.insert(id) }
        }

        mutating func add(_ other: Answers) {
            self.served.formUnion(other.served)
            self.statuses.merge(other.statuses) { $0 + $1 }
        }
    }

    private struct Money: Sendable {
        let charged: Int64
        let settled: Int64
        let held: Int64
        let open: Int64
        /// Records that cost something.
        let paid: Int64
    }

    private static let members = ",\"max_tokens\":40"

    private func money(_ stack: Stack) async throws -> Money {
        try await stack.read { tx in
            let row = try tx.query(
                """
                select (select coalesce(sum(cost_nano_usd * cardinality(charges)), 0)::bigint from usage_event
                        where charges is not null) as charged,
                    (select count(*) from usage_event where cost_nano_usd > 0) as paid,
                    coalesce(sum(settled), 0)::bigint as settled,
                    coalesce(sum(greatest(granted - returned, posted, settled)), 0)::bigint as held,
                    count(*) filter (where state <> 'closed') as open
                from budget_lease
                """)[0]
            return Money(
                charged: try row.get("charged"), settled: try row.get("settled"), held: try row.get("held"),
                open: try row.get("open"), paid: try row.get("paid"))
        }
    }

    /// Clients of one gateway, each until it was refused so often in a row.
    private func spend(
        _ stack: Stack, _ place: Stack.GatewayPlace, _ key: String, clients: Int, refusals: Int
    ) async -> Answers {
        await withTaskGroup(of: Answers.self) { group in
            for client in 0..<clients {
                group.addTask {
                    var answers = Answers()
                    var refused = 0
                    for round in 0..<4000 where refused < refusals {
                        let reply = try? await stack.chat(
                            place, key, content: "client \(client) round \(round)",
                            members: Self.members + (round % 3 == 0 ? ",\"stream\":true" : ""))
                        answers.add(reply)
                        refused = [402, 503].contains(reply?.status) ? refused + 1 : 0
                        if reply?.status != 200 { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                    return answers
                }
            }
            return await group.reduce(into: Answers()) { $0.add($1) }
        }
    }

    @Test func `a gateway that is cut off spends what it holds, and all together no more than the budget`()
        async throws
    {
        guard await NetworkNamespace.isPossible() else {
            print("skipped: no network namespace can be made here (it needs root and the command ip)")
            return
        }
        try await NetworkNamespace.with { space in
            try await Stack.with { stack in try await self.cutOff(stack, space) }
        }
    }

    private func cutOff(_ stack: Stack, _ space: NetworkNamespace) async throws {
        let control = try await stack.startControl(at: "0.0.0.0")
        let tenant = try await stack.makeTenant()
        let amount: Int64 = 60_000_000
        let budget = try await stack.create(
            "/v1/budgets",
            ["scope": tenant.project, "name": "small", "amount_nano_usd": "\(amount)", "period": "total"])
        var cut = try stack.place("cut")
        cut.address = space.address
        cut.namespace = space.name
        let places = [cut, try stack.place("killed"), try stack.place("whole")]
        var gateways: [ChildProcess] = []
        for place in places {
            gateways.append(
                try await stack.startGateway(
                    place, joinToken: try await stack.joinToken(tenant),
                    controlURL: place.namespace.map { _ in "http://\(space.outside):\(stack.controlPort)" }))
        }
        var answers = Answers()
        for place in places {
            try await eventually("the key works") {
                let reply = try await stack.chat(place, tenant.key, members: Self.members)
                answers.add(reply)
                return reply.status == 200
            }
        }
        try await stack.synced()

        // The others spend everything that they can get, one of them killed in the middle of it; the one that is cut off
        // spends what it holds to the end.
        try await space.cut()
        let before = try await self.money(stack)
        #expect(before.held > before.settled, "the gateway that is cut off holds something")
        async let alone = self.spend(stack, places[0], tenant.key, clients: 8, refusals: 5)
        async let killed = self.spend(stack, places[1], tenant.key, clients: 8, refusals: 40)
        async let whole = self.spend(stack, places[2], tenant.key, clients: 8, refusals: 40)
        for _ in 0..<2 {
            try await Task.sleep(for: .milliseconds(500))
            _ = try await gateways[1].kill()
            gateways[1] = try await stack.startGateway(places[1])
        }
        let island = await alone
        for more in await [island, killed, whole] { answers.add(more) }
        let during = try await self.money(stack)
        print("cut off: \(island.statuses), all: \(answers.statuses), held \(during.held) of \(amount)")
        #expect(island.statuses[200, default: 0] > 0, "it serves from what it holds")
        #expect(island.statuses[503, default: 0] + island.statuses[402, default: 0] > 0, "it holds no more than that")
        // Nobody knows yet what it spent: that it stays held is what keeps the sum within the budget.
        #expect(during.held <= amount)

        try await space.heal()
        for place in places { answers.add(await self.spend(stack, place, tenant.key, clients: 2, refusals: 10)) }
        let served = answers.served
        try await eventually("all usage has arrived, and nothing of dead processes is held") {
            let money = try await self.money(stack)
            return try await Ledger.read(stack).fault(answered: served) == nil && money.charged == money.settled
                && money.open <= 3
        }
        let after = try await self.money(stack)
        #expect(after.charged <= amount)
        #expect(after.held <= amount)
        // A request's bound is about 250,000 for each of three: what was refused in the end would not have fitted.
        #expect(after.charged > amount - 6 * 300_000, "\(after.charged) of \(amount)")
        for gateway in gateways { #expect(try await gateway.terminate() == .code(0)) }
        let ledger = try await Ledger.read(stack)
        #expect(ledger.fault(answered: served) == nil)
        let end = try await self.money(stack)
        #expect(end.held == end.settled && end.settled == end.charged && end.open == 0, "\(end)")
        // What was answered is what was paid for, but for requests that were under way when a process was killed.
        let unanswered = answers.statuses[0, default: 0]
        #expect((served.count...served.count + unanswered).contains(Int(end.paid)), "\(end.paid), \(served.count)")
        let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
        #expect(status.member("escrow_nano_usd") as? String == "0")
        #expect(status.member("spent_nano_usd") as? String == "\(end.charged)")
        print("spent \(end.charged) of \(amount), \(served.count) answered, \(end.paid) paid for")
        #expect(try await control.terminate() == .code(0))
    }
}
