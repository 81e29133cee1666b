import Shared

extension Schema {
    /// The schema as OpenAPI 3.1 (JSON Schema 2020-12) has it; named ones as references, collected in `components`.
    package func openAPI(_ components: inout [String: JSONValue]) -> JSONValue {
        switch self {
        case .object(let members): return Self.openAPI(members, &components)
        case .string(let rule): return rule.openAPI
        case .integer(let range):
            var schema: [String: JSONValue] = ["type": "integer", "minimum": .integer(range.lowerBound)]
            schema["format"] = "int64"
            if range.upperBound < .max { schema["maximum"] = .integer(range.upperBound) }
            return .object(schema)
        case .bool: return ["type": "boolean"]
        case .array(let element, let count):
            var schema: [String: JSONValue] = ["type": "array", "items": element.openAPI(&components)]
            if count.lowerBound > 0 { schema["minItems"] = .integer(Int64(count.lowerBound)) }
            if count.upperBound < .max { schema["maxItems"] = .integer(Int64(count.upperBound)) }
            return .object(schema)
        case .map(let length, let count, let nullValues):
            let type: JSONValue = nullValues ? ["string", "null"] : "string"
            return [
                "type": "object", "maxProperties": .integer(Int64(count)),
                "propertyNames": ["minLength": 1, "maxLength": 64],
                "additionalProperties": ["type": type, "maxLength": .integer(Int64(length))],
            ]
        case .anyObject: return ["type": "object"]
        case .nullable(let schema): return ["anyOf": [schema.openAPI(&components), ["type": "null"]]]
        case .described(let schema, let text):
            let inner = schema.openAPI(&components)
            return inner.merging(["description": .string(text)])
        case .secret(let schema):
            return schema.openAPI(&components).merging(["writeOnly": true, "format": "password"])
        case .named(let name, let schema):
            if components[name] == nil {
                components[name] = .null
                components[name] = schema.openAPI(&components)
            }
            return ["$ref": .string("#/components/schemas/\(name)")]
        }
    }

    private static func openAPI(_ members: [Member], _ components: inout [String: JSONValue]) -> JSONValue {
        var properties: [String: JSONValue] = [:]
        for member in members { properties[member.name] = member.schema.openAPI(&components) }
        var schema: [String: JSONValue] = [
            "type": "object", "properties": .object(properties), "additionalProperties": false,
        ]
        let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { schema["required"] = .array(required) }
        return .object(schema)
    }
}

extension TextRule {
    var openAPI: JSONValue {
        switch self {
        case .length(let range):
            [
                "type": "string", "minLength": .integer(Int64(range.lowerBound)),
                "maxLength": .integer(Int64(range.upperBound)),
            ]
        case .oneOf(let choices): ["type": "string", "enum": JSONValue(choices)]
        case .identifier(let kinds):
            [
                "type": "string",
                "pattern": .string("^(\(kinds.map { $0.prefix }.joined(separator: "|")))_\(Self.idPattern)$"),
            ]
        case .timestamp: ["type": "string", "format": "date-time"]
        case .digits: ["type": "string", "pattern": "^[0-9]{1,19}$"]
        case .dollars: ["type": "string", "pattern": "^[0-9]{1,10}(\\.[0-9]{1,9})?$"]
        case .network: ["type": "string", "description": "An IP address or a network in CIDR notation."]
        case .login: ["type": "string", "minLength": 1, "maxLength": 320]
        case .email: ["type": "string", "minLength": 3, "maxLength": 320]
        case .tagName: ["type": "string", "pattern": "^[a-z][a-z0-9_.-]{0,39}$"]
        case .tagFilter: ["type": "string", "maxLength": .integer(Int64(TagText.setLimit))]
        case .alias: ["type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"]
        }
    }
}
