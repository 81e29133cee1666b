/// A view of a JSON Schema as the server's description has it: what a value looks like.
package struct Shape: Sendable {
    package enum Kind: Sendable {
        case string, integer, number, boolean, object, map, array, any
    }

    package struct Field: Sendable {
        package let name: String
        package let shape: Shape
        package let isRequired: Bool
    }

    private let schema: JSON
    private let components: Components
    package let isNullable: Bool
    /// What it means; the outermost text wins.
    package let summary: String?

    /// The named schemas of a document.
    final class Components: Sendable {
        let schemas: [String: JSON]
        init(_ schemas: [String: JSON]) { self.schemas = schemas }
    }

    init(_ schema: JSON, _ components: Components) {
        var schema = schema, isNullable = false, summary: String?
        // A reference to a reference, or a choice of one: as deep as a description may sensibly be.
        for _ in 0..<8 {
            if summary == nil { summary = schema["description"]?.string }
            if let name = schema["$ref"]?.string {
                schema = components.schemas[name.split(separator: "/").last.map(String.init) ?? ""] ?? .null
            } else if let choices = schema["anyOf"]?.array {
                isNullable = isNullable || choices.contains { $0["type"]?.string == "null" }
                let others = choices.filter { $0["type"]?.string != "null" }
                schema = others.count == 1 ? others[0] : .null
            } else {
                break
            }
        }
        if let types = schema["type"]?.strings { isNullable = isNullable || types.contains("null") }
        self.schema = schema
        self.components = components
        self.isNullable = isNullable
        self.summary = summary
    }

    private var type: String? {
        self.schema["type"]?.string ?? self.schema["type"]?.strings?.first { $0 != "null" }
    }

    package var kind: Kind {
        switch self.type {
        case "string": .string
        case "integer": .integer
        case "number": .number
        case "boolean": .boolean
        case "array": .array
        case "object":
            self.schema["properties"]?.object != nil
                ? .object : self.schema["additionalProperties"]?.object != nil ? .map : .any
        default: .any
        }
    }

    /// The members of an object, the required ones first, otherwise by name.
    package var fields: [Field] {
        let required = Set(self.schema["required"]?.strings ?? [])
        return (self.schema["properties"]?.object ?? [:]).map { name, schema in
            Field(name: name, shape: Shape(schema, self.components), isRequired: required.contains(name))
        }.sorted { ($0.isRequired ? 0 : 1, $0.name) < ($1.isRequired ? 0 : 1, $1.name) }
    }

    package func field(_ name: String) -> Field? {
        guard let schema = self.schema["properties"]?[name] else { return nil }
        let isRequired = self.schema["required"]?.strings?.contains(name) == true
        return Field(name: name, shape: Shape(schema, self.components), isRequired: isRequired)
    }

    /// What an array's elements or a map's values look like.
    package var element: Shape? {
        (self.schema["items"] ?? self.schema["additionalProperties"]).map { Shape($0, self.components) }
    }

    package var choices: [String]? { self.schema["enum"]?.strings }
    package var isInstant: Bool { self.schema["format"]?.string == "date-time" }
    /// Digits as a text: money and what does not fit a JSON number.
    private var isDecimal: Bool { self.schema["pattern"]?.string?.hasPrefix("^[0-9]{") == true }
    package var maximum: Int64? { self.schema["maximum"]?.integer }
    /// Whether it is one value, which a cell of a table can show.
    package var isScalar: Bool {
        switch self.kind {
        case .string, .integer, .number, .boolean: true
        case .object, .map, .array, .any: false
        }
    }

    /// The kinds of an identifier, as its pattern has them: `^(org|unit)_…$`.
    package var prefixes: [String]? {
        guard let pattern = self.schema["pattern"]?.string, pattern.hasPrefix("^("),
            let end = pattern.firstRange(of: ")_")
        else { return nil }
        return pattern[pattern.index(pattern.startIndex, offsetBy: 2)..<end.lowerBound].split(separator: "|")
            .map(String.init)
    }

    /// For people: `whole number`, `id org_… or unit_…`, `list of text`.
    package var typeName: String {
        switch self.kind {
        case .string:
            if let choices = self.choices {
                choices.count <= 12 ? choices.joined(separator: "|") : "one of \(choices.count) words"
            } else if let prefixes = self.prefixes {
                "id " + prefixes.map { $0 + "_…" }.joined(separator: "|")
            } else {
                self.isInstant ? "time" : self.isDecimal ? "decimal" : "text"
            }
        case .integer: "whole number"
        case .number: "number"
        case .boolean: "true|false"
        case .array: "list of " + (self.element?.typeName ?? "anything")
        case .map: "names with " + (self.element?.typeName ?? "anything")
        case .object: "object"
        case .any: "JSON"
        }
    }
}
