import DataPlane
import Glibc
import NIOCore
import Shared
import Testing

extension OverSockets {
    /// How often the request path asks for memory.
    ///
    /// Counted by a library that is preloaded and exports `gatehouse_thread_allocations`; skipped without it, and of
    /// interest in a release build only.
    @Suite(.enabled(if: ThreadAllocations.isCounted))
    struct AllocationTests {
        private func measure(
            _ name: String, answer: [UInt8], request: [UInt8], per units: Int = 1, limit: Double
        ) async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                while true {
                    _ = try await connection.request(within: .seconds(60))
                    try await connection.send(answer)
                }
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let rounds = 1000
                func run(_ rounds: Int) async throws {
                    for _ in 0..<rounds {
                        try await client.send(request)
                        _ = try await client.answer()
                    }
                }
                try await run(200)
                let before = try await ThreadAllocations.count(on: gateway)
                ThreadAllocations.trace(true)
                try await run(rounds)
                ThreadAllocations.trace(false)
                let count = Double(try await ThreadAllocations.count(on: gateway) - before) / Double(rounds * units)
                print("\(name): \(count) allocations")
                #expect(count <= limit)
            }
        }

        @Test func `a small request and a small answer`() async throws {
            try await self.measure(
                "keep-alive JSON, per request", answer: Answers.json(Answers.chat), request: Requests.chat(), limit: 6
            )
        }

        @Test func `a stream of small events`() async throws {
            let events = (0..<400).map { Answers.delta("w\($0)") } + [Answers.usage(3, 4), Answers.done]
            try await self.measure(
                "stream, per event", answer: Answers.events(events), request: Requests.chat(Requests.stream), per: 402,
                limit: 0.5
            )
        }
    }
}

/// The preloaded counter.
enum ThreadAllocations {
    private typealias Count = @convention(c) () -> UInt64
    private typealias Trace = @convention(c) (Int32) -> Void

    static var isCounted: Bool { dlsym(nil, "gatehouse_thread_allocations") != nil }

    /// Allocations of the gateway's only loop so far.
    static func count(on gateway: TestGateway) async throws -> UInt64 {
        try await gateway.onLoop {
            guard let symbol = dlsym(nil, "gatehouse_thread_allocations") else { return 0 }
            return unsafeBitCast(symbol, to: Count.self)()
        }
    }

    /// Prints where allocations come from when `GATEHOUSE_TRACE_ALLOCATIONS` is set.
    static func trace(_ on: Bool) {
        guard getenv("GATEHOUSE_TRACE_ALLOCATIONS") != nil, let symbol = dlsym(nil, "gatehouse_trace_allocations")
        else {
            return
        }
        unsafeBitCast(symbol, to: Trace.self)(on ? 1 : 0)
    }
}
