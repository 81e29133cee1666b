import DataPlane
import Shared
import Testing

extension OverSockets {
    /// Which target a request goes to, and which after that.
    @Suite
    struct TargetTests {
        private func target(_ order: Int, _ weight: Int) -> TargetEntry {
            TargetEntry(model: 0, credential: -1, order: order, weight: weight)
        }

        private func route(_ targets: [TargetEntry]) -> RouteEntry {
            RouteEntry(id: TimeSource.system.newID(), targets: targets)
        }

        @Test func `targets of one order are chosen as often as they weigh`() {
            var random = SplitMix64(seed: testSeed)
            let weights = [50, 30, 15, 5, 0]
            let route = self.route(weights.map { self.target(1, $0) } + [self.target(2, 1000)])
            var counts = [Int](repeating: 0, count: 6)
            let rounds = 40_000
            for _ in 0..<rounds {
                var cursor = TargetCursor()
                _ = cursor.next(of: route, random: random.next())
                counts[cursor.current] += 1
            }
            var chiSquare = 0.0
            for (count, weight) in zip(counts, weights) where weight > 0 {
                let expected = Double(rounds * weight) / 100
                chiSquare += (Double(count) - expected) * (Double(count) - expected) / expected
            }
            // Three degrees of freedom: beyond 30 about once in a million runs.
            #expect(chiSquare < 30, "\(counts)")
            #expect(counts[4] == 0 && counts[5] == 0)
        }

        @Test func `every target is tried once, lower orders first`() {
            var random = SplitMix64(seed: testSeed)
            for _ in 0..<500 {
                let targets = (0..<(1 + random.below(32))).map { _ in self.target(random.below(4), random.below(3)) }
                    .sorted { $0.order < $1.order }
                let route = self.route(targets)
                var cursor = TargetCursor()
                var tried: [Int] = []
                while cursor.next(of: route, random: random.next()) != nil { tried.append(cursor.current) }
                #expect(Set(tried).count == targets.count && tried.count == targets.count)
                #expect(tried.map { targets[$0].order } == targets.map(\.order))
            }
        }

        @Test func `requests are spread over providers`() async throws {
            let upstreams = [
                try await ScriptedUpstream.answering(Answers.json(Answers.chat)),
                try await ScriptedUpstream.answering(Answers.json(Answers.chat)),
            ]
            let targets = upstreams.map {
                TestPolicy.Target(url: "http://127.0.0.1:\($0.port)/v1", order: 1, weight: 50)
            }
            try await TestGateway.run([], .init { $0.targets = targets }) { gateway in
                let client = try await gateway.client()
                for _ in 0..<200 {
                    try await client.send(Requests.chat())
                    #expect(try await client.answer().status == 200)
                }
            }
            // 200 fair coins: outside of this about once in ten million runs.
            #expect((62...138).contains(upstreams[0].requests.count))
            #expect(upstreams[0].requests.count + upstreams[1].requests.count == 200)
            for upstream in upstreams { await upstream.close() }
        }

        @Test(arguments: ["429 Slow", "500 No", "503 No", "reset", "garbage", "refused"])
        func `a failing provider is passed over`(failure: String) async throws {
            let failing = try await ScriptedUpstream.start { connection, _ in
                while true {
                    _ = try await connection.request()
                    switch failure {
                    case "reset": try await connection.reset()
                    case "garbage": try await connection.send("what?\r\n")
                    default: try await connection.send(Answers.json("{\"secret\":1}", status: failure))
                    }
                }
            }
            if failure == "refused" { await failing.close() }
            let good = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([failing, good]) { gateway in
                let client = try await gateway.client()
                for _ in 0..<3 {
                    try await client.send(Requests.chat())
                    let answer = try await client.answer()
                    #expect(answer.status == 200 && answer.text == Answers.chat)
                }
                let records = try await gateway.records(3)
                #expect(records.allSatisfy { $0.outcome == .completed && $0.attempts == 2 && $0.counters.input == 11 })
                #expect(good.requests.allSatisfy { $0.text == "{\"model\":\"\(TestPolicy.model)\",\"messages\":[]}" })
            }
        }
    }
}
