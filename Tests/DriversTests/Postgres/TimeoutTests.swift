import Glibc
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct TimeoutTests {
    @Test(arguments: [true, false])
    func `a statement that is too long is cancelled`(prepared: Bool) async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.statementTimeout = .milliseconds(50)
            config.preparedStatements = prepared
            let database = Database(config: config, logger: test.logger)
            let error = await #expect(throws: PostgresError.self) {
                try await database.transaction { try $0.execute("SELECT pg_sleep(3600)") }
            }
            #expect(error?.sqlState == .queryCanceled)
            await database.shutdown()
        }
    }

    @Test func `a lock that others hold is not waited for without end`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute("CREATE TABLE item (id bigint)")
                try tx.execute("INSERT INTO item VALUES (1)")
            }
            let gate = Gate()
            async let holder: Void = test.database.transaction { tx in
                _ = try tx.query("SELECT * FROM item FOR UPDATE")
                gate.pass()
            }
            try await gate.waitForArrival()
            var config = test.config
            config.lockTimeout = .milliseconds(50)
            let database = Database(config: config, logger: test.logger)
            let error = await #expect(throws: PostgresError.self) {
                try await database.transaction { _ = try $0.query("SELECT * FROM item FOR UPDATE") }
            }
            #expect(error?.sqlState == .lockNotAvailable)
            gate.open()
            try await holder
            await database.shutdown()
        }
    }

    @Test func `a transaction that does nothing loses its session, and the pool goes on`() async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.poolSize = 1
            config.idleInTransactionTimeout = .milliseconds(500)
            let database = Database(config: config, logger: test.logger)
            let error = await #expect(throws: PostgresError.self) {
                try await database.transaction { tx in
                    while true {
                        usleep(990_000)
                        try tx.execute("SELECT 1")
                    }
                }
            }
            guard case .connection = error else { throw TestKitError("another error: \(error as Any)") }
            try await database.transaction { try $0.execute("SELECT 1") }
            await database.shutdown()
        }
    }
}
