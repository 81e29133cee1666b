/// A statement that is put together in pieces, with the parameters that the pieces name.
package struct SQLStatement: Sendable {
    package private(set) var sql: SQL = ""
    package private(set) var parameters: [(any SQLEncodable)?] = []

    package init() {}

    /// Adds a parameter and returns its place, to be written into the text once or more.
    package mutating func bind(_ value: any SQLEncodable) -> SQL {
        self.parameters.append(value)
        return SQL(parameter: self.parameters.count)
    }

    /// Asks for the plan of the statement, as text, without carrying it out.
    package var explained: SQLStatement {
        var explained = self
        explained.sql = "explain " + self.sql
        return explained
    }

    package static func += (left: inout SQLStatement, right: SQL) { left.sql += right }
}
