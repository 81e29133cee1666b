/// What can go wrong between us and the database.
///
/// Its description never holds a parameter's value, the statement, or the database URL, so it may be logged.
package enum PostgresError: Error, Sendable {
    /// No connection, or it broke; the transaction did not commit.
    case connection(String)
    /// The connection broke while COMMIT was under way: the transaction is either committed or not.
    case commitUnknown(String)
    /// The server refused a statement.
    case server(ServerError)
    /// A result is not what the code reads it as.
    case decoding(column: String, expected: String, actual: String)
    /// A parameter has no representation.
    case encoding(String)
    /// Every connection is busy, and the queue is full or the wait was too long.
    case poolExhausted
    /// Something on our side took longer than its limit.
    case timeout(String)
    /// The database, listener or lock was shut down.
    case closed

    /// The server's code, when it was the server that refused.
    package var sqlState: SQLSTATE? {
        guard case .server(let error) = self else { return nil }
        return error.sqlState
    }

    /// The violated constraint, when that was the reason.
    package var constraint: String? {
        guard case .server(let error) = self else { return nil }
        return error.constraint
    }
}

/// The server's report of a refused statement.
package struct ServerError: Sendable, Equatable {
    package let sqlState: SQLSTATE
    /// The primary message.
    ///
    /// For data exceptions it quotes the value: not for logs.
    package let message: String
    /// Often quotes values ("Key (email)=(…) already exists."): not for logs.
    package let detail: String?
    package let hint: String?
    package let constraint: String?
    package let table: String?
    package let column: String?
    /// The server's own function that raised the error; unlike the message it is never translated.
    let sourceFunction: String?

    /// A prepared plan that a schema change, or another user of the session, has made unusable.
    var isStalePlan: Bool {
        self.sqlState == .invalidStatementName
            || (self.sqlState == .featureNotSupported && self.sourceFunction == "RevalidateCachedQuery")
    }
}

extension ServerError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        var text = "SQLSTATE \(self.sqlState)"
        if !self.sqlState.messageMayHoldValues { text += ": \(self.message)" }
        if let constraint = self.constraint { text += " [constraint \(constraint)]" }
        if let table = self.table { text += " [table \(table)]" }
        if let column = self.column { text += " [column \(column)]" }
        return text
    }

    package var debugDescription: String { self.description }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        switch self {
        case .connection(let message): "database connection: \(message)"
        case .commitUnknown(let message): "database connection lost during commit, outcome unknown: \(message)"
        case .server(let error): "database refused: \(error)"
        case .decoding(let column, let expected, let actual):
            "database result: column \(column): expected \(expected), found \(actual)"
        case .encoding(let message): "database parameter: \(message)"
        case .poolExhausted: "no database connection became free in time"
        case .timeout(let what): "database: \(what) timed out"
        case .closed: "the database was shut down"
        }
    }

    package var debugDescription: String { self.description }
}
