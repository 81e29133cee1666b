/// The text of a statement, written in our source and nowhere else.
///
/// It has no string interpolation and no initialiser from `String`, so a value can reach the server only as a
/// parameter (`$1`, `$2`, …). Join pieces with `+`.
package struct SQL: ExpressibleByStringLiteral, Hashable, Sendable {
    let text: String

    package init(stringLiteral value: StaticString) {
        self.text = value.description
    }

    /// The same as a literal, for text held in a `StaticString` constant.
    package init(trusted value: StaticString) {
        self.text = value.description
    }

    /// A name as a quoted identifier, for objects whose names are computed (partitions, channels, roles).
    ///
    /// Whatever the name holds, it stays one identifier; the server truncates names beyond 63 bytes.
    package init(identifier name: String) {
        self.text = SQL.quoted(identifier: name)
    }

    /// A parameter by its number from 1: `$7`.
    package init(parameter number: Int) {
        self.text = "$\(number)"
    }

    /// A whole number, as columns are named by their place after GROUP BY.
    package init(number: Int) {
        self.text = String(number)
    }

    private init(joined text: String) {
        self.text = text
    }

    package static func + (left: SQL, right: SQL) -> SQL {
        SQL(joined: left.text + right.text)
    }

    package static func += (left: inout SQL, right: SQL) {
        left = left + right
    }

    static func quoted(identifier name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars where scalar.value != 0 {
            if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}

extension SQL: CustomStringConvertible {
    package var description: String { self.text }
}
