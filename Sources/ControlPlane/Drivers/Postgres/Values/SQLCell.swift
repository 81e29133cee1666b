/// One value of a result: where it stands, its type, and its bytes.
///
/// Types outside this module conform to `SQLDecodable` by decoding one of the basic types from the cell.
package struct SQLCell {
    let result: ResultHandle
    let row: Int
    let column: Int

    package var isNull: Bool { self.result.isNull(row: self.row, column: self.column) }

    /// The column's name as the statement gives it.
    package var columnName: String { self.result.columnName(self.column) }

    var type: PostgresType { self.result.type(ofColumn: self.column) }

    /// The error for a value that is not what was asked for; never holds the value.
    package func mismatch(expected: String, actual: String? = nil) -> PostgresError {
        let found = actual ?? (self.isNull ? "NULL" : self.type.sqlName)
        return .decoding(column: self.columnName, expected: expected, actual: found)
    }

    /// Lends the bytes of a value that is not NULL and has one of `types`.
    func withBytes<Value>(
        as expected: String,
        _ types: PostgresType...,
        read: (UnsafeRawBufferPointer) -> Value?
    ) throws(PostgresError) -> Value {
        guard !self.isNull, types.contains(self.type) else {
            throw self.mismatch(expected: expected, actual: self.hintForNumeric)
        }
        guard let value = read(self.result.bytes(row: self.row, column: self.column)) else {
            throw self.mismatch(expected: expected, actual: "a \(self.type.sqlName) outside its range or malformed")
        }
        return value
    }

    /// Sums of `bigint` are `numeric`, which surprises everyone once.
    private var hintForNumeric: String? {
        guard !self.isNull, self.type == .numeric else { return nil }
        return "numeric (cast it in the statement, to bigint or text)"
    }
}

/// A Swift value that can be read from a result.
package protocol SQLDecodable {
    /// Throws `decoding` naming the column, the expected and the actual type.
    init(cell: SQLCell) throws(PostgresError)
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        self = cell.isNull ? .none : .some(try Wrapped(cell: cell))
    }
}

/// An enum of strings or numbers conforms by declaring it; a raw value it does not know is an error.
extension SQLDecodable where Self: RawRepresentable, RawValue: SQLDecodable {
    package init(cell: SQLCell) throws(PostgresError) {
        guard let value = Self(rawValue: try RawValue(cell: cell)) else {
            throw cell.mismatch(expected: "a known \(Self.self)", actual: "an unknown value")
        }
        self = value
    }
}
