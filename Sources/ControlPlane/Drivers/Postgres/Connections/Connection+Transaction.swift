import CLibPQ

/// How a transaction sees the database, and whether it may write.
package enum TransactionMode: Sendable {
    /// READ COMMITTED: each statement sees what is committed when it starts.
    case readWrite
    case readOnly
    /// One snapshot for all statements.
    case repeatableReadOnly
    /// One snapshot for all statements, with writes; may fail with `serializationFailure`.
    case repeatableReadWrite
    /// As if transactions ran one after the other; may fail with `serializationFailure`.
    case serializable

    var begin: String {
        switch self {
        case .readWrite: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        case .readOnly: "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
        case .repeatableReadOnly: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case .repeatableReadWrite: "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"
        case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"
        }
    }
}

extension Connection {
    /// Opens a transaction; when this throws, nothing has happened.
    func begin(_ mode: TransactionMode) throws(PostgresError) {
        self.lastFailure = nil
        let settings = self.config.preparedStatements ? "" : "; " + self.config.settings(local: true)
        try self.command(mode.begin + settings)
    }

    /// Runs `body` in the open transaction, then commits, or rolls back when it throws.
    func finish<Value>(_ body: (inout Transaction) throws -> Value) throws -> Value {
        var transaction = Transaction(connection: self)
        let value: Value
        do {
            value = try body(&transaction)
        } catch {
            self.rollback()
            throw error
        }
        try self.commit()
        return value
    }

    private func commit() throws(PostgresError) {
        do throws(PostgresError) {
            let tag = try self.command("COMMIT")
            guard tag == "COMMIT" else { throw self.swallowedFailure() }
        } catch {
            if case .connection(let message) = error { throw .commitUnknown(message) }
            throw error
        }
    }

    /// The body went on after a refused statement, so the server answered COMMIT with a rollback.
    private func swallowedFailure() -> PostgresError {
        if let failure = self.lastFailure { return .server(failure) }
        return .connection("the transaction was rolled back")
    }

    func rollback() {
        guard !self.isBroken else { return }
        do throws(PostgresError) { try self.command("ROLLBACK") } catch { self.abandon() }
    }
}
