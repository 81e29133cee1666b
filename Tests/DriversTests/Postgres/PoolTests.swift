import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PoolTests {
    /// A pool with one connection, held by a transaction until the gate opens.
    private func withBusyPool(
        _ adjust: (inout DatabaseConfig) -> Void,
        _ body: (Database, Gate) async throws -> Void
    ) async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.poolSize = 1
            adjust(&config)
            let database = Database(config: config, logger: test.logger)
            let gate = Gate()
            async let holder: Void = database.transaction { tx in
                try tx.execute("SELECT 1")
                gate.pass()
            }
            try await gate.waitForArrival()
            try await body(database, gate)
            gate.open()
            try await holder
            await database.shutdown()
        }
    }

    @Test func `never more connections than the pool's size`() async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.poolSize = 3
            config.applicationName = "bound"
            let database = Database(config: config, logger: test.logger)
            let running = Guarded((now: 0, most: 0))
            try await withThrowingTaskGroup { group in
                for _ in 0..<60 {
                    group.addTask {
                        try await database.transaction { tx in
                            running.change { count in
                                count.now += 1
                                count.most = max(count.most, count.now)
                            }
                            defer { running.change { $0.now -= 1 } }
                            try tx.execute("SELECT pg_sleep(0.002)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(running.value.most <= 3)
            let sessions: Int = try await test.database.transaction { tx in
                try tx.query(
                    "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'bound' AND datname = $1",
                    test.name
                )[0].get("n")
            }
            #expect((1...3).contains(sessions))
            await database.shutdown()
        }
    }

    @Test func `a wait that is too long is refused`() async throws {
        try await self.withBusyPool({ $0.acquireTimeout = .milliseconds(50) }) { database, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await database.transaction { try $0.execute("SELECT 1") }
            }
            guard case .poolExhausted = error else { throw TestKitError("not refused: \(error as Any)") }
        }
    }

    @Test func `a full queue refuses at once`() async throws {
        try await self.withBusyPool({ $0.queueSize = 0 }) { database, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await database.transaction { try $0.execute("SELECT 1") }
            }
            guard case .poolExhausted = error else { throw TestKitError("not refused: \(error as Any)") }
        }
    }

    @Test func `cancelling ends the wait, and the pool goes on`() async throws {
        try await self.withBusyPool({ $0.acquireTimeout = .seconds(3_600) }) { database, gate in
            let waiting = Task { try await database.transaction { try $0.execute("SELECT 1") } }
            let cancelledBefore = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await database.transaction { try $0.execute("SELECT 1") }
            }
            try await Task.sleep(for: .milliseconds(100))  // let the first one join the queue
            waiting.cancel()
            // the gate is still closed: only the cancellation can end these
            await #expect(throws: CancellationError.self) { try await waiting.value }
            await #expect(throws: CancellationError.self) { try await cancelledBefore.value }
            gate.open()
            try await database.transaction { try $0.execute("SELECT 1") }
        }
    }

    @Test func `waiting tasks are served in order`() async throws {
        let served = Guarded<[Int]>([])
        try await self.withBusyPool({ _ in }) { database, gate in
            var waiting: [Task<Void, any Error>] = []
            for number in 0..<5 {
                waiting.append(Task { try await database.transaction { _ in served.change { $0.append(number) } } })
                try await Task.sleep(for: .milliseconds(20))
            }
            gate.open()
            for task in waiting { try await task.value }
        }
        #expect(served.value == [0, 1, 2, 3, 4])
    }

    @Test func `shutdown lets the running transaction end and refuses the rest`() async throws {
        try await self.withBusyPool({ _ in }) { database, gate in
            let waiting = Task { try await database.transaction { try $0.execute("SELECT 1") } }
            async let end: Void = database.shutdown()
            let error = await #expect(throws: PostgresError.self) { try await waiting.value }
            guard case .closed = error else { throw TestKitError("not closed: \(error as Any)") }
            gate.open()
            await end
            await #expect(throws: PostgresError.self) {
                try await database.transaction { try $0.execute("SELECT 1") }
            }
        }
    }
}
