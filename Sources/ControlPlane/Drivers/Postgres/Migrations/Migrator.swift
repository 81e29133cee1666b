package import Logging

/// Where one migration stands in a database.
package struct MigrationStatus: Sendable, Hashable {
    package enum State: Sendable, Hashable {
        case applied(at: SQLTimestamp)
        case pending
        /// Applied, and edited since.
        case changed
        /// Applied, and not among this build's files.
        case missing
    }

    package let version: Int
    package let name: String
    package let state: State
}

/// Brings a database's schema forward, file by file, and says whether it is where this build needs it.
package struct Migrator: Sendable {
    package let files: [MigrationFile]
    private let remedy: String
    private let logger: Logger

    /// `remedy` is the command that operators are told to run when the database is behind.
    package init(files: [MigrationFile], remedy: String, logger: Logger) throws(MigrationError) {
        try MigrationFile.checkNumbering(files)
        self.files = files
        self.remedy = remedy
        self.logger = logger
    }

    package init(directory: String, remedy: String, logger: Logger) throws(MigrationError) {
        try self.init(files: try MigrationFile.load(directory: directory), remedy: remedy, logger: logger)
    }

    /// Every migration, in order: this build's and the database's.
    package func status(of config: DatabaseConfig) async throws -> [MigrationStatus] {
        try await self.withLedger(config) { ledger in
            try ledger.compare(self.files)
        }
    }

    /// Applies what is pending and returns it; runners beside this one wait their turn.
    ///
    /// Throws `MigrationError` when the database does not match this build's files; what came before a failing
    /// file stays applied.
    package func apply(to config: DatabaseConfig) async throws -> [MigrationFile] {
        try await self.withLedger(config) { ledger in
            try ledger.lock()
            try ledger.createTable()
            let pending = try self.pending(try ledger.compare(self.files))
            for file in pending {
                try ledger.apply(file)
                self.logger.info("migration applied", metadata: ["migration": "\(file.label)"])
            }
            return pending
        }
    }

    /// Throws `MigrationError` unless the database is exactly where this build needs it; changes nothing.
    package func check(_ config: DatabaseConfig) async throws {
        let statuses = try await self.status(of: config)
        guard let first = try self.pending(statuses).first else { return }
        throw MigrationError.behind(
            database: MigrationFile.number(first.version - 1),
            build: MigrationFile.number(self.files.count),
            remedy: self.remedy
        )
    }

    private func pending(_ statuses: [MigrationStatus]) throws(MigrationError) -> [MigrationFile] {
        var firstPending: Int?
        for status in statuses {
            let label = MigrationFile.number(status.version) + "_" + status.name
            switch status.state {
            case .changed: throw .changed(label)
            case .missing where status.version > self.files.count:
                let newest = statuses.map(\.version).max() ?? status.version
                throw .newer(
                    database: MigrationFile.number(newest),
                    build: MigrationFile.number(self.files.count)
                )
            case .missing: throw .missing(label)
            case .pending: firstPending = firstPending ?? status.version
            case .applied:
                guard let firstPending else { continue }
                throw .gap(missing: MigrationFile.number(firstPending), before: label)
            }
        }
        let isPending = Set(statuses.filter { $0.state == .pending }.map(\.version))
        return self.files.filter { isPending.contains($0.version) }
    }

    /// A session without a statement limit, on a thread of its own.
    private func withLedger<Value: Sendable>(
        _ config: DatabaseConfig,
        _ body: @escaping @Sendable (MigrationLedger) throws -> Value
    ) async throws -> Value {
        var config = config
        config.statementTimeout = .zero
        config.idleInTransactionTimeout = .zero
        config.preparedStatements = true  // a session of our own: set its limits once
        let lockTimeout = config.lockTimeout
        return try await Connection.withSession(config) { connection in
            try body(MigrationLedger(connection, lockTimeout: lockTimeout))
        }
    }
}
