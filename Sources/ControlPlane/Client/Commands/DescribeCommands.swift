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
                    [
                        resource.name.isEmpty ? "-" : resource.name, resource.singular, resource.prefix ?? "-",
                        resource.verbs.joined(separator: ","),
                    ]
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
            "id": .string(self.name), "singular": .string(self.singular),
            "short": self.prefix.map { .string($0) } ?? .null,
            "verbs": .array(self.verbs.map { .string($0) }),
            "permissions": .array(self.permissions.map { .string($0) }),
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
