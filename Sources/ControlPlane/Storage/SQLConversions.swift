package import Postgres
package import Shared

// How the product's values stand in SQL.

extension UUIDValue: SQLEncodable, SQLDecodable {
    package var sqlValue: SQLValue { SQLUUID(high: self.high, low: self.low).sqlValue }

    package init(cell: SQLCell) throws(PostgresError) {
        let value = try SQLUUID(cell: cell)
        self.init(high: value.high, low: value.low)
    }
}

extension Identifier: SQLEncodable, SQLDecodable {
    package var sqlValue: SQLValue { self.value.sqlValue }

    package init(cell: SQLCell) throws(PostgresError) { self.init(try UUIDValue(cell: cell)) }
}

extension Timestamp: SQLEncodable, SQLDecodable {
    package var sqlValue: SQLValue { .timestamptz(self.microseconds) }

    package init(cell: SQLCell) throws(PostgresError) {
        self.init(microseconds: try SQLTimestamp(cell: cell).microseconds)
    }
}

extension NanoUSD: SQLEncodable, SQLDecodable {
    package var sqlValue: SQLValue { .int8(self.amount) }

    package init(cell: SQLCell) throws(PostgresError) { self.init(try Int64(cell: cell)) }
}
