import DataPlane
import Shared
import Testing

extension OverSockets {
    /// What is not text is counted under the meters that it is priced by.
    @Suite
    struct MeterTests {
        private func record(_ path: String, _ body: String, answer: String) async throws -> UsageRecord {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send(Answers.json(answer))
                try await connection.closed(within: .seconds(30))
            }
            var records: [UsageRecord] = []
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(body, path: path))
                _ = try await client.answer()
                records = try await gateway.records(1)
            }
            return try #require(records.first)
        }

        @Test func `generated images are image tokens where the provider counts them, else images`() async throws {
            let usage = #"{"created":1,"data":[],"usage":{"input_tokens":5,"output_tokens":70,"total_tokens":75}}"#
            let body = #"{"model":"fast","prompt":"a door","n":3}"#
            let counted = try await self.record("/v1/images/generations", body, answer: usage)
            #expect(counted.counters.input == 5 && counted.counters.imageOutput == 70 && counted.counters.output == 0)
            #expect(counted.counters.images == 0 && !counted.isEstimate)
            // Without a price of its own an image token costs what an output token does.
            #expect(counted.cost.amount == 5000 + 140_000)
            let bound = try await self.record("/v1/images/generations", body, answer: #"{"created":1,"data":[]}"#)
            #expect(bound.counters.images == 3 && bound.isEstimate)
        }

        @Test func `speech is as many characters as there are bytes, at most`() async throws {
            let body = #"{"model":"fast","input":"grüß dich","voice":"a"}"#
            let record = try await self.record("/v1/audio/speech", body, answer: "{}")
            #expect(record.counters.characters == Int64(body.utf8.count) && record.isEstimate)
        }
    }
}
