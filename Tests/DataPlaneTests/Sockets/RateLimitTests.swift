import DataPlane
import Shared
import Synchronization
import TestKit
import Testing

extension OverSockets {
    /// Rate limits, as clients see them.
    @Suite(.timeLimit(.minutes(5))) struct RateLimitTests {
        private static let body = #"{"model":"fast","messages":[],"max_tokens":10}"#

        private func run(
            _ limits: [TestPolicy.RateLimit], _ bank: TestBank, budgets: [TestPolicy.Budget] = [],
            _ script: ScriptedUpstream.Script? = nil,
            _ body: @escaping @Sendable (TestGateway, TestBank) async throws -> Void
        ) async throws {
            let upstream =
                if let script { try await ScriptedUpstream.start(script) } else {
                    try await ScriptedUpstream.answering(Answers.json(Answers.chat))
                }
            let options = TestGateway.Options {
                ($0.rateLimits, $0.budgets, $0.bank) = (limits, budgets, bank)
            }
            try await TestGateway.run([upstream], options) { gateway in try await body(gateway, bank) }
        }

        private func status(_ gateway: TestGateway, _ body: String = RateLimitTests.body) async throws -> RawMessage {
            let client = try await gateway.client()
            try await client.send(Requests.chat(body))
            return try await client.answer()
        }

        @Test func `what is beyond the limit is told when to come again, and what refused it`() async throws {
            let minute = BucketRate(amount: 60, per: .minute, burst: 2)
            let limits: [TestPolicy.RateLimit] = [
                .init(level: .key, meter: .requests, rate: minute),
                .init(level: .organization, meter: .requests, rate: BucketRate(amount: 3, per: .hour, burst: 3)),
            ]
            try await self.run(limits, TestBank(units: [1: 2, 2: 3])) { gateway, bank in
                for _ in 0..<2 { #expect(try await self.status(gateway).status == 200) }
                var answer = try await self.status(gateway)
                #expect(answer.status == 429)
                #expect(answer["retry-after"] == "1" && answer["ratelimit-reset"] == "1")
                #expect(answer["ratelimit-limit"] == "60" && answer["ratelimit-remaining"] == "0")
                #expect(answer["x-should-retry"] == nil)
                #expect(answer.text.contains(#""code":"rate_limit_exceeded","level":"key","id":"rl_"#))
                #expect(
                    answer.text.contains(
                        #""rate_limit":{"meter":"requests","amount":60,"period":"minute","burst":2,"left":0}"#))
                #expect(answer.text.contains(#""type":"rate_limit_error""#))
                // What was refused below was not counted above; the topmost is named once both refuse.
                bank.setUnits(10, of: 1)
                try await eventually("it is served again") { try await self.status(gateway).status == 200 }
                try await eventually("the organization refuses") {
                    answer = try await self.status(gateway)
                    return answer.status == 429 && answer.text.contains(#""level":"organization""#)
                }
                // A third of an hour is what one more takes.
                let wait = Int(answer["retry-after"] ?? "") ?? 0
                #expect(wait > 600 && wait <= 1200, "\(wait)")
            }
        }

        @Test func `places for requests at the same time are free again when they end`() async throws {
            let (entered, signal) = AsyncStream.makeStream(of: Void.self)
            let gate = Gate()
            let limits: [TestPolicy.RateLimit] = [
                .init(meter: .concurrentRequests, rate: BucketRate(amount: 2, per: nil, burst: 2))
            ]
            let script: ScriptedUpstream.Script = { connection, _ in
                while true {
                    _ = try await connection.request(within: .seconds(60))
                    signal.yield()
                    await gate.wait()
                    try await connection.send(Answers.json(Answers.chat))
                }
            }
            try await self.run(limits, TestBank(units: [1: 2]), script) { gateway, _ in
                var waiting: [RawConnection] = []
                var arrivals = entered.makeAsyncIterator()
                for _ in 0..<2 {
                    let client = try await gateway.client()
                    try await client.send(Requests.chat(Self.body))
                    _ = await arrivals.next()
                    waiting.append(client)
                }
                let answer = try await self.status(gateway)
                #expect(answer.status == 429 && answer["retry-after"] == "1")
                #expect(answer.text.contains(#""meter":"concurrent_requests","amount":2,"left":0"#))
                // One client leaves: its place is somebody else's.
                waiting.removeLast().close()
                gate.open()
                try await eventually("there is a place") { try await self.status(gateway).status == 200 }
                #expect(try await waiting[0].answer().status == 200)
            }
        }

        @Test func `tokens are counted as they were used, also beyond what was thought`() async throws {
            let limits: [TestPolicy.RateLimit] = [
                .init(meter: .totalTokens, rate: BucketRate(amount: 1000, per: .day, burst: 1000))
            ]
            // The body is thought to be 11 tokens, the answer 10 at most; both together are 18.
            try await self.run(limits, TestBank(units: [1: 100])) { gateway, bank in
                var served = 0
                while served < 20, try await self.status(gateway).status == 200 { served += 1 }
                // 18 each, and the last only if 21 are there: 4 * 18 + 21 <= 100.
                #expect(served == 5)
                bank.setUnits(90 + 21, of: 1)
                try await eventually("one more fits") { try await self.status(gateway).status == 200 }
                try await eventually("no other does") { try await self.status(gateway).status == 429 }
            }
        }

        @Test func `a strict limit counts what a request may use, and says what never fits`() async throws {
            // 46 bytes and ten tokens.
            let bound = Int64(Self.body.utf8.count) + 10
            let strict = BucketRate(amount: bound, per: .minute, burst: bound)
            try await self.run(
                [.init(meter: .totalTokens, rate: strict, isStrict: true)], TestBank(units: [1: bound])
            ) { gateway, _ in
                #expect(try await self.status(gateway).status == 200)
                let large = #"{"model":"fast","messages":[],"max_tokens":11}"#
                let answer = try await self.status(gateway, large)
                #expect(answer.status == 429 && answer["x-should-retry"] == "false" && answer["retry-after"] == nil)
                #expect(answer.text.contains("request_exceeds_rate_limit"))
                // What it did not use is there again.
                #expect(try await self.status(gateway).status == 429)
            }
        }

        @Test func `without a word of the control plane it is as the limit says`() async throws {
            for (away, status) in [(BudgetAwayPolicy.open, 200), (.deny, 503)] {
                let bank = TestBank()
                bank.setSilent(true)
                let limits: [TestPolicy.RateLimit] = [
                    .init(meter: .requests, rate: BucketRate(amount: 1, per: .day, burst: 1), away: away)
                ]
                try await self.run(limits, bank) { gateway, _ in
                    let answer = try await self.status(gateway)
                    #expect(answer.status == status)
                    if status == 503 { #expect(answer.text.contains("rate_limit_unavailable")) }
                    bank.table.isAway.store(true, ordering: .relaxed)
                    #expect(try await self.status(gateway).status == status)
                }
            }
        }

        @Test func `a request that a budget refuses uses nothing of a rate limit`() async throws {
            let limits: [TestPolicy.RateLimit] = [
                .init(meter: .requests, rate: BucketRate(amount: 1, per: .day, burst: 1))
            ]
            let bank = TestBank([1: 1], units: [1: 1])
            try await self.run(limits, bank, budgets: [.init(amount: 5)]) { gateway, bank in
                #expect(try await self.status(gateway).status == 402)
                bank.setLimit(1 << 40, of: 1)
                try await eventually("the one request is served") { try await self.status(gateway).status == 200 }
                try await eventually("there is no other") { try await self.status(gateway).status == 429 }
            }
        }
    }
}

/// Opened once; who waits looks ever so often.
private final class Gate: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { self.isOpen.store(true, ordering: .releasing) }

    func wait() async {
        for _ in 0..<6000 where !self.isOpen.load(ordering: .acquiring) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
