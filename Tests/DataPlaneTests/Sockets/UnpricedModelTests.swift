import DataPlane
import Shared
import Testing

extension OverSockets {
    /// What has no price is never served for nothing.
    @Suite
    struct UnpricedModelTests {
        private func upstream() async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send(Answers.json(Answers.chat))
                try await connection.closed(within: .seconds(30))
            }
        }

        @Test(arguments: [Manifest.UnpricedModels.deny, .estimate])
        func `a model without a price is refused, and its provider not asked`(policy: Manifest.UnpricedModels)
            async throws
        {
            let provider = try await self.upstream()
            // To estimate it there would have to be a fallback price.
            let options = TestGateway.Options {
                $0.priced = [false]
                $0.unpricedModels = policy
                $0.fallback = policy == .deny ? 5 : nil
            }
            try await TestGateway.run([provider], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                let answer = try await client.answer()
                #expect(answer.status == 403)
                #expect(answer.text.contains("\"model_not_priced\"") && answer.text.contains("\"error\""))
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .refused && record.code == "model_not_priced" && record.cost == .zero)
                #expect(record.attempts == 0 && provider.open == 0)
            }
        }

        @Test func `a target without a price is passed over for one that has one`() async throws {
            let (unpriced, priced) = (try await self.upstream(), try await self.upstream())
            let options = TestGateway.Options { $0.priced = [false, true] }
            try await TestGateway.run([unpriced, priced], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                let record = try await gateway.records(1)[0]
                #expect(record.attempts == 1 && record.cost.amount == 11_000 + 14_000 && !record.isEstimate)
                #expect(unpriced.open == 0)
            }
        }

        @Test func `a model without a price is charged at the fallback, as an estimate, where the group says so`()
            async throws
        {
            let provider = try await self.upstream()
            let options = TestGateway.Options {
                $0.priced = [false]
                $0.unpricedModels = .estimate
                $0.fallback = 3_000_000_000
            }
            try await TestGateway.run([provider], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                let record = try await gateway.records(1)[0]
                #expect(record.isEstimate && record.cost.amount == 33_000 && record.price != nil)
            }
        }
    }
}
