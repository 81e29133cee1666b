import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct ServerErrorTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let statement: SQL
        let sqlState: SQLSTATE
        var constraint: String?
        var column: String?
        var testDescription: String { "\(self.statement)" }
    }

    static let refusals = [
        Refusal(statement: "INSERT INTO item VALUES (1, 1, 1)", sqlState: .uniqueViolation, constraint: "item_pkey"),
        Refusal(statement: "INSERT INTO item VALUES (2, -1, 1)", sqlState: .checkViolation, constraint: "positive"),
        Refusal(statement: "INSERT INTO item VALUES (2, NULL, 1)", sqlState: .notNullViolation, column: "size"),
        Refusal(
            statement: "INSERT INTO item VALUES (2, 1, 9)",
            sqlState: .foreignKeyViolation,
            constraint: "item_parent_fkey"
        ),
        Refusal(statement: "SELECT 1 / 0", sqlState: .divisionByZero),
        Refusal(statement: "SELECT 'x'::uuid", sqlState: .invalidTextRepresentation),
        Refusal(statement: "SELECT * FROM nothing", sqlState: .undefinedTable),
        Refusal(statement: "SELECT nothing FROM item", sqlState: .undefinedColumn),
        Refusal(statement: "SELECT nothing()", sqlState: .undefinedFunction),
        Refusal(statement: "SELEC 1", sqlState: .syntaxError),
        Refusal(statement: "DO $$ BEGIN RAISE 'no' USING HINT = 'yes'; END $$", sqlState: .raiseException),
        Refusal(statement: "DO $$ BEGIN RAISE 'no' USING ERRCODE = '40P01'; END $$", sqlState: .deadlockDetected),
    ]

    @Test(arguments: Self.refusals)
    func `a refusal has its code and names`(_ refusal: Refusal) async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { tx in
                try tx.execute(
                    """
                    CREATE TABLE item (
                        id bigint PRIMARY KEY,
                        size bigint NOT NULL CONSTRAINT positive CHECK (size > 0),
                        parent bigint REFERENCES item
                    )
                    """
                )
                try tx.execute("INSERT INTO item VALUES (1, 1, 1)")
            }
            let error = await #expect(throws: PostgresError.self) {
                try await test.database.transaction { _ = try $0.query(refusal.statement) }
            }
            guard case .server(let report) = error else { throw TestKitError("not a server error: \(error as Any)") }
            #expect(report.sqlState == refusal.sqlState)
            #expect(report.constraint == refusal.constraint)
            #expect(report.column == refusal.column)
            if refusal.sqlState == .raiseException {
                #expect(report.message == "no")
                #expect(report.hint == "yes")
            }
            // the connection is fit for the next transaction
            try await test.database.transaction { try $0.execute("INSERT INTO item VALUES (3, 1, 1)") }
        }
    }

    @Test func `a description never holds a parameter`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (name text UNIQUE)") }
            func text(_ body: @escaping @Sendable (inout Transaction) throws -> Void) async -> String {
                do {
                    try await test.database.transaction(.readWrite, body)
                    return ""
                } catch {
                    return "\(error) \(String(reflecting: error))"
                }
            }
            let errors = [
                await text { tx in
                    for _ in 0..<2 { try tx.execute("INSERT INTO item VALUES ($1)", "canary") }
                },
                await text { _ = try $0.query("SELECT $1::uuid", "canary") },
                await text { _ = try $0.query("SELECT $1", SQLInet("canary")) },
                await text { _ = try $0.query("SELECT $1 AS v", "canary")[0].get("v", as: Int.self) },
            ]
            for error in errors {
                #expect(!error.isEmpty)
                #expect(!error.contains("canary"))
            }
        }
    }

    @Test(
        arguments: [
            "postgresql://user:canary@127.0.0.1:1/db",
            "postgresql://user:canary@nowhere.invalid/db",
            "postgresql://user:can@ary@nowhere.invalid/db",
            "postgresql://user:canary@[::1/db",
            "postgresql://user:canary%zz@127.0.0.1/db",
            "user:canary@host",
        ]
    )
    func `a URL that does not work is not quoted`(_ url: String) async throws {
        var config = DatabaseConfig(url: url)
        config.acquireTimeout = .milliseconds(100)
        #expect(!"\(config) \(String(reflecting: config))".contains("ary"))
        var dumped = ""
        dump(config, to: &dumped)
        #expect(!dumped.contains("ary"))
        let database = Database(config: config, logger: TestPostgres.logger)
        let error = await #expect(throws: PostgresError.self) {
            try await database.transaction { try $0.execute("SELECT 1") }
        }
        guard case .connection(let message) = error else { throw TestKitError("another error") }
        #expect(!message.contains("ary"))
        await database.shutdown()
    }

    @Test func `a role is taken on in every session`() async throws {
        try await TestDatabase.withEmpty { test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (name text)") }
            for prepared in [true, false] {
                var config = test.config
                config.setRole = "pg_monitor"
                config.preparedStatements = prepared
                let database = Database(config: config, logger: test.logger)
                let user: String = try await database.transaction {
                    try $0.query("SELECT current_user AS u")[0].get("u")
                }
                #expect(user == "pg_monitor")
                let error = await #expect(throws: PostgresError.self) {
                    try await database.transaction { _ = try $0.query("SELECT * FROM item") }
                }
                #expect(error?.sqlState == .insufficientPrivilege)
                await database.shutdown()
            }
        }
    }
}
