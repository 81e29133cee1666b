/// Makes the body of a request from a file and from fields that are given by name.
package struct BodyBuilder: Sendable {
    private let shape: Shape
    package private(set) var body: JSON
    private var assigned: Set<String> = []

    /// - Parameter base: what the fields are put into, from a file.
    package init(_ shape: Shape, base: JSON = .object([:])) {
        self.shape = shape
        self.body = base
    }

    package mutating func assign(_ assignment: Assignment) throws(ClientError) {
        let path = assignment.path
        let isAgain = !self.assigned.insert(path).inserted
        self.body = try self.assigning(assignment.value, to: self.body, self.shape, path[...], path, isAgain: isAgain)
    }

    private func assigning(
        _ value: Assignment.Value, to current: JSON?, _ shape: Shape, _ rest: Substring?, _ path: String, isAgain: Bool
    ) throws(ClientError) -> JSON {
        guard let rest else { return try Self.typed(value, shape, path, after: isAgain ? current : nil) }
        let dot = rest.firstIndex(of: ".")
        let first = dot.map { rest[..<$0] } ?? rest
        let next = dot.map { rest[rest.index(after: $0)...] }
        switch shape.kind {
        case .object:
            guard let field = shape.field(String(first)) else {
                let before = String(path.dropLast(rest.count))
                throw .unknown(
                    "field", before + first, among: shape.fields.map { before + $0.name },
                    more: "It has: \(shape.fields.map { before + $0.name }.joined(separator: ", ")).")
            }
            var members = current?.object ?? [:]
            members[field.name] = try self.assigning(
                value, to: members[field.name], field.shape, next, path, isAgain: isAgain)
            return .object(members)
        case .map:
            // Its names are the user's own: they may have dots.
            var members = current?.object ?? [:]
            let element = shape.element ?? shape
            members[String(rest)] = try Self.typed(
                value, element, path, after: isAgain ? members[String(rest)] : nil)
            return .object(members)
        case .array:
            var elements = current?.array ?? []
            guard let index = Int(first), let element = shape.element else {
                throw .usage("\(path): '\(first)' must be the number of an element, counted from 0")
            }
            guard (0...elements.count).contains(index), index < 10_000 else {
                throw .usage("\(path): element \(elements.count) comes next")
            }
            let made = try self.assigning(
                value, to: index < elements.count ? elements[index] : nil, element, next, path, isAgain: isAgain)
            if index < elements.count { elements[index] = made } else { elements.append(made) }
            return .array(elements)
        case .any:
            var members = current?.object ?? [:]
            members[String(first)] = try self.assigning(
                value, to: members[String(first)], shape, next, path, isAgain: isAgain)
            return .object(members)
        case .string, .integer, .number, .boolean:
            throw .usage("\(path.dropLast(rest.count + 1)) is \(shape.typeName) and has no '\(first)'")
        }
    }

    /// The value of a text by the type of its field.
    ///
    /// - Parameter before: what the field was given already in this command: a list goes on.
    private static func typed(_ value: Assignment.Value, _ shape: Shape, _ path: String, after before: JSON?)
        throws(ClientError) -> JSON
    {
        guard before == nil || shape.kind == .array else { throw .usage("\(path) is given twice") }
        guard case .text(let text) = value else {
            if case .json(let json) = value { return json }
            return .null
        }
        if shape.isNullable, text == "null" { return .null }
        switch shape.kind {
        case .string: return .string(text)
        case .integer:
            guard let number = Int64(text) else { throw Self.wrong(text, path, "a whole number") }
            return .number(String(number))
        case .number:
            guard case .number(let digits)? = try? JSON(parsing: text) else { throw Self.wrong(text, path, "a number") }
            return .number(digits)
        case .boolean:
            guard text == "true" || text == "false" else { throw Self.wrong(text, path, "true or false") }
            return .bool(text == "true")
        case .array:
            guard let element = shape.element, element.isScalar else {
                throw .usage(
                    "\(path) is a \(shape.typeName)",
                    notes: ["Write \(path).0.NAME=… for the first one, \(path).1.NAME=…, or \(path):=[…]."])
            }
            var elements = before?.array ?? []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) where !text.isEmpty {
                let word = String(part.drop { $0 == " " })
                elements.append(try Self.typed(.text(word), element, path, after: nil))
            }
            return .array(elements)
        case .object:
            let names = shape.fields.map { "\(path).\($0.name)=…" }.joined(separator: " ")
            throw .usage("\(path) is an object", notes: ["Write \(names), or \(path):={…}."])
        case .map: throw .usage("\(path) has names with values", notes: ["Write \(path).NAME=…, or \(path):={…}."])
        case .any: throw .usage("\(path) may be any JSON", notes: ["Write \(path):=JSON."])
        }
    }

    private static func wrong(_ text: String, _ path: String, _ expected: String) -> ClientError {
        .usage("\(path) must be \(expected), not '\(TerminalText.line(text))'")
    }

    /// Fields that must be given and are not, as paths.
    package var missing: [String] { Self.missing(self.shape, self.body, "") }

    private static func missing(_ shape: Shape, _ value: JSON, _ before: String) -> [String] {
        guard shape.kind == .object, let members = value.object else { return [] }
        return shape.fields.flatMap { field in
            guard let member = members[field.name] else { return field.isRequired ? [before + field.name] : [] }
            return Self.missing(field.shape, member, before + field.name + ".")
        }
    }
}
