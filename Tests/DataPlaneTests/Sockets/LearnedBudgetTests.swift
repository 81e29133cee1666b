import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// Budgets that go by what was learned, and budgets that requests are made to fit into, as clients see them.
    @Suite(.timeLimit(.minutes(5))) struct LearnedBudgetTests {
        private static let stream = #"{"model":"fast","messages":[],"stream":true,"max_tokens":4000}"#
        private static let body = #"{"model":"fast","messages":[],"max_tokens":4000}"#
        /// 1000 nano-USD a token of the prompt, 2000 one of the answer, and what rounding may add.
        private static func cost(_ prompt: Int, _ output: Int) -> Int64 {
            Int64(prompt * 1000 + output * 2000 + Meter.allCases.count)
        }
        private static let bound = Self.cost(Self.body.utf8.count, 4000)

        private func run(
            _ budgets: [TestPolicy.Budget], _ bank: TestBank, answer: [UInt8],
            _ body: @escaping @Sendable (TestGateway, TestBank, ScriptedUpstream) async throws -> Void
        ) async throws {
            let upstream = try await ScriptedUpstream.answering(answer)
            try await TestGateway.run([upstream], .init { ($0.budgets, $0.bank) = (budgets, bank) }) { gateway in
                try await body(gateway, bank, upstream)
            }
        }

        @Test func `what such requests cost lately is reserved, not the most that they can`() async throws {
            // Enough for one bound beside the prompt would be 8 million; there is a tenth of it.
            let bank = TestBank([1: Self.bound / 10])
            let answer = Answers.json(Answers.chat)
            try await self.run([.init(amount: 5)], bank, answer: answer) { gateway, _, _ in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Self.body))
                #expect(try await client.answer().status == 402)
            }
            // Nothing is known of the first: it takes more than there is. Then the model is known to answer with seven tokens.
            let learning = TestBank([1: 2 * Self.bound])
            try await self.run([.init(amount: 5, estimate: .learned)], learning, answer: answer) { gateway, bank, _ in
                let client = try await gateway.client()
                var least = Int64.max
                for _ in 0..<200 {
                    try await client.send(Requests.chat(Self.body))
                    #expect(try await client.answer().status == 200)
                }
                let record = try await gateway.records(200)[199]
                least = record.cost.amount
                #expect(least == 11 * 1000 + 7 * 2000)
                // What is left does for a few of those, and for no bound.
                let spent = 200 * least
                bank.setLimit(spent + 4 * least, of: 1)
                _ = bank.lastAsk(of: 1)
                try await client.send(Requests.chat(Self.body))
                let last = try await client.answer()
                #expect(last.status == 200, "\(last.text)")
                try await eventually("nothing is reserved") { bank.lastAsk(of: 1)?.reserved == 0 }
            }
        }

        @Test func `a stream reserves more as it grows, and is cut where there is no more`() async throws {
            let part = String(repeating: "word ", count: 80)
            let deltas = Array(repeating: Answers.delta(part), count: 100)
            let answer = Answers.events(deltas + [Answers.usage(11, 8000), Answers.done])
            // Some 20,000 tokens by its text, of 40,000 bytes: the client allows 4000.
            for (limit, isServed) in [(100 * Self.bound, true), (Self.cost(500, 3000), false)] {
                let bank = TestBank([1: limit])
                try await self.run([.init(amount: 5, estimate: .learned)], bank, answer: answer) { gateway, bank, _ in
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(Self.stream))
                    let answer = try await client.answer()
                    #expect(answer.status == 200)
                    let record = try await gateway.records(1)[0]
                    if isServed {
                        #expect(answer.text.contains("[DONE]") == true && !answer.text.contains("budget_exceeded"))
                        #expect(record.outcome == .completed && record.cost.amount == 11 * 1000 + 8000 * 2000)
                    } else {
                        #expect(answer.text.contains(#""code":"budget_exceeded","level":"project","id":"bud_"#))
                        #expect(!answer.text.contains("[DONE]"))
                        #expect(record.outcome == .interrupted && record.code == "budget_exceeded")
                        // What was produced until then, by its text: not nothing, and not what was never sent.
                        #expect(record.isEstimate && record.counters.output >= 2000 && record.counters.output <= 4000)
                    }
                    try await eventually("nothing is reserved") { bank.lastAsk(of: 1)?.reserved == 0 }
                    #expect(bank.lastAsk(of: 1)?.posted == record.cost.amount)
                }
            }
        }

        @Test func `counts that cannot be are taken as they are, and end nothing but the budget`() async throws {
            let most = Int64.max
            let text =
                #"{"id":"c","usage":{"prompt_tokens":\#(most),"completion_tokens":\#(most),"total_tokens":\#(most)}}"#
            let bank = TestBank([1: 100 * Self.bound])
            let budgets: [TestPolicy.Budget] = [.init(amount: 5, estimate: .learned)]
            try await self.run(budgets, bank, answer: Answers.json(text)) { gateway, _, _ in
                for _ in 0..<3 {
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(Self.body))
                    #expect([200, 402].contains(try await client.answer().status))
                }
            }
        }

        @Test func `a request is made to fit where all budgets that have too little want it`() async throws {
            let answer = Answers.json(Answers.chat)
            // Enough for the prompt and some thousand tokens.
            let limit = Self.cost(Self.body.utf8.count, 1000)
            let bodies = [
                Self.body,
                #"{"model":"fast","messages":[]}"#,
                #"{"max_completion_tokens":4000,"model":"fast","messages":[],"max_tokens":null,"x":1}"#,
                #"{"model":"fast","messages":[],"max_tokens":4000,"n":2}"#,
            ]
            for (index, body) in bodies.enumerated() {
                let bank = TestBank([1: limit, 2: 100 * Self.bound])
                let budgets: [TestPolicy.Budget] = [
                    .init(amount: 5, lowersOutput: true), .init(level: .organization, amount: 5),
                ]
                try await self.run(budgets, bank, answer: answer) { gateway, bank, upstream in
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(body))
                    let answer = try await client.answer()
                    #expect(answer.status == 200, "\(body): \(answer.text)")
                    let tokens = try #require(answer["gatehouse-max-tokens"].flatMap { Int($0) })
                    let choices = index == 3 ? 2 : 1
                    #expect(Self.cost(body.utf8.count, tokens * choices) <= limit)
                    #expect(Self.cost(body.utf8.count, (tokens + 1) * choices) > limit)
                    let sent = upstream.requests[0].text
                    switch index {
                    case 1: #expect(sent.contains(#"{"max_tokens":\#(tokens),"model""#), "\(sent)")
                    case 2:
                        #expect(sent.contains(#""max_completion_tokens":\#(tokens),"#), "\(sent)")
                        #expect(sent.contains(#""max_tokens":\#(tokens),"x":1"#), "\(sent)")
                    default: #expect(sent.contains(#""max_tokens":\#(tokens)"#), "\(sent)")
                    }
                    try await eventually("nothing is reserved") { bank.lastAsk(of: 1)?.reserved == 0 }
                }
            }
        }

        @Test func `nothing is made to fit that would be too short, or that another budget forbids`() async throws {
            let answer = Answers.json(Answers.chat)
            let short = Self.cost(Self.body.utf8.count, 200)
            let limits: [[UInt32: Int64]] = [
                [1: short, 2: 100 * Self.bound], [1: Self.bound / 2, 2: Self.bound / 2],
            ]
            for limits in limits {
                let budgets: [TestPolicy.Budget] = [
                    .init(amount: 5, lowersOutput: true), .init(level: .organization, amount: 5),
                ]
                try await self.run(budgets, TestBank(limits), answer: answer) { gateway, bank, upstream in
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(Self.body))
                    let answer = try await client.answer()
                    #expect(answer.status == 402 && answer.text.contains("budget_exceeded"), "\(answer.text)")
                    #expect(upstream.requests.isEmpty)
                    try await eventually("nothing is reserved") {
                        bank.lastAsk(of: 1)?.reserved == 0 && bank.lastAsk(of: 2)?.reserved == 0
                    }
                }
            }
        }
    }
}
