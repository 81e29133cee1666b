import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ReconnectTests {
    @Test func `idle connections that the server ended are replaced without an error`() async throws {
        try await TestDatabase.withEmpty { test in
            for _ in 0..<3 {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<4 {
                        group.addTask { try await test.database.transaction { _ = try $0.execute("SELECT 1") } }
                    }
                    try await group.waitForAll()
                }
                try await self.endSessions(of: test)
            }
            try await test.database.transaction { try $0.execute("SELECT 1") }
        }
    }

    @Test func `a transaction whose session is ended fails, and its connection is not used again`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (id bigint)") }
            let error = await #expect(throws: PostgresError.self) {
                try await test.database.transaction { tx in
                    try tx.execute("INSERT INTO item VALUES (1)")
                    try tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                }
            }
            guard case .connection = error else { throw TestKitError("another error: \(error as Any)") }
            let count: Int = try await test.database.transaction {
                try $0.query("SELECT count(*) AS n FROM item")[0].get("n")
            }
            #expect(count == 0)
        }
    }

    @Test func `a session lost during commit leaves the outcome open`() async throws {
        try await TestDatabase.withEmpty { test in
            try await Connection.withSession(test.config) { connection in
                try connection.runScript(
                    """
                    CREATE TABLE item (id bigint);
                    CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS
                        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION leave();
                    """
                )
            }
            let error = await #expect(throws: PostgresError.self) {
                try await test.database.transaction { try $0.execute("INSERT INTO item VALUES (1)") }
            }
            guard case .commitUnknown = error else { throw TestKitError("another error: \(error as Any)") }
        }
    }

    @Test func `after kill -9 and restart of the server the pool works and what was committed is there`() async throws {
        let server = try await TestPostgres.dedicated()
        let database = Database(config: server.config(), logger: TestPostgres.logger)
        try await database.transaction { tx in
            try tx.execute("CREATE TABLE item (id bigint)")
            try tx.execute("INSERT INTO item VALUES (1)")
        }
        let gate = Gate()
        let cut = Task {
            try await database.transaction { tx in
                try tx.execute("INSERT INTO item VALUES (2)")
                gate.pass()
                try tx.execute("INSERT INTO item VALUES (3)")
            }
        }
        try await gate.waitForArrival()
        try await server.kill9()
        gate.open()
        await #expect(throws: PostgresError.self) { try await cut.value }
        let early = Task {
            try await database.transaction(.readOnly) { tx -> [Int] in
                try tx.query("SELECT id FROM item").map { try $0.get("id") }
            }
        }
        try await server.restart()
        #expect(try await early.value == [1])
        await database.shutdown()
        try await server.stop()
    }

    private func endSessions(of test: TestDatabase) async throws {
        try await test.server.administer(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '\(test.name)'"
        )
    }
}
