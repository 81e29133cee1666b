/// The rows of one result, in the server's order.
///
/// Values stay in the driver's buffer and are decoded when asked for.
package struct Rows: RandomAccessCollection {
    let result: ResultHandle

    package var startIndex: Int { 0 }
    package var endIndex: Int { self.result.rowCount }

    package subscript(position: Int) -> Row {
        precondition((0..<self.endIndex).contains(position), "row index out of range")
        return Row(result: self.result, index: position)
    }

    package var columnNames: [String] {
        (0..<self.result.columnCount).map { self.result.columnName($0) }
    }
}

/// One row of a result.
package struct Row {
    let result: ResultHandle
    let index: Int

    /// The value of the column `name`.
    ///
    /// Throws `decoding` when the column is absent or named twice, its type is another one, or it is NULL and
    /// `Value` is not optional.
    package func get<Value: SQLDecodable>(
        _ name: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        try Value(cell: try self.cell(name))
    }

    /// The value of the column at `position`, counted from 0.
    package func get<Value: SQLDecodable>(
        at position: Int,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard (0..<self.result.columnCount).contains(position) else {
            throw .decoding(column: "at \(position)", expected: "\(Value.self)", actual: "no such column")
        }
        return try Value(cell: SQLCell(result: self.result, row: self.index, column: position))
    }

    /// The value of the column `name`, nil for NULL.
    package func optional<Value: SQLDecodable>(
        _ name: String,
        as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        let cell = try self.cell(name)
        return cell.isNull ? nil : try Value(cell: cell)
    }

    package func cell(_ name: String) throws(PostgresError) -> SQLCell {
        guard let position = self.result.positions[name] else {
            throw .decoding(column: name, expected: "a column of this name", actual: "none")
        }
        guard position >= 0 else {
            throw .decoding(column: name, expected: "one column of this name", actual: "several")
        }
        return SQLCell(result: self.result, row: self.index, column: position)
    }
}
