/// One parameter as the server will see it: its type and its value.
///
/// There is no implicit conversion on the way: a `.text` compared with a `uuid` column is refused by the server, a
/// `.int8` given to a function that takes `integer` needs a cast in the SQL.
package enum SQLValue: Sendable, Equatable {
    /// NULL; the server infers the type.
    case null
    case bool(Bool)
    case int4(Int32)
    case int8(Int64)
    /// For measurements. Money is never a floating point number.
    case double(Double)
    case text(String)
    case bytea([UInt8])
    case uuid(SQLUUID)
    /// Microseconds since 1970-01-01 UTC.
    case timestamptz(Int64)
    /// JSON text, stored as `jsonb`.
    case jsonb(String)
    /// An address with an optional prefix length, as text.
    case inet(String)
    /// A network, as text.
    case cidr(String)
    case textArray([String?])
    case int8Array([Int64?])
    case uuidArray([SQLUUID?])
    case byteaArray([[UInt8]?])
}

extension SQLValue {
    var type: PostgresType {
        switch self {
        case .null: .unspecified
        case .bool: .bool
        case .int4: .int4
        case .int8: .int8
        case .double: .float8
        case .text: .text
        case .bytea: .bytea
        case .uuid: .uuid
        case .timestamptz: .timestamptz
        case .jsonb: .jsonb
        case .inet: .inet
        case .cidr: .cidr
        case .textArray: .textArray
        case .int8Array: .int8Array
        case .uuidArray: .uuidArray
        case .byteaArray: .byteaArray
        }
    }
}

/// A Swift value that can be a parameter.
package protocol SQLEncodable: Sendable {
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLEncodable {
    package var sqlValue: SQLValue { self }
}

extension Bool: SQLEncodable {
    package var sqlValue: SQLValue { .bool(self) }
}

/// An `Int` is a `bigint`.
extension Int: SQLEncodable {
    package var sqlValue: SQLValue { .int8(Int64(self)) }
}

extension Int64: SQLEncodable {
    package var sqlValue: SQLValue { .int8(self) }
}

extension Int32: SQLEncodable {
    package var sqlValue: SQLValue { .int4(self) }
}

extension Double: SQLEncodable {
    package var sqlValue: SQLValue { .double(self) }
}

extension String: SQLEncodable {
    package var sqlValue: SQLValue { .text(self) }
}

extension Optional: SQLEncodable where Wrapped: SQLEncodable {
    package var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

extension Array: SQLEncodable where Element: SQLArrayEncodable {
    /// `[UInt8]` is a `bytea`; the other arrays are SQL arrays of one dimension.
    package var sqlValue: SQLValue { Element.sqlArray(self) }
}

/// An enum of strings or numbers conforms by declaring it.
extension SQLEncodable where Self: RawRepresentable, RawValue: SQLEncodable {
    package var sqlValue: SQLValue { self.rawValue.sqlValue }
}

/// What may stand in an array that is a parameter.
package protocol SQLArrayEncodable: Sendable {
    static func sqlArray(_ elements: [Self]) -> SQLValue
}

extension UInt8: SQLArrayEncodable {
    package static func sqlArray(_ elements: [UInt8]) -> SQLValue { .bytea(elements) }
}

extension String: SQLArrayEncodable {
    package static func sqlArray(_ elements: [String]) -> SQLValue { .textArray(elements) }
}

extension Int64: SQLArrayEncodable {
    package static func sqlArray(_ elements: [Int64]) -> SQLValue { .int8Array(elements) }
}

extension Int: SQLArrayEncodable {
    package static func sqlArray(_ elements: [Int]) -> SQLValue { .int8Array(elements.map { Int64($0) }) }
}

extension SQLUUID: SQLArrayEncodable {
    package static func sqlArray(_ elements: [SQLUUID]) -> SQLValue { .uuidArray(elements) }
}

extension Array: SQLArrayEncodable where Element == UInt8 {
    package static func sqlArray(_ elements: [[UInt8]]) -> SQLValue { .byteaArray(elements) }
}
