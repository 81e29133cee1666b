import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct PreparedStatementTests {
    /// A pool with one connection, so that every transaction meets the same statements.
    private func withOneConnection(
        _ adjust: (inout DatabaseConfig) -> Void,
        _ body: (Database, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.withEmpty { test in
            var config = test.config
            config.poolSize = 1
            adjust(&config)
            let database = Database(config: config, logger: test.logger)
            try await body(database, test)
            await database.shutdown()
        }
    }

    private static func statements(_ tx: borrowing Transaction) throws -> [String] {
        try tx.query("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time").map {
            try $0.get("statement")
        }
    }

    @Test func `no more statements than the bound, the least recently used dropped first`() async throws {
        try await self.withOneConnection({ $0.prepareCacheSize = 4 }) { database, _ in
            for number in 0..<20 {
                try await database.transaction { tx in
                    _ = try tx.query("SELECT 1 AS kept")
                    _ = try tx.query("SELECT 1 AS " + SQL(identifier: "n\(number)"))
                    #expect(try Self.statements(tx).count <= 4)
                }
            }
            let texts = try await database.transaction { try Self.statements($0) }
            #expect(texts.contains("SELECT 1 AS kept"))
            #expect(texts.contains(#"SELECT 1 AS "n19""#))
            #expect(!texts.contains(#"SELECT 1 AS "n10""#))
        }
    }

    @Test func `a NULL parameter uses the statement of the others`() async throws {
        try await self.withOneConnection({ _ in }) { database, _ in
            let texts = try await database.transaction { tx in
                for value in [5, nil, 6, nil] as [Int?] {
                    #expect(try tx.query("SELECT $1::bigint AS v", value)[0].get("v", as: Int?.self) == value)
                }
                return try Self.statements(tx)
            }
            #expect(texts.filter { $0 == "SELECT $1::bigint AS v" }.count == 1)
        }
    }

    @Test func `switched off, nothing stays in the session`() async throws {
        try await self.withOneConnection({
            $0.preparedStatements = false
            $0.statementTimeout = .seconds(7)
        }) { database, test in
            for _ in 0..<2 {
                try await database.transaction { tx in
                    let value: Int = try tx.query("SELECT $1::bigint AS v", 5)[0].get("v")
                    #expect(value == 5)
                    #expect(try tx.query("SHOW statement_timeout")[0].get("statement_timeout") == "7s")
                    #expect(try Self.statements(tx).isEmpty)
                }
            }
            var config = test.config
            config.preparedStatements = false
            config.statementTimeout = .seconds(7)
            try await Connection.withSession(config) { connection in
                let timeout: String = try connection.query("SHOW statement_timeout")[0].get("statement_timeout")
                #expect(timeout == "0")
            }
        }
    }

    @Test func `a schema change under a prepared statement is not seen by the caller`() async throws {
        try await self.withOneConnection({ _ in }) { database, test in
            try await test.database.transaction { try $0.execute("CREATE TABLE item (id bigint)") }
            for name in ["a", "b", "c"] {
                let columns = try await database.transaction { try $0.query("SELECT * FROM item").columnNames }
                #expect(!columns.contains(name))
                try await test.database.transaction { tx in
                    try tx.execute("ALTER TABLE item ADD COLUMN " + SQL(identifier: name) + " text")
                }
            }
            let columns = try await database.transaction { try $0.query("SELECT * FROM item").columnNames }
            #expect(columns == ["id", "a", "b", "c"])
        }
    }

    @Test func `a session that was reset behind our back is not noticed by the caller`() async throws {
        try await self.withOneConnection({ _ in }) { database, _ in
            for _ in 0..<2 {
                try await database.transaction { tx in
                    _ = try tx.query("SELECT 1 AS one")
                    try tx.execute("DEALLOCATE ALL")
                }
            }
        }
    }

    @Test func `an identifier stays one identifier`() async throws {
        try await self.withOneConnection({ _ in }) { database, _ in
            let name = #"x"; DROP TABLE item; --"#
            let columns = try await database.transaction { tx in
                try tx.query("SELECT 1 AS " + SQL(identifier: name)).columnNames
            }
            #expect(columns == [name])
        }
    }
}
