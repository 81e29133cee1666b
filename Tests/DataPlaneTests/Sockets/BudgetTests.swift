import DataPlane
import Shared
import Synchronization
import TestKit
import Testing

extension OverSockets {
    /// Money of budgets, as clients see it.
    @Suite(.timeLimit(.minutes(5))) struct BudgetTests {
        private static let body = #"{"model":"fast","messages":[],"max_tokens":10}"#
        /// The body's bytes at 1000 nano-USD, ten tokens at 2000, and what rounding may add.
        private static let bound = Int64(Self.body.utf8.count) * 1000 + 10 * 2000 + Int64(Meter.allCases.count)

        private func run(
            _ budgets: [TestPolicy.Budget], _ bank: TestBank,
            _ body: @escaping @Sendable (TestGateway, TestBank) async throws -> Void
        ) async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream], .init { ($0.budgets, $0.bank) = (budgets, bank) }) { gateway in
                try await body(gateway, bank)
            }
        }

        @Test func `a request is charged to every budget of its path at what it cost`() async throws {
            let budgets: [TestPolicy.Budget] = [
                .init(level: .key, amount: 5), .init(level: .organization, amount: 5),
                .init(amount: 5, isHard: false),
            ]
            try await self.run(budgets, TestBank([1: Self.bound, 2: 10 * Self.bound])) { gateway, bank in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                #expect(try await client.answer().status == 200)
                let record = try await gateway.records(1)[0]
                #expect(record.cost.amount == 11 * 1000 + 7 * 2000)
                #expect(record.charges.map(\.budget) == [2, 3, 1])
                for budget in UInt32(1)...3 {
                    let ask = bank.lastAsk(of: budget)
                    #expect(ask?.posted == record.cost.amount && ask?.reserved == 0, "\(budget)")
                }
            }
        }

        @Test func `what a budget has no money for is refused, and the topmost is named`() async throws {
            let budgets: [TestPolicy.Budget] = [
                .init(amount: 1_500_000_000, period: .day), .init(level: .organization, amount: 2_000_000_000),
            ]
            let bank = TestBank([1: Self.bound - 1, 2: Self.bound - 1])
            try await self.run(budgets, bank) { gateway, bank in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                var answer = try await client.answer()
                #expect(answer.status == 402)
                #expect(answer["x-should-retry"] == "false")
                #expect(answer.text.contains(#""code":"budget_exceeded","level":"organization","id":"bud_"#))
                #expect(answer.text.contains(#""budget":{"period":"total","amount_usd":"2.00","left_usd":"0.0000"#))
                #expect(answer.text.contains(#""type":"insufficient_quota""#))
                // One level down, once the upper one has enough; and served when all have.
                bank.setLimit(100 * Self.bound, of: 2)
                try await eventually("the project refuses") {
                    try await client.send(Requests.chat(Self.body))
                    answer = try await client.answer()
                    return answer.text.contains(#""level":"project""#)
                }
                #expect(answer.status == 402 && answer.text.contains("window_ends_at"))
                bank.setLimit(100 * Self.bound, of: 1)
                try await eventually("there is enough") {
                    try await client.send(Requests.chat(Self.body))
                    return try await client.answer().status == 200
                }
                try await eventually("nothing is reserved") {
                    bank.lastAsk(of: 1)?.reserved == 0 && bank.lastAsk(of: 2)?.reserved == 0
                }
                // The record of what was refused says by which, and what there was.
                let refusal = try await gateway.records(1)[0].refusal
                #expect(refusal?.level == .organization && refusal?.needed == Self.bound)
                #expect(refusal?.left ?? .max < Self.bound && refusal?.left ?? 0 > 0)
            }
        }

        @Test func `a rolling budget names its window, and serves as soon as something has left it`() async throws {
            let bank = TestBank([1: Self.bound - 1])
            try await self.run([.init(amount: 1_500_000_000, rolling: .day)], bank) { gateway, bank in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                var answer = try await client.answer()
                #expect(answer.status == 402)
                #expect(answer.text.contains("what may be spent in any 24 hours for what"))
                #expect(
                    answer.text.contains(#""budget":{"period":"day","window":"rolling","amount_usd":"1.50","left_usd""#)
                )
                #expect(!answer.text.contains("window_ends_at"))
                // Grants are of one account, which grows: nothing else tells the gateway that money came back.
                bank.setLimit(Self.bound, of: 1)
                try await eventually("something has left the window") {
                    try await client.send(Requests.chat(Self.body))
                    answer = try await client.answer()
                    return answer.status == 200
                }
                // What is left is known no more when nobody can be asked.
                try await client.send(Requests.chat(Self.body))
                #expect(try await client.answer().status == 402)
                bank.setSilent(true)
                bank.table.isAway.store(true, ordering: .relaxed)
                try await eventually("what was said is out of date") {
                    try await client.send(Requests.chat(Self.body))
                    answer = try await client.answer()
                    return answer.status == 503
                }
                #expect(answer.text.contains("budget_unavailable") && answer["retry-after"] == "1")
            }
        }

        @Test func `nobody to ask is said so, or served where the budget says so`() async throws {
            let bank = TestBank()
            bank.setSilent(true)
            try await self.run([.init(amount: 5)], bank) { gateway, bank in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                var answer = try await client.answer()
                #expect(answer.status == 503 && answer.text.contains("budget_unavailable"))
                #expect(answer["retry-after"] == "1")
                bank.table.isAway.store(true, ordering: .relaxed)
                try await client.send(Requests.chat(Self.body))
                answer = try await client.answer()
                #expect(answer.status == 503)
            }
            let open = TestBank()
            open.setSilent(true)
            open.table.isAway.store(true, ordering: .relaxed)
            try await self.run([.init(amount: 5, away: .open)], open) { gateway, _ in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                #expect(try await client.answer().status == 200)
                #expect(try await gateway.records(1)[0].charges.count == 1)
            }
        }

        @Test func `what has no bound is refused under a hard budget only`() async throws {
            let tools = #"{"model":"fast","input":"x","max_output_tokens":5,"tools":[{"type":"web_search"}]}"#
            for isHard in [true, false] {
                try await self.run([.init(amount: 5, isHard: isHard)], TestBank([1: 1 << 50])) { gateway, bank in
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(tools, path: "/v1/responses"))
                    let answer = try await client.answer()
                    #expect(answer.status == (isHard ? 403 : 200))
                    #expect(answer.text.contains("cost_unbounded") == isHard)
                    try await eventually("nothing is reserved") {
                        bank.lastAsk(of: 1).map { $0.reserved == 0 } ?? true
                    }
                }
            }
        }

        @Test func `a client that leaves while it waits for money leaves nothing behind`() async throws {
            let bank = TestBank([1: 1 << 40])
            bank.setSilent(true)
            try await self.run([.init(amount: 5)], bank) { gateway, bank in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                try await eventually("it waits") { await gateway.loops.figures().parked == 1 }
                client.close()
                try await eventually("it is gone") { await gateway.loops.figures().counters.inFlight == 0 }
                bank.setSilent(false)
                bank.askSoon()
                try await eventually("nobody waits") { await gateway.loops.figures().parked == 0 }
                let next = try await gateway.client()
                try await next.send(Requests.chat(Self.body))
                #expect(try await next.answer().status == 200)
            }
        }
    }
}
