/// How to reach a database, and the bounds on everything we do with it.
///
/// Printing it does not print the URL, which may hold a password.
package struct DatabaseConfig: Sendable {
    /// `postgresql://user:password@host/database?…`, or libpq's `key=value` form.
    package var url: String
    /// Most connections, and threads, of a `Database`.
    package var poolSize = 8
    /// Most tasks that wait for a connection; one more is refused at once.
    package var queueSize = 1_024
    /// Longest wait for a connection, connecting and reconnecting included.
    package var acquireTimeout: Duration = .seconds(5)
    /// Longest single attempt to connect; rounded up to whole seconds.
    package var connectTimeout: Duration = .seconds(5)
    /// Longest statement; zero turns this limit, and each of the next two, off.
    package var statementTimeout: Duration = .seconds(30)
    package var lockTimeout: Duration = .seconds(5)
    package var idleInTransactionTimeout: Duration = .seconds(30)
    /// What the server shows for our sessions.
    package var applicationName = "postgres-driver"
    /// Off behind a transaction pooler: then nothing is left in a session between two transactions.
    package var preparedStatements = true
    /// Most prepared statements per connection.
    package var prepareCacheSize = 256
    /// A role to take on (`SET ROLE`) in every session.
    package var setRole: String?

    package init(url: String) { self.url = url }

    /// Settings each session needs, as SQL `SET` commands; `local` limits them to the current transaction.
    func settings(local: Bool) -> String {
        let prefix = local ? "SET LOCAL " : "SET "
        var commands = [
            "statement_timeout = \(self.statementTimeout.wholeMilliseconds)",
            "lock_timeout = \(self.lockTimeout.wholeMilliseconds)",
            "idle_in_transaction_session_timeout = \(self.idleInTransactionTimeout.wholeMilliseconds)",
            "timezone = 'UTC'",
            // Planned for the values at hand: a filter that is null is not there, and partitions are left out. A plan
            // for any values would read everything.
            "plan_cache_mode = force_custom_plan",
        ]
        if let role = self.setRole { commands.append("ROLE \(SQL.quoted(identifier: role))") }
        return commands.map { prefix + $0 }.joined(separator: "; ")
    }
}

extension DatabaseConfig: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "DatabaseConfig(\(self.applicationName), pool of \(self.poolSize))" }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: ["applicationName": self.applicationName]) }
}

extension Duration {
    /// Rounded up and clamped to what the server and `poll` take.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        return Int32(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
