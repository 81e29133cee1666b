package import Shared

/// A JSON text's value, with numbers as they were written.
///
/// A server's answer is printed as it came: a number that went through a `Double` would not be.
package enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var integer: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    package var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }

    /// The member `name` of an object; nil when it is absent or this is no object.
    package subscript(name: String) -> JSON? { self.object?[name] }

    /// The texts of an array; what is no text is left out.
    package var strings: [String]? { self.array?.compactMap(\.string) }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
    }
}

extension JSON {
    /// The value at a path like `token.expires_at` or `targets.0.model`; nil where there is none.
    package func value(at path: String) -> JSON? {
        var value = self
        for part in path.split(separator: ".", omittingEmptySubsequences: false) {
            if let member = value[String(part)] {
                value = member
            } else if let elements = value.array, let index = Int(part), elements.indices.contains(index) {
                value = elements[index]
            } else {
                return nil
            }
        }
        return value
    }

    /// The text for a person or a script: a string without quotes, everything else as JSON in one line.
    package var plainText: String {
        switch self {
        case .string(let text): text
        case .null: ""
        default: JSONWriter.line(self)
        }
    }
}

extension JSON: JSONReadable {
    /// The API's description is deep.
    package static var depthLimit: Int { 64 }
    package static var acceptsNUL: Bool { true }

    package init(number text: String, isWhole: Bool) { self = .number(text) }

    package init(parsing bytes: [UInt8]) throws(JSONSyntaxError) { self = try JSONReader.read(bytes) }
    package init(parsing text: String) throws(JSONSyntaxError) { self = try JSONReader.read(Array(text.utf8)) }
}
