/// An open transaction: what the body of `Database.transaction` works with.
///
/// It cannot be copied or kept, so nothing outlives COMMIT. After a statement is refused by the server the
/// transaction can only be rolled back, unless the statement ran in a `savepoint`.
package struct Transaction: ~Copyable {
    let connection: Connection

    /// Runs a statement and returns its rows.
    ///
    /// Throws `server` when it is refused, `connection` when the session broke.
    package func query(_ sql: SQL, _ parameters: (any SQLEncodable)?...) throws(PostgresError) -> Rows {
        Rows(result: try self.connection.run(sql, parameters))
    }

    /// The same for a statement whose parameters are collected as it is written.
    package func query(_ statement: SQLStatement) throws(PostgresError) -> Rows {
        Rows(result: try self.connection.run(statement.sql, statement.parameters))
    }

    /// Runs a statement and returns how many rows it inserted, updated or deleted.
    @discardableResult
    package func execute(_ sql: SQL, _ parameters: (any SQLEncodable)?...) throws(PostgresError) -> Int {
        try self.connection.run(sql, parameters).affectedRows
    }

    /// The same with parameters whose number is not written in the source.
    @discardableResult
    package func execute(_ sql: SQL, list parameters: [(any SQLEncodable)?]) throws(PostgresError) -> Int {
        try self.connection.run(sql, parameters).affectedRows
    }

    /// Runs a statement that returns one row or none; more than one is `decoding`.
    package func queryOne(_ sql: SQL, _ parameters: (any SQLEncodable)?...) throws(PostgresError) -> Row? {
        let rows = Rows(result: try self.connection.run(sql, parameters))
        guard rows.count <= 1 else {
            throw .decoding(column: "*", expected: "at most one row", actual: "\(rows.count) rows")
        }
        return rows.first
    }

    /// Sends a notification that listeners get when this transaction commits; the payload is below 8,000 bytes.
    package func notify(_ channel: String, _ payload: String = "") throws(PostgresError) {
        try self.execute("SELECT pg_notify($1, $2)", channel, payload)
    }

    /// Runs `body` so that, when it throws, only what it did is undone and the transaction can go on.
    @discardableResult
    package mutating func savepoint<Value>(_ body: (inout Transaction) throws -> Value) throws -> Value {
        try self.connection.command("SAVEPOINT driver_savepoint")
        do {
            let value = try body(&self)
            try self.connection.command("RELEASE SAVEPOINT driver_savepoint")
            return value
        } catch {
            if !self.connection.isBroken {
                try self.connection.command(
                    "ROLLBACK TO SAVEPOINT driver_savepoint; RELEASE SAVEPOINT driver_savepoint"
                )
                self.connection.lastFailure = nil
            }
            throw error
        }
    }
}
