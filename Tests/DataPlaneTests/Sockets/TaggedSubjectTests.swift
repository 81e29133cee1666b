import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// Budgets and rate limits of tags, as clients see them.
    @Suite(.timeLimit(.minutes(5))) struct TaggedSubjectTests {
        private static let body = #"{"model":"fast","messages":[],"max_tokens":10}"#
        /// The body's bytes at 1000 nano-USD, ten tokens at 2000, and what rounding may add.
        private static let bound = Int64(Self.body.utf8.count) * 1000 + 10 * 2000 + Int64(Meter.allCases.count)

        private static func tag(_ value: String) throws -> SubjectTag {
            try #require(SubjectTag(name: "customer", value: value))
        }

        private func run(
            _ budgets: [TestPolicy.Budget] = [], limits: [TestPolicy.RateLimit] = [], _ bank: TestBank,
            own: [String: String] = [:], _ body: @escaping @Sendable (TestGateway, TestBank) async throws -> Void
        ) async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            let options = TestGateway.Options {
                $0.budgets = budgets
                $0.rateLimits = limits
                $0.bank = bank
                $0.tags = [
                    TagDeclaration(name: "customer", isRequired: true), TagDeclaration(name: "team", isRequired: false),
                ]
                $0.keyTags = own
            }
            try await TestGateway.run([upstream], options) { gateway in try await body(gateway, bank) }
        }

        private func send(_ gateway: TestGateway, _ tags: String?) async throws -> RawMessage {
            let client = try await gateway.client()
            let field = tags.map { "gatehouse-tags: \($0)\r\n" } ?? ""
            try await client.send(
                Requests.chat(Self.body, fields: "content-type: application/json\r\n" + field))
            return try await client.answer()
        }

        @Test func `a budget of a tag refuses requests with that value, and no other`() async throws {
            let budgets: [TestPolicy.Budget] = [
                .init(level: .key, amount: 5), .init(amount: 7, tag: try Self.tag("acme")), .init(amount: 9),
            ]
            let bank = TestBank([1: 100 * Self.bound, 2: Self.bound, 3: 100 * Self.bound])
            try await self.run(budgets, bank) { gateway, bank in
                #expect(try await self.send(gateway, "customer=acme").status == 200)
                let record = try await gateway.records(1)[0]
                #expect(record.charges.map(\.budget) == [3, 2, 1])
                #expect(bank.lastAsk(of: 2)?.posted == record.cost.amount)
                var answer = try await self.send(gateway, "team=x,customer=acme")
                try await eventually("the customer's money is known to be spent") {
                    answer = try await self.send(gateway, "customer=acme")
                    return answer.status == 402
                }
                #expect(answer.text.contains(#""code":"budget_exceeded","level":"tag","id":"bud_"#), "\(answer.text)")
                #expect(answer.text.contains(#""amount_usd":"0.000000007""#), "\(answer.text)")
                // Others are served, and charged to what is not the customer's.
                let before = gateway.records.count
                #expect(try await self.send(gateway, "customer=acme2").status == 200)
                #expect(try await gateway.records(before + 1).last?.charges.map(\.budget) == [3, 1])
                // Nobody gets around it by saying nothing.
                answer = try await self.send(gateway, nil)
                #expect(answer.status == 400 && answer.text.contains("tag_required"))
                answer = try await self.send(gateway, "team=x")
                #expect(answer.status == 400 && answer.text.contains("tag_required"))
                for budget in UInt32(1)...3 { #expect(bank.lastAsk(of: budget)?.reserved == 0) }
            }
        }

        @Test func `a key's own value pays, whatever the field says`() async throws {
            let budgets: [TestPolicy.Budget] = [
                .init(level: .organization, amount: 5, tag: try Self.tag("acme")),
                .init(level: .organization, amount: 5, tag: try Self.tag("globex")),
            ]
            let bank = TestBank([1: 0, 2: 100 * Self.bound])
            try await self.run(budgets, bank, own: ["customer": "acme"]) { gateway, _ in
                for field in ["customer=globex", nil] {
                    var answer = try await self.send(gateway, field)
                    try await eventually("nothing is left of the key's") {
                        answer = try await self.send(gateway, field)
                        return answer.status == 402
                    }
                    #expect(answer.text.contains(#""level":"tag""#))
                }
                #expect(gateway.records.allSatisfy { $0.outcome == .refused })
            }
        }

        @Test func `the topmost refuses, and tags right after their node`() async throws {
            let budgets: [TestPolicy.Budget] = [
                .init(level: .key, amount: 1), .init(amount: 2), .init(amount: 3, tag: try Self.tag("acme")),
                .init(level: .organization, amount: 4, tag: try Self.tag("acme")),
                .init(level: .organization, amount: 5),
            ]
            let rich = 1000 * Self.bound
            try await self.run(budgets, TestBank()) { gateway, bank in
                for (budget, level) in [
                    (5, "organization"), (4, "tag"), (2, "project"), (3, "tag"), (1, "key"),
                ] as [(UInt32, String)] {
                    try await eventually("budget \(budget) refuses") {
                        let answer = try await self.send(gateway, "customer=acme")
                        return answer.status == 402 && answer.text.contains("\"level\":\"\(level)\"")
                            && answer.text.contains("\"amount_usd\":\"0.00000000\(budget)\"")
                    }
                    bank.setLimit(rich, of: budget)
                }
                try await eventually("all have money") {
                    try await self.send(gateway, "customer=acme").status == 200
                }
            }
        }

        @Test func `a rate limit of a tag holds back requests with that value, and no other`() async throws {
            let limits: [TestPolicy.RateLimit] = [
                .init(meter: .requests, rate: BucketRate(amount: 1000, per: .hour, burst: 1000)),
                .init(
                    meter: .requests, rate: BucketRate(amount: 2, per: .hour, burst: 2), tag: try Self.tag("acme")),
            ]
            try await self.run(limits: limits, TestBank(units: [1: 1000, 2: 2])) { gateway, _ in
                for _ in 0..<2 { #expect(try await self.send(gateway, "customer=acme").status == 200) }
                let answer = try await self.send(gateway, "customer=acme")
                #expect(answer.status == 429)
                #expect(answer.text.contains(#""code":"rate_limit_exceeded","level":"tag","id":"rl_"#))
                for _ in 0..<4 { #expect(try await self.send(gateway, "customer=globex").status == 200) }
                #expect(try await self.send(gateway, "customer=acme").status == 429)
            }
        }
    }
}
