/// What an operation takes, for people.
package struct FieldGuide: Sendable {
    package struct Line: Sendable {
        package let name: String
        package let type: String
        package let isRequired: Bool
        package let summary: String
    }

    package let title: String
    package let form: String
    package let permission: String?
    package let lines: [Line]

    var json: [JSON] {
        self.lines.map { line in
            [
                "operation": .string(self.title), "name": .string(line.name), "type": .string(line.type),
                "required": .bool(line.isRequired), "description": .string(line.summary),
            ]
        }
    }

    package static func sections(_ resource: APIResource, verb: String?) -> [FieldGuide] {
        resource.operations.filter { verb == nil || $0.verb.description == verb }.map { verb, operation in
            FieldGuide(
                title: "\(verb) \(resource.name)",
                form: APICatalogue.form(verb, resource, operation), permission: operation.permission,
                lines: (operation.bodyShape.map { Self.lines($0, "", depth: 0) } ?? [])
                    + operation.query.filter { $0.name != "cursor" && $0.name != "limit" }.map { parameter in
                        Line(
                            name: parameter.name, type: parameter.shape.typeName, isRequired: parameter.isRequired,
                            summary: parameter.summary)
                    })
        }
    }

    private static func lines(_ shape: Shape, _ before: String, depth: Int) -> [Line] {
        shape.fields.flatMap { field -> [Line] in
            let path = before + field.name
            let line = Line(
                name: path, type: field.shape.typeName + (field.shape.isNullable ? " or null" : ""),
                isRequired: field.isRequired, summary: field.shape.summary ?? "")
            guard depth < 4 else { return [line] }
            switch field.shape.kind {
            case .object: return [line] + Self.lines(field.shape, path + ".", depth: depth + 1)
            case .array where field.shape.element?.kind == .object:
                return [line] + (field.shape.element.map { Self.lines($0, path + ".0.", depth: depth + 1) } ?? [])
            default: return [line]
            }
        }
    }

    package static func text(_ sections: [FieldGuide], width: Int?) -> String {
        sections.map { section in
            var text = TerminalText.line(section.form)
            if let permission = section.permission { text += "    (\(TerminalText.line(permission)))" }
            return text + "\n" + (section.lines.isEmpty ? "" : section.table(width))
        }.joined(separator: "\n")
    }

    /// Fields with their descriptions beside them, or below where there is little room: they are there to be read, and
    /// are not cut.
    private func table(_ width: Int?) -> String {
        let rows = self.lines.map { line in
            ["  " + line.name, line.type, line.isRequired ? "required" : "", line.summary].map { TerminalText.line($0) }
        }
        var table = Table(["  FIELD", "TYPE", "", "DESCRIPTION"])
        guard let width else {
            table.rows = rows
            return table.text(width: nil)
        }
        let left = (0..<3).map { column in rows.map { TerminalText.width($0[column]) }.max() ?? 0 }.reduce(6, +)
        guard width - left >= Self.readable else { return Self.blocks(rows, width) }
        for row in rows {
            let lines = Self.wrapped(row[3], width - left)
            table.rows.append(row.dropLast() + [lines.first ?? ""])
            table.rows += lines.dropFirst().map { ["", "", "", $0] }
        }
        return table.text(width: nil)
    }

    private static func blocks(_ rows: [[String]], _ width: Int) -> String {
        var text = ""
        for row in rows {
            text += row[..<3].filter { !$0.isEmpty }.joined(separator: "  ") + "\n"
            for line in Self.wrapped(row[3], max(Self.readable, width - 6)) { text += "      " + line + "\n" }
        }
        return text
    }

    private static func wrapped(_ text: String, _ width: Int) -> [String] {
        text.split(separator: " ").reduce(into: [String]()) { lines, word in
            if let last = lines.last, TerminalText.width(last) + 1 + TerminalText.width(word) <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
    }

    /// Columns that a sentence needs.
    private static let readable = 24
}
