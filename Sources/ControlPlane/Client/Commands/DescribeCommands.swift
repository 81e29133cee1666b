package import ArgumentParser

package struct APIResourcesCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "api-resources", abstract: "List the nouns of the server's API, and what can be done with each.",
        aliases: ["nouns"])

    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let resources = try await session.plan { $0.resources }
            let isWide = session.report.format == .wide
            switch session.report.format {
            case .table, .wide:
                let rows = resources.map { resource in
                    [resource.name.isEmpty ? "-" : resource.name, resource.singular, resource.prefix ?? "-", resource.verbs.joined(separator: ",")]
                        + (isWide ? [resource.permissions.joined(separator: ",")] : [])
                }
                let headings = ["NOUN", "SINGULAR", "SHORT", "VERBS"] + (isWide ? ["PERMISSIONS"] : [])
                let table = Table(headings, rows: rows.map { $0.map { TerminalText.line($0.isEmpty ? "-" : $0) } })
                session.console.write(table.text(width: isWide ? nil : session.console.width))
            case .json, .name, .csv, .value: session.report.list(resources.map(\.shown), of: nil)
            }
        }
    }
}

extension APIResource {
    /// In the order in which they are spoken of.
    package var verbs: [String] {
        let usual: [Verb] = [.get, .list, .create, .update, .add, .delete]
        let plain = usual.filter { !self.operations(for: $0).isEmpty }.map(\.description)
        return plain + Set(self.actions).sorted()
    }

    var permissions: [String] { Set(self.operations.compactMap(\.operation.permission)).sorted() }

    var shown: JSON {
        [
            "id": .string(self.name), "singular": .string(self.singular), "short": self.prefix.map { .string($0) } ?? .null,
            "verbs": .array(self.verbs.map { .string($0) }), "permissions": .array(self.permissions.map { .string($0) }),
        ]
    }
}

package struct FieldsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "fields", abstract: "Say what a noun has: fields, filters, actions, permissions.",
        discussion: """
              gatehouse fields budget
              gatehouse fields budget create        one operation only
            """)

    @Argument(help: "The noun.", completion: .custom(Completions.nouns(for: nil)))
    package var noun: String
    @Argument(help: "What is done with it.")
    package var verb: String?
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let sections = try await session.plan { catalogue throws(ClientError) in
                let resource = try catalogue.resource(self.noun)
                let sections = FieldGuide.sections(resource, verb: self.verb)
                guard !sections.isEmpty else {
                    throw .unknown("verb of \(resource.name)", self.verb ?? "", among: resource.verbs)
                }
                return sections
            }
            if case .table = session.report.format {
                session.console.write(FieldGuide.text(sections, width: session.console.width))
            } else {
                session.report.list(sections.flatMap(\.json), of: nil)
            }
        }
    }
}

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
            text += "\n"
            guard !section.lines.isEmpty else { return text }
            let rows = section.lines.map { line in
                ["  " + line.name, line.type, line.isRequired ? "required" : "", line.summary].map { TerminalText.line($0) }
            }
            return text + Self.wrapped(Table(["  FIELD", "TYPE", "", "DESCRIPTION"], rows: rows), width)
        }.joined(separator: "\n")
    }

    /// Descriptions are for reading: on a terminal they go on in the next line, and are not cut.
    private static func wrapped(_ table: Table, _ width: Int?) -> String {
        guard let width else { return table.text(width: nil) }
        let left = (0..<3).map { column in ([table.headings] + table.rows).map { TerminalText.width($0[column]) }.max() ?? 0 }
        let room = width - left.reduce(0, +) - 6
        var result = Table(table.headings)
        for row in table.rows {
            guard room >= 24 else {
                result.rows.append([row[0], row[1], row[2], ""])
                result.rows += Self.lines(row[3], width - 6).map { ["      " + $0, "", "", ""] }
                continue
            }
            let lines = Self.lines(row[3], room)
            result.rows.append(Array(row[..<3]) + [lines.first ?? ""])
            result.rows += lines.dropFirst().map { ["", "", "", $0] }
        }
        guard room < 24 else { return result.text(width: nil) }
        // The descriptions' lines are no cells of the first column.
        return ([result.headings[..<3].joined(separator: "  ")] + result.rows.map { row in
            row.filter { !$0.isEmpty }.joined(separator: "  ")
        }).map { $0 + "\n" }.joined()
    }

    private static func lines(_ text: String, _ width: Int) -> [String] {
        text.split(separator: " ").reduce(into: [String]()) { lines, word in
            if let last = lines.last, TerminalText.width(last) + 1 + TerminalText.width(word) <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
    }
}
