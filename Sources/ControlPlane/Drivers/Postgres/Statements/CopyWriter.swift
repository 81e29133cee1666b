import CLibPQ

/// Writes rows in the binary form of COPY.
///
/// COPY converts nothing: each value must have exactly its column's type, so an `integer` column takes an `Int32`.
package struct CopyWriter: ~Copyable {
    private let connection: Connection
    private var buffer: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)
    private static let flushThreshold = 64 * 1_024

    init(connection: Connection) { self.connection = connection }

    /// Appends one row, a value per column.
    package mutating func row(_ values: (any SQLEncodable)?...) throws(PostgresError) { try self.row(values) }

    /// Appends one row, a value per column.
    package mutating func row(_ values: [(any SQLEncodable)?]) throws(PostgresError) {
        self.buffer.append(bigEndian: Int16(truncatingIfNeeded: values.count))
        for value in values {
            let lengthPosition = self.buffer.count
            self.buffer.append(bigEndian: Int32(-1))
            let value = value?.sqlValue ?? .null
            if case .null = value { continue }
            try value.appendBinary(to: &self.buffer)
            self.buffer.setLength(self.buffer.count - lengthPosition - 4, at: lengthPosition)
        }
        if self.buffer.count >= Self.flushThreshold { try self.flush() }
    }

    mutating func finish() throws(PostgresError) {
        self.buffer.append(bigEndian: Int16(-1))
        try self.flush()
    }

    private mutating func flush() throws(PostgresError) {
        let sent = self.buffer.withUnsafeBytes { bytes in
            PQputCopyData(self.connection.raw, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
        }
        guard sent == 1 else { throw .connection(Connection.message(of: self.connection.raw)) }
        self.buffer.removeAll(keepingCapacity: true)
    }
}

extension Transaction {
    /// Loads rows with COPY and returns how many; `target` is a table and its columns, `"item (id, name)"`.
    ///
    /// When `write` throws or a row is refused, no row is loaded and the transaction can only be rolled back.
    @discardableResult
    package func copyIn(_ target: SQL, _ write: (inout CopyWriter) throws -> Void) throws -> Int {
        try self.connection.startCopy(target)
        do {
            var writer = CopyWriter(connection: self.connection)
            try write(&writer)
            try writer.finish()
        } catch {
            let refusal = self.connection.endCopy(because: "the writer stopped")
            // A row the server could not take ends the copy early; its reason is better than the broken write.
            if case .failure(let reason) = refusal, reason.sqlState != .queryCanceled { throw reason }
            throw error
        }
        return try self.connection.endCopy(because: nil).get()
    }
}

extension Connection {
    fileprivate func startCopy(_ target: SQL) throws(PostgresError) {
        guard let raw = PQexec(self.raw, "COPY \(target.text) FROM STDIN (FORMAT binary)") else {
            throw .connection(Self.message(of: self.raw))
        }
        let result = ResultHandle(adopting: raw)
        guard PQresultStatus(raw) == PGRES_COPY_IN else { throw self.failure(result) }
    }

    /// Ends a copy, with an error if `reason` is given, and returns the rows loaded.
    fileprivate func endCopy(because reason: String?) -> Result<Int, PostgresError> {
        guard PQputCopyEnd(self.raw, reason) == 1 else { return .failure(.connection(Self.message(of: self.raw))) }
        var outcome: Result<Int, PostgresError> = .failure(.connection("no answer to COPY"))
        while let raw = PQgetResult(self.raw) {
            let result = ResultHandle(adopting: raw)
            let isDone = PQresultStatus(raw) == PGRES_COMMAND_OK
            outcome = isDone ? .success(result.affectedRows) : .failure(self.failure(result))
        }
        return outcome
    }
}
