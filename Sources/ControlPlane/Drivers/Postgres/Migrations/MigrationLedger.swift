/// The table of applied migrations, and the statements around it.
struct MigrationLedger {
    /// Any number that nothing else in a database of ours locks: "migrator" in ASCII.
    private static let lockKey: Int64 = 0x6d69_6772_6174_6f72

    private let connection: Connection
    private let lockTimeout: Duration

    init(_ connection: Connection, lockTimeout: Duration) {
        self.connection = connection
        self.lockTimeout = lockTimeout
    }

    /// Waits, up to ten minutes, until no other runner is at work; held until the session ends.
    func lock() throws(PostgresError) {
        try self.connection.command("SET lock_timeout = '10min'")
        _ = try self.connection.query("SELECT pg_advisory_lock($1)", Self.lockKey)
        try self.connection.command("SET lock_timeout = \(self.lockTimeout.wholeMilliseconds)")
    }

    func createTable() throws(PostgresError) {
        try self.connection.command(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                version integer PRIMARY KEY,
                name text NOT NULL,
                checksum bytea NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """
        )
    }

    /// Joins the files of this build with what the database says was applied.
    func compare(_ files: [MigrationFile]) throws(PostgresError) -> [MigrationStatus] {
        var applied = try self.applied()
        var statuses: [MigrationStatus] = []
        for file in files {
            guard let entry = applied.removeValue(forKey: file.version) else {
                statuses.append(MigrationStatus(version: file.version, name: file.name, state: .pending))
                continue
            }
            if entry.name != file.name {
                statuses.append(MigrationStatus(version: file.version, name: entry.name, state: .missing))
                continue
            }
            let isSame = entry.checksum == (try self.checksum(file))
            let state: MigrationStatus.State = isSame ? .applied(at: entry.appliedAt) : .changed
            statuses.append(MigrationStatus(version: file.version, name: file.name, state: state))
        }
        statuses += applied.map { MigrationStatus(version: $0.key, name: $0.value.name, state: .missing) }
        return statuses.sorted { $0.version < $1.version }
    }

    /// Runs one file and records it, in one transaction.
    func apply(_ file: MigrationFile) throws(MigrationError) {
        do throws(PostgresError) {
            try self.connection.command("BEGIN")
            let transaction = try self.transactionID()
            try self.connection.runScript(file.sql)
            if try self.transactionID() == transaction {
                try self.record(file)
                try self.connection.command("COMMIT")
                return
            }
        } catch {
            self.connection.rollback()
            throw .failed(file.label, reason: "\(error)")
        }
        self.connection.rollback()
        throw .leftTransaction(file.label)
    }

    private func record(_ file: MigrationFile) throws(PostgresError) {
        _ = try self.connection.query(
            "INSERT INTO schema_migration (version, name, checksum) VALUES ($1, $2, sha256($3))",
            Int32(file.version),
            file.name,
            Array(file.sql.utf8)
        )
    }

    private struct Entry {
        let name: String
        let checksum: [UInt8]
        let appliedAt: SQLTimestamp
    }

    private func applied() throws(PostgresError) -> [Int: Entry] {
        let exists = try self.connection.query("SELECT to_regclass('schema_migration') IS NOT NULL AS found")
        guard let row = exists.first, try row.get("found", as: Bool.self) else { return [:] }
        var applied: [Int: Entry] = [:]
        for row in try self.connection.query("SELECT version, name, checksum, applied_at FROM schema_migration") {
            applied[try row.get("version")] = Entry(
                name: try row.get("name"),
                checksum: try row.get("checksum"),
                appliedAt: try row.get("applied_at")
            )
        }
        return applied
    }

    private func checksum(_ file: MigrationFile) throws(PostgresError) -> [UInt8] {
        let rows = try self.connection.query("SELECT sha256($1) AS checksum", Array(file.sql.utf8))
        guard let row = rows.first else { throw .connection("no answer") }
        return try row.get("checksum")
    }

    private func transactionID() throws(PostgresError) -> String {
        let rows = try self.connection.query("SELECT pg_current_xact_id()::text AS id")
        guard let row = rows.first else { throw .connection("no answer") }
        return try row.get("id")
    }
}
