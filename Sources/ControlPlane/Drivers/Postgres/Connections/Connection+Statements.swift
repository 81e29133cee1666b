import CLibPQ

extension Connection {
    /// Runs one statement with parameters; results come in binary form.
    package func query(_ sql: SQL, _ parameters: (any SQLEncodable)?...) throws(PostgresError) -> Rows {
        Rows(result: try self.run(sql, parameters))
    }

    func run(_ sql: SQL, _ parameters: [(any SQLEncodable)?]) throws(PostgresError) -> ResultHandle {
        let block = try ParameterBlock(parameters)
        guard self.config.preparedStatements else { return try self.runUnnamed(sql.text, block) }
        let name = try self.prepared(sql.text, block.types)
        let raw = block.withPointers { values, lengths, formats in
            PQexecPrepared(self.raw, name, block.count, values, lengths, formats, 1)
        }
        return try self.check(raw)
    }

    private func runUnnamed(_ text: String, _ block: ParameterBlock) throws(PostgresError) -> ResultHandle {
        let raw = block.withPointers { values, lengths, formats in
            PQexecParams(self.raw, text, block.count, block.types, values, lengths, formats, 1)
        }
        return try self.check(raw)
    }

    /// The name of a prepared statement, prepared now if need be; makes room by deallocating the oldest.
    private func prepared(_ text: String, _ types: [UInt32]) throws(PostgresError) -> String {
        if let name = self.statements.find(text, types: types) { return name }
        let name = self.statements.nextName()
        _ = try self.check(PQprepare(self.raw, name, text, Int32(types.count), types))
        // The transaction is not in a failed state, or PREPARE would have failed: DEALLOCATE works.
        if let evicted = self.statements.makeRoom() { try self.command("DEALLOCATE \(evicted)") }
        self.statements.insert(text, types: types, name: name)
        return name
    }

    /// Forgets every prepared statement; outside a transaction only.
    func forgetStatements() {
        self.statements.removeAll()
        do throws(PostgresError) { try self.command("DEALLOCATE ALL") } catch { self.abandon() }
    }
}
