extension Schema {
    /// Throws `invalid_request` with a JSON pointer and what is expected there.
    package func validate(_ value: JSONValue, at pointer: String = "") throws(ControlError) {
        switch self {
        case .described(let schema, _), .named(_, let schema), .secret(let schema):
            try schema.validate(value, at: pointer)
        case .nullable(let schema): if !value.isNull { try schema.validate(value, at: pointer) }
        case .object(let members):
            guard case .object(let object) = value else { throw Self.expected("an object", pointer) }
            try Self.validate(object, members, at: pointer)
        case .string(let rule):
            guard case .string(let text) = value else { throw Self.expected("a string", pointer) }
            if let objection = rule.objection(to: text) { throw Self.expected(objection, pointer) }
        case .integer(let range):
            guard case .integer(let number) = value, range.contains(number) else {
                throw Self.expected("a whole number from \(range.lowerBound) to \(range.upperBound)", pointer)
            }
        case .bool: guard case .bool = value else { throw Self.expected("true or false", pointer) }
        case .array(let element, let count):
            guard case .array(let elements) = value, count.contains(elements.count) else {
                throw Self.expected("an array of \(count.lowerBound) to \(count.upperBound) elements", pointer)
            }
            for (index, item) in elements.enumerated() { try element.validate(item, at: "\(pointer)/\(index)") }
        case .map(let length, let count, let nullValues):
            guard case .object(let entries) = value, entries.count <= count else {
                throw Self.expected("an object of at most \(count) strings", pointer)
            }
            for (name, entry) in entries.sorted(by: { $0.key < $1.key }) where !(nullValues && entry.isNull) {
                let place = "\(pointer)/\(Self.escape(name))"
                guard (1...64).contains(name.unicodeScalars.count) else {
                    throw Self.expected("under a name of 1 to 64 characters", place)
                }
                try Schema.string(.length(0...length)).validate(entry, at: place)
            }
        case .anyObject: guard case .object = value else { throw Self.expected("an object", pointer) }
        }
    }

    private static func validate(
        _ object: [String: JSONValue], _ members: [Member], at pointer: String
    ) throws(ControlError) {
        for name in object.keys.sorted() where !members.contains(where: { $0.name == name }) {
            throw ControlError(
                .invalid, "unknown_member", "There is no member '\(name.prefix(64))' here.",
                pointer: "\(pointer)/\(Self.escape(name))"
            )
        }
        for member in members {
            let place = "\(pointer)/\(Self.escape(member.name))"
            if let value = object[member.name] {
                try member.schema.validate(value, at: place)
            } else if member.isRequired {
                throw ControlError(
                    .invalid, "missing_member", "The member '\(member.name)' is missing.", pointer: place)
            }
        }
    }

    private static func expected(_ what: String, _ pointer: String) -> ControlError {
        let place = pointer.isEmpty ? "The body" : "The value"
        return ControlError(.invalid, "invalid_value", "\(place) must be \(what).", pointer: pointer)
    }

    /// RFC 6901.
    private static func escape(_ name: String) -> String {
        name.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "~0")
            .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
    }
}
