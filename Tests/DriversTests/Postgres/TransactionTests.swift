import Postgres
import TestKit
import Testing

private struct Change: Error {}

@Suite(.timeLimit(.minutes(10))) struct TransactionTests {
    @Test func `what a transaction wrote is gone when its body throws`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (id bigint PRIMARY KEY)") }
            await #expect(throws: Change.self) {
                try await test.database.transaction { tx in
                    #expect(try tx.execute("INSERT INTO item SELECT generate_series(1, $1)", 5) == 5)
                    throw Change()
                }
            }
            let count: Int = try await test.database.transaction(.readOnly) { tx in
                try tx.query("SELECT count(*) AS n FROM item")[0].get("n")
            }
            #expect(count == 0)
        }
    }

    @Test func `a refused statement cannot be swallowed into a commit`() async throws {
        try await TestDatabase.withEmpty { test in
            let error = await #expect(throws: PostgresError.self) {
                try await test.database.transaction { tx in
                    try tx.execute("CREATE TABLE item (id bigint)")
                    _ = try? tx.execute("SELECT 1 / 0")
                }
            }
            #expect(error?.sqlState == .divisionByZero)
            try await test.database.transaction { try $0.execute("CREATE TABLE item (id bigint)") }
        }
    }

    @Test func `a savepoint undoes its own part only`() async throws {
        try await TestDatabase.withEmpty { test in
            let ids: [Int] = try await test.database.transaction { tx in
                try tx.execute("CREATE TABLE item (id bigint PRIMARY KEY)")
                try tx.execute("INSERT INTO item VALUES (1)")
                let error = #expect(throws: PostgresError.self) {
                    try tx.savepoint { tx in
                        try tx.execute("INSERT INTO item VALUES (2)")
                        try tx.savepoint { _ = try $0.execute("INSERT INTO item VALUES (3)") }
                        try tx.execute("INSERT INTO item VALUES (1)")
                    }
                }
                #expect(error?.constraint == "item_pkey")
                try tx.savepoint { _ = try $0.execute("INSERT INTO item VALUES (4)") }
                return try tx.query("SELECT id FROM item ORDER BY id").map { try $0.get("id") }
            }
            #expect(ids == [1, 4])
        }
    }

    @Test func `modes say what may be written`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (id bigint)") }
            for mode in [TransactionMode.readOnly, .repeatableReadOnly] {
                let error = await #expect(throws: PostgresError.self) {
                    try await test.database.transaction(mode) { try $0.execute("INSERT INTO item VALUES (1)") }
                }
                #expect(error?.sqlState == .readOnlyTransaction)
            }
            let levels = try await test.database.transaction(.serializable) { tx -> String in
                try tx.query("SELECT current_setting('transaction_isolation') AS level")[0].get("level")
            }
            #expect(levels == "serializable")
        }
    }

    @Test func `a row that should be alone is`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                let none = try tx.queryOne("SELECT 1 WHERE false")
                #expect(none == nil)
                #expect(throws: PostgresError.self) { try tx.queryOne("SELECT generate_series(1, 2)") }
            }
        }
    }

    @Test func `a serialization failure is tried again only when asked`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute("CREATE TABLE counter (value bigint)")
                try tx.execute("INSERT INTO counter VALUES (0)")
            }
            // The first attempt of each meets an update that was committed behind its snapshot.
            @Sendable func increment(retries: Int) async throws {
                let gate = Gate()
                async let outcome: Void = test.database.transaction(
                    .serializable,
                    retrySerialization: retries
                ) { tx in
                    let value: Int = try tx.query("SELECT value FROM counter")[0].get("value")
                    gate.pass()
                    try tx.execute("UPDATE counter SET value = $1", value + 1)
                }
                try await gate.waitForArrival()
                try await test.database.transaction { _ = try $0.execute("UPDATE counter SET value = value + 10") }
                gate.open()
                try await outcome
            }
            let error = await #expect(throws: PostgresError.self) { try await increment(retries: 0) }
            #expect(error?.sqlState == .serializationFailure)
            try await increment(retries: 1)
            let value: Int = try await test.database.transaction {
                try $0.query("SELECT value FROM counter")[0].get("value")
            }
            #expect(value == 21)
        }
    }

    @Test func `concurrent increments with retries lose nothing`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute("CREATE TABLE counter (value bigint)")
                try tx.execute("INSERT INTO counter VALUES (0)")
            }
            try await withThrowingTaskGroup { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await test.database.transaction(.serializable, retrySerialization: 100) { tx in
                            let value: Int = try tx.query("SELECT value FROM counter")[0].get("value")
                            try tx.execute("UPDATE counter SET value = $1", value + 1)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let value: Int = try await test.database.transaction {
                try $0.query("SELECT value FROM counter")[0].get("value")
            }
            #expect(value == 20)
        }
    }
}
