import CLibPQ

/// Owns the result of one statement and frees it with the last reference.
final class ResultHandle {
    let raw: OpaquePointer
    /// Column name to position; -1 marks a name that occurs twice.
    private(set) lazy var positions: [String: Int] = self.indexColumns()

    init(adopting raw: OpaquePointer) { self.raw = raw }

    deinit { PQclear(self.raw) }

    var rowCount: Int { Int(PQntuples(self.raw)) }
    var columnCount: Int { Int(PQnfields(self.raw)) }

    /// What the server says it did, for example `INSERT 0 3`.
    var commandTag: String { String(cString: PQcmdStatus(self.raw)) }

    /// Rows inserted, updated, deleted, selected or copied; 0 for other statements.
    var affectedRows: Int { Int(String(cString: PQcmdTuples(self.raw))) ?? 0 }

    func type(ofColumn column: Int) -> PostgresType {
        PostgresType(PQftype(self.raw, Int32(column)))
    }

    func columnName(_ column: Int) -> String {
        PQfname(self.raw, Int32(column)).map { String(cString: $0) } ?? "column \(column)"
    }

    func isNull(row: Int, column: Int) -> Bool {
        PQgetisnull(self.raw, Int32(row), Int32(column)) == 1
    }

    /// Valid as long as this handle lives.
    func bytes(row: Int, column: Int) -> UnsafeRawBufferPointer {
        let count = Int(PQgetlength(self.raw, Int32(row), Int32(column)))
        return UnsafeRawBufferPointer(start: PQgetvalue(self.raw, Int32(row), Int32(column)), count: count)
    }

    /// One part of the server's error report, by its letter in the protocol (`PG_DIAG_…`).
    func errorField(_ letter: Unicode.Scalar) -> String? {
        PQresultErrorField(self.raw, Int32(letter.value)).map { String(cString: $0) }
    }

    private func indexColumns() -> [String: Int] {
        var positions: [String: Int] = [:]
        for column in 0..<self.columnCount {
            let name = self.columnName(column)
            positions[name] = positions[name] == nil ? column : -1
        }
        return positions
    }
}
