import Glibc
package import Logging
package import Postgres
import Synchronization

/// One test's own database.
package struct TestDatabase: Sendable {
    package let name: String
    package let server: TestPostgres
    /// For connections of the test's own: pools with other settings, listeners, locks.
    package let config: DatabaseConfig
    package let database: Database
    package var url: String { self.config.url }
    package var logger: Logger { TestPostgres.logger }

    /// The database of the running test, when it has the `database` trait.
    @TaskLocal package static var current: TestDatabase?

    /// Lends a database with the repository's migrations applied; dropped afterwards.
    @discardableResult
    package static func withClone<Value>(
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        try await self.withNew(template: try await self.migratedTemplate.value, body)
    }

    /// Lends a database with nothing in it; dropped afterwards.
    @discardableResult
    package static func withEmpty<Value>(
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        try await self.withNew(template: "template1", body)
    }

    private static let migratedTemplate = Task<String, any Error> {
        let server = try await TestPostgres.shared()
        let name = Self.nextName()
        try await server.administer("CREATE DATABASE \(name)")
        if !server.isPrivate { Self.dropAtExit(name, of: server) }
        if access(RepositoryPaths.migrations, R_OK) == 0 {
            let migrator = try Migrator(
                directory: RepositoryPaths.migrations,
                remedy: "the migrations",
                logger: TestPostgres.logger
            )
            _ = try await migrator.apply(to: server.config(database: name))
        }
        return name
    }

    /// What is left on a server that outlives us: the server's settings and the database.
    private static let leftover = Mutex<(config: DatabaseConfig, name: String)?>(nil)

    private static func dropAtExit(_ name: String, of server: TestPostgres) {
        self.leftover.withLock { $0 = (server.config(), name) }
        atexit {
            guard let leftover = TestDatabase.leftover.withLock({ $0 }) else { return }
            try? Connection(leftover.config).runScript("DROP DATABASE \(leftover.name) WITH (FORCE)")
        }
    }

    private static let numbers = Atomic(0)

    /// A name that no other process uses on the same server.
    private static func nextName() -> String {
        let number = self.numbers.add(1, ordering: .relaxed).newValue
        return "gatehouse_test_\(getpid())_\(self.processTag)_\(number)"
    }

    private static let processTag = UInt32.random(in: 0...UInt32.max)

    private static func withNew<Value>(
        template: String,
        _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        let server = try await TestPostgres.shared()
        let name = self.nextName()
        try await server.administer("CREATE DATABASE \(name) TEMPLATE \(template)")
        let config = server.config(database: name)
        let database = Database(config: config, logger: TestPostgres.logger)
        let result: Result<Value, any Error>
        do {
            result = .success(
                try await body(TestDatabase(name: name, server: server, config: config, database: database))
            )
        } catch {
            result = .failure(error)
        }
        await database.shutdown()
        try await server.administer("DROP DATABASE \(name) WITH (FORCE)")
        return try result.get()
    }
}
