import Glibc
package import Logging
package import Postgres
import Synchronization

/// A PostgreSQL server for tests: private, on a Unix socket, without fsync, gone with the test process.
///
/// `GATEHOUSE_TEST_DATABASE_URL` names an existing server to use for `shared` instead.
package final class TestPostgres: Sendable {
    /// A logger that keeps quiet.
    package static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static let sharedStart = Task<TestPostgres, any Error> {
        if let url = getenv("GATEHOUSE_TEST_DATABASE_URL") { return TestPostgres(existing: String(cString: url)) }
        return try await TestPostgres.dedicated()
    }

    private let baseURL: String
    private let directory: PostgresDirectory?
    private let process = Mutex<ChildProcess?>(nil)

    private init(existing url: String) {
        self.baseURL = url
        self.directory = nil
    }

    private init(_ directory: PostgresDirectory) {
        self.baseURL = "postgresql://postgres@/?host=\(directory.path)"
        self.directory = directory
    }

    /// The one server that all tests share; started on first use.
    package static func shared() async throws -> TestPostgres {
        try await self.sharedStart.value
    }

    /// A server of the caller's own, which it may kill and restart; call `stop` when done.
    package static func dedicated() async throws -> TestPostgres {
        let server = TestPostgres(try await PostgresDirectory.create())
        try await server.start()
        return server
    }

    /// Whether the server goes away with the test process.
    var isPrivate: Bool { self.directory != nil }

    /// What the server has written to its log; nil when it is not ours.
    package var log: OutputFile? { self.process.withLock { $0?.errors } }

    /// The URL of one of the server's databases.
    package func url(database: String = "postgres") -> String {
        self.baseURL + (self.baseURL.contains("?") ? "&" : "?") + "dbname=\(database)"
    }

    package func config(database: String = "postgres") -> DatabaseConfig {
        var config = DatabaseConfig(url: self.url(database: database))
        config.poolSize = 4
        // A busy machine is not a failure: a test of one of these bounds sets it itself.
        config.acquireTimeout = .seconds(60)
        config.connectTimeout = .seconds(60)
        config.statementTimeout = .seconds(100)
        config.lockTimeout = .seconds(60)
        config.applicationName = "test"
        return config
    }

    /// Runs a command outside any transaction, such as CREATE DATABASE.
    package func administer(_ command: String, database: String = "postgres") async throws {
        try await Connection.withSession(self.config(database: database)) { try $0.runScript(command) }
    }

    /// Kills a dedicated server and its sessions without warning.
    package func kill9() async throws {
        guard let process = self.process.withLock({ $0 }) else { throw TestKitError("not our server to kill") }
        // Sessions lead process groups of their own, and would live on for a moment.
        let sessions = PostgresDirectory.children(of: process.processID)
        kill(process.processID, SIGKILL)
        for session in sessions { kill(session, SIGKILL) }
        try await process.waitForExit()
    }

    /// Starts the server again after `kill9` or `stop`; returns when it has recovered.
    package func restart() async throws {
        try await self.start()
    }

    /// Stops a dedicated server, copies its files aside, and starts it again.
    package func save() async throws {
        guard let directory else { throw TestKitError("not our server to copy") }
        try await self.stop()
        try await directory.copyFiles(back: false)
        try await self.start()
    }

    /// Puts back the files of the last `save`: everything since then is forgotten.
    package func restoreSaved() async throws {
        guard let directory else { throw TestKitError("not our server to restore") }
        try await self.stop()
        try await directory.copyFiles(back: true)
        try await self.start()
    }

    /// Ends the server, breaking its sessions.
    package func stop() async throws {
        guard let process = self.process.withLock({ $0 }) else { return }
        process.send(signal: SIGINT)
        try await process.waitForExit()
    }

    private func start() async throws {
        guard let directory else { throw TestKitError("not our server to start") }
        var process = try directory.startServer()
        // A session of a server that was killed, started in its last moment, may have the shared memory still.
        for _ in 0..<50 {
            try await Task.sleep(for: .milliseconds(200))
            guard process.errors.tail(bytes: 4_096).contains("pre-existing shared memory block") else { break }
            try await process.waitForExit()
            process = try directory.startServer()
        }
        self.process.withLock { $0 = process }
        let database = Database(config: self.config(), logger: Self.logger)
        do {
            _ = try await database.transaction { try $0.execute("SELECT 1") }
        } catch {
            throw TestKitError("PostgreSQL did not start: \(error)\n\(process.errors.tail(bytes: 4_096))")
        }
        await database.shutdown()
    }
}
