import Glibc
import Postgres
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct MigrationTests {
    private static let first = MigrationFile(version: 1, name: "create_item", sql: "CREATE TABLE item (id bigint);")
    private static let second = MigrationFile(
        version: 2,
        name: "add_name",
        sql: "ALTER TABLE item ADD COLUMN name text; CREATE INDEX ON item (name);"
    )

    private func migrator(_ files: MigrationFile...) throws -> Migrator {
        try Migrator(files: files, remedy: "the tool", logger: TestPostgres.logger)
    }

    private func tables(_ test: TestDatabase) async throws -> [String] {
        try await test.database.transaction { tx in
            try tx.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").map {
                try $0.get("tablename")
            }
        }
    }

    @Test func `files are applied once, in order, and check says when they are`() async throws {
        try await TestDatabase.withEmpty { test in
            let old = try self.migrator(Self.first)
            let new = try self.migrator(Self.first, Self.second)
            let error = await #expect(throws: MigrationError.self) { try await new.check(test.config) }
            #expect("\(error as Any)".contains("0000"))
            #expect(try await self.tables(test).isEmpty)  // check changes nothing
            #expect(try await old.apply(to: test.config) == [Self.first])
            await #expect(throws: MigrationError.behind(database: "0001", build: "0002", remedy: "the tool")) {
                try await new.check(test.config)
            }
            #expect(try await new.status(of: test.config).map(\.state).last == .pending)
            #expect(try await new.apply(to: test.config) == [Self.second])
            #expect(try await new.apply(to: test.config) == [])
            try await new.check(test.config)
            await #expect(throws: MigrationError.newer(database: "0002", build: "0001")) {
                try await old.check(test.config)
            }
            await #expect(throws: MigrationError.newer(database: "0002", build: "0001")) {
                try await old.apply(to: test.config)
            }
        }
    }

    @Test func `an applied file that was changed or renamed is refused`() async throws {
        try await TestDatabase.withEmpty { test in
            _ = try await self.migrator(Self.first, Self.second).apply(to: test.config)
            let edited = MigrationFile(version: 1, name: "create_item", sql: Self.first.sql + " ")
            let changed = try self.migrator(edited, Self.second)
            #expect(try await changed.status(of: test.config).map(\.state).first == .changed)
            await #expect(throws: MigrationError.changed("0001_create_item")) { try await changed.check(test.config) }
            await #expect(throws: MigrationError.changed("0001_create_item")) {
                try await changed.apply(to: test.config)
            }
            let renamed = try self.migrator(
                MigrationFile(version: 1, name: "make_item", sql: Self.first.sql),
                Self.second
            )
            await #expect(throws: MigrationError.missing("0001_create_item")) { try await renamed.check(test.config) }
        }
    }

    @Test func `a failing file leaves nothing, and what came before stays`() async throws {
        try await TestDatabase.withEmpty { test in
            let broken = MigrationFile(
                version: 2,
                name: "create_other",
                sql: "CREATE TABLE other (id bigint); INSERT INTO item VALUES (1); SELECT 1 / 0;"
            )
            let error = await #expect(throws: MigrationError.self) {
                try await self.migrator(Self.first, broken).apply(to: test.config)
            }
            guard case .failed("0002_create_other", _) = error else { throw TestKitError("\(error as Any)") }
            #expect(try await self.tables(test) == ["item", "schema_migration"])
            #expect(try await self.migrator(Self.first, Self.second).apply(to: test.config) == [Self.second])
        }
    }

    @Test func `a file that ends its transaction is refused`() async throws {
        try await TestDatabase.withEmpty { test in
            for sql in ["COMMIT;", "ROLLBACK; BEGIN;", "COMMIT; BEGIN;"] {
                let file = MigrationFile(version: 1, name: "end_early", sql: sql)
                await #expect(throws: MigrationError.leftTransaction("0001_end_early")) {
                    try await self.migrator(file).apply(to: test.config)
                }
            }
        }
    }

    @Test func `runners beside each other apply each file once`() async throws {
        try await TestDatabase.withEmpty { test in
            let migrator = try self.migrator(Self.first, Self.second)
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 { group.addTask { try await migrator.apply(to: test.config).count } }
                return try await group.reduce(0, +)
            }
            #expect(applied == 2)
        }
    }

    @Test func `a directory is read in order, without what is not a migration`() throws {
        try self.withDirectory([
            "0002_add_name.sql": "two", "0001_create_item.sql": "one", "schema.sql": "x", "README.md": "x",
        ]) { directory in
            let files = try MigrationFile.load(directory: directory)
            #expect(files.map(\.label) == ["0001_create_item", "0002_add_name"])
            #expect(files.map(\.sql) == ["one", "two"])
        }
    }

    @Test(
        arguments: [
            (
                ["0001_create_item.sql", "0003_add_name.sql"],
                MigrationError.gap(missing: "0002", before: "0003_add_name")
            ),
            (["0002_add_name.sql"], .gap(missing: "0001", before: "0002_add_name")),
            (["0001_create_item.sql", "0001_add_name.sql"], .duplicate("0001_add_name", "0001_create_item")),
            (["1_create_item.sql"], .badName("1_create_item.sql")),
            (["0001-create-item.sql"], .badName("0001-create-item.sql")),
            (["0001_items.sql"], .badName("0001_items.sql")),
            (["create_item.sql"], .badName("create_item.sql")),
        ]
    )
    func `a gap, a duplicate or a bad name is an error`(_ names: [String], _ expected: MigrationError) throws {
        try self.withDirectory(Dictionary(uniqueKeysWithValues: names.map { ($0, "") })) { directory in
            #expect(throws: expected) { try MigrationFile.load(directory: directory) }
        }
    }

    @Test func `the repository's own migrations can be read`() async throws {
        try await TestDatabase.withClone { test in
            try await test.database.transaction { try $0.execute("SELECT 1") }
        }
    }

    private func withDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
        var template = Array("/tmp/migrations-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            for name in files.keys { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        for (name, text) in files {
            let file = try #require(fopen("\(directory)/\(name)", "w"))
            fputs(text, file)
            fclose(file)
        }
        try body(directory)
    }
}
