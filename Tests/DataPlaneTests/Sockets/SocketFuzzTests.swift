import DataPlane
import Shared
import Synchronization
import Testing

extension OverSockets {
    /// Clients and providers that do anything at all: nothing breaks, every opened request is closed, nothing is left.
    ///
    /// A failure is repeated with the printed seed: `GATEHOUSE_SEED=… swift test --filter SocketFuzz`.
    @Suite
    struct SocketFuzzTests {
        private static let alphabet = Array("\r\n :;,\"{}[]0129afAF\\/\t\0HTPchunked-".utf8)

        /// What clients send, before it is changed.
        private static let requests: [[UInt8]] = [
            Requests.chat(), Requests.chat(Requests.stream), Requests.chat(#"{"model":"nope"}"#),
            Requests.chunked(Requests.stream, chunk: 7), Requests.chunked(#"{"model":"fast","n":2}"#, chunk: 1000),
            Requests.chat(fields: "expect: 100-continue\r\n"), Requests.chat(fields: "connection: close\r\n"),
            Requests.chat(version: "1.0"),
            Requests.chat("{\"model\":\"fast\",\"user\":\"\(String(repeating: "u", count: 70_000))\"}"),
            Array("GET /v1/models HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestPolicy.secret)\r\n\r\n".utf8),
            Array("HEAD /v1/models HTTP/1.1\r\nhost: g\r\n\r\n".utf8),
        ]

        /// What providers send, before it is changed.
        private static let answers: [[UInt8]] = [
            Answers.json(Answers.chat), Answers.json("{}", status: "429 Slow", fields: "retry-after: 1\r\n"),
            Answers.json("{}", status: "500 No"), Answers.json("no", status: "401 No"),
            Answers.json("\"\(String(repeating: "z", count: 100_000))\""),
            Answers.events([Answers.delta("a"), Answers.usage(3, 4), Answers.done]),
            Answers.events((0..<200).map { Answers.delta("\($0)") } + [Answers.done]),
            Array("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\(Answers.delta("a"))".utf8),
            Array("HTTP/1.1 204 No\r\n\r\n".utf8),
            Array("HTTP/1.1 100 Continue\r\n\r\n".utf8) + Answers.json(Answers.chat),
            Answers.json(Answers.chat, fields: "connection: close\r\n"), [],
        ]

        /// A source of seeds that any task may draw from.
        private final class Seeds: Sendable {
            private let random: Mutex<SplitMix64>
            init(_ seed: UInt64) { self.random = Mutex(SplitMix64(seed: seed)) }
            func next() -> UInt64 { self.random.withLock { $0.next() } }
        }

        private func provider(_ seeds: Seeds) async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                var random = SplitMix64(seed: seeds.next())
                while !connection.isClosed {
                    if random.chance(90) {
                        _ = try await connection.request(within: .seconds(2))
                    } else {
                        try await Task.sleep(for: .milliseconds(random.below(5)))
                    }
                    var bytes = random.pick(Self.answers)
                    if random.chance(40) { bytes = bytes.mutated(with: &random, alphabet: Self.alphabet) }
                    if random.chance(10) { bytes = Array(bytes[..<random.below(bytes.count + 1)]) }
                    if random.chance(5) { bytes += random.pick(Self.answers) }
                    try await Self.send(bytes, over: connection, &random)
                    if random.chance(10) { return }
                    if random.chance(5) { return try await connection.reset() }
                }
            }
        }

        /// Sends in random pieces, now and then waiting between them.
        private static func send(_ bytes: [UInt8], over connection: RawConnection, _ random: inout SplitMix64)
            async throws
        {
            guard random.chance(40) else { return try await connection.send(bytes) }
            var at = 0
            while at < bytes.count {
                let end = min(at + 1 + random.below(random.chance(50) ? 20 : 4000), bytes.count)
                try await connection.send(Array(bytes[at..<end]))
                if random.chance(20) { try await Task.sleep(for: .microseconds(random.below(1500))) }
                at = end
            }
        }

        private func client(_ gateway: TestGateway, seed: UInt64) async throws {
            var random = SplitMix64(seed: seed)
            let client = try await gateway.client()
            if random.chance(5) { try await client.setReading(false) }
            for _ in 0..<(1 + random.below(5)) {
                var bytes = random.pick(Self.requests)
                if random.chance(35) { bytes = bytes.mutated(with: &random, alphabet: Self.alphabet) }
                if random.chance(5) { bytes = Array(bytes[..<random.below(bytes.count + 1)]) }
                if random.chance(20) { bytes += random.pick(Self.requests) }
                try await Self.send(bytes, over: client, &random)
                if random.chance(60) { _ = try? await client.answer(within: .milliseconds(300)) }
                if client.isClosed { break }
            }
            switch random.below(4) {
            case 0: try await client.reset()
            case 1: try? await client.halfClose()
            default: client.close()
            }
        }

        @Test func `anything may come from both sides`() async throws {
            let seed = testSeed
            var random = SplitMix64(seed: seed)
            let seeds = Seeds(random.next())
            let upstreams = [try await self.provider(seeds), try await self.provider(seeds)]
            let options = TestGateway.Options {
                $0.loops = 2
                $0.maxBodyBytes = 200_000
                $0.bodyMemory = 1 << 20
                $0.requestSeconds = 5
                $0.timeouts.header = .milliseconds(300)
                $0.timeouts.body = .milliseconds(300)
                $0.timeouts.firstByte = .milliseconds(300)
                $0.timeouts.write = .milliseconds(400)
                $0.timeouts.idle = .milliseconds(500)
            }
            try await TestGateway.run(upstreams, options) { gateway in
                var before = 0
                for round in 0..<30 {
                    let batch = (0..<20).map { _ in random.next() }
                    await withTaskGroup(of: Void.self) { group in
                        for seed in batch { group.addTask { try? await self.client(gateway, seed: seed) } }
                    }
                    try await gateway.expectSettled()
                    if round == 5 { before = ProcessMemory.resident }
                }
                // A clean request is still served, and memory is where it was.
                #expect(ProcessMemory.resident - before < 60 << 20)
                let list = "GET /v1/models HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestPolicy.secret)\r\n\r\n"
                let client = try await gateway.client()
                try await client.send(list)
                #expect(try await client.answer().status == 200)
                #expect(gateway.records.count > 100)
            }
        }
    }
}
