import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct SessionTests {
    /// Ends the sessions of one application name.
    private func endSessions(_ applicationName: String, in test: TestDatabase) async throws {
        _ = try await test.database.transaction { tx in
            try tx.execute(
                """
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE application_name = $1 AND datname = $2
                """,
                applicationName,
                test.name
            )
        }
    }

    private func notify(_ payload: String, in test: TestDatabase) async throws {
        try await test.database.transaction { try $0.notify("news \"today\"", payload) }
    }

    @Test func `notifications arrive with commit, and again after the connection was lost`() async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.applicationName = "listener"
            let listener = Listener(config: config, channels: ["news \"today\""], logger: test.logger)
            var events = listener.events().makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            try await self.notify("one", in: test)
            #expect(await events.next() == .notification(.init(channel: "news \"today\"", payload: "one")))
            _ = try? await test.database.transaction { tx in
                try tx.notify("news \"today\"", "rolled back")
                throw TestKitError("roll back")
            }
            try await self.endSessions("listener", in: test)
            #expect(await events.next() == .reconnected)
            try await self.notify("two", in: test)
            #expect(await events.next() == .notification(.init(channel: "news \"today\"", payload: "two")))
        }
    }

    @Test func `a consumer that is too slow is told so`() async throws {
        try await TestDatabase.withEmpty { test in
            let listener = Listener(config: test.config, channels: ["news"], bufferSize: 2, logger: test.logger)
            var events = listener.events().makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            try await test.database.transaction { tx in
                for number in 0..<500 { try tx.notify("news", "\(number)") }
            }
            try await Task.sleep(for: .milliseconds(100))
            var received = 0
            var wasTold = false
            while received < 500, !wasTold {
                if await events.next() == .reconnected { wasTold = true } else { received += 1 }
            }
            #expect(wasTold || received == 500)
        }
    }

    @Test func `a consumer that stops closes the connection`() async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.applicationName = "leaver"
            let listener = Listener(config: config, channels: ["news"], logger: test.logger)
            let consumer = Task { for await _ in listener.events() {} }
            func sessions() async throws -> Int {
                try await test.database.transaction { tx in
                    try tx.query("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'leaver'")[0]
                        .get("n")
                }
            }
            try await eventually("the session is there") { try await sessions() > 0 }
            consumer.cancel()
            try await eventually("the session is gone") { try await sessions() == 0 }
        }
    }

    @Test func `one session at a time holds a lock, and the next gets it on release`() async throws {
        try await TestDatabase.withEmpty { test in
            let lock = AdvisoryLock(config: test.config, logger: test.logger)
            let first = try #require(try await lock.tryAcquire(1))
            #expect(first.isHeld)
            #expect(try await lock.tryAcquire(1) == nil)
            let other = try #require(try await lock.tryAcquire(2))
            await first.release()
            #expect(!first.isHeld)
            let second = try #require(try await lock.tryAcquire(1))
            #expect(other.isHeld)
            await second.release()
            await other.release()
        }
    }

    @Test func `losing the connection is losing the lock, and the holder learns it`() async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.applicationName = "leader"
            let lock = AdvisoryLock(config: config, logger: test.logger)
            let hold = try #require(try await lock.tryAcquire(1))
            let waiting = Task { await hold.waitUntilLost() }
            try await self.endSessions("leader", in: test)
            await waiting.value
            #expect(!hold.isHeld)
            let next = try #require(try await lock.tryAcquire(1))
            await next.release()
        }
    }

    @Test func `waiting for the loss ends with the task`() async throws {
        try await TestDatabase.withEmpty { test in
            let lock = AdvisoryLock(config: test.config, logger: test.logger)
            let hold = try #require(try await lock.tryAcquire(1))
            let waiting = Task { await hold.waitUntilLost() }
            waiting.cancel()
            await waiting.value
            #expect(hold.isHeld)
            await hold.release()
        }
    }
}
