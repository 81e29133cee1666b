package import ArgumentParser

package struct ContextCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "context", abstract: "Servers that one works with: list, use, show, set, delete.",
        discussion: """
            They are kept in ~/.config/gatehouse/config.json (XDG_CONFIG_HOME), which only you may read. GATEHOUSE_ADMIN_URL
            with GATEHOUSE_ADMIN_CA and GATEHOUSE_ADMIN_TOKEN goes before the current context, --context before both.
            """,
        subcommands: [List.self, Use.self, Show.self, Set.self, Delete.self], aliases: ["contexts"])

    package init() {}

    package struct List: AsyncParsableCommand {
        package static let configuration = CommandConfiguration(abstract: "List the contexts.")
        @Option(name: .shortAndLong, help: "table, wide, json, name, csv, or value=MEMBER.")
        package var output: OutputFormat = .table
        package init() {}

        package func run() async throws {
            let file = try ContextFile(path: try ClientEnvironment.ofProcess().contextPath)
            let items = try file.names.map { name throws(ClientError) in
                try file.context(name).shown(name, isCurrent: file.current == name)
            }
            let console = Console.ofProcess()
            guard self.output == .table else {
                return Report(format: self.output, console: console).list(items, of: nil)
            }
            guard !items.isEmpty else { return console.note("There are none: gatehouse login --server https://HOST") }
            let rows = items.map { item in
                [
                    item["current"] == true ? "*" : "", Table.cell(item["id"]), Table.cell(item["server"]),
                    Table.cell(item["token"]), Table.cell(item["organization"]),
                ]
            }
            console.write(
                Table(["", "NAME", "SERVER", "TOKEN", "ORGANIZATION"], rows: rows).text(width: console.width))
        }
    }

    package struct Use: AsyncParsableCommand {
        package static let configuration = CommandConfiguration(abstract: "Make a context the current one.")
        @Argument(completion: .custom(Completions.contexts)) package var name: String
        package init() {}

        package func run() async throws {
            try ContextFile.change(path: try ClientEnvironment.ofProcess().contextPath) { file throws(ClientError) in
                try file.use(self.name)
            }
            Console.ofProcess().note("'\(self.name)' is now the current context.")
        }
    }

    package struct Show: AsyncParsableCommand {
        package static let configuration = CommandConfiguration(abstract: "Show a context, without its token.")
        @Argument(help: "The one that commands use when absent.", completion: .custom(Completions.contexts))
        package var name: String?
        @Option(name: .shortAndLong, help: "table, json, name, or value=MEMBER.")
        package var output: OutputFormat = .table
        package init() {}

        package func run() async throws {
            let environment = ClientEnvironment.ofProcess()
            let isOfEnvironment = self.name == nil && environment["GATEHOUSE_ADMIN_URL"] != nil
            let current = isOfEnvironment ? nil : try ContextFile(path: try environment.contextPath).current
            let context = try environment.context(named: self.name)
            let shown = context.shown(
                self.name ?? (isOfEnvironment ? "(environment)" : current ?? ""),
                isCurrent: self.name == nil || self.name == current)
            Report(format: self.output, console: .ofProcess()).one(shown)
        }
    }

    package struct Set: AsyncParsableCommand {
        package static let configuration = CommandConfiguration(
            abstract: "Change a context, or make one without signing in.",
            discussion: "A context that gets another server loses its token: that was for the old one.")
        @Argument(completion: .custom(Completions.contexts)) package var name: String
        @Option(help: "The control plane.") package var server: String?
        @Option(
            help: ArgumentHelp("A PEM file of authorities; empty for the system's.", valueName: "file"),
            completion: .file())
        package var ca: String?
        @Flag(help: "Keep the authorities' text in the context, not the file's name.")
        package var embedCa = false
        @Option(help: ArgumentHelp("A shell command that prints the token; empty for none.", valueName: "command"))
        package var tokenCommand: String?
        @Option(
            help: ArgumentHelp(
                "The organization that lists are of and things are created in; empty for none.", valueName: "org_…"))
        package var organization: String?
        package init() {}

        package func run() async throws {
            try ContextFile.change(path: try ClientEnvironment.ofProcess().contextPath) { file throws(ClientError) in
                try self.change(&file)
            }
        }

        private func change(_ file: inout ContextFile) throws(ClientError) {
            var context: ServerContext
            if let known = file.contexts[self.name] {
                context = known
                if let server {
                    let address = try ServerAddress(server)
                    if address != context.server { (context.token, context.tokenCommand) = (nil, nil) }
                    context.server = address
                }
            } else {
                guard let server else { throw .usage("a new context needs --server") }
                context = ServerContext(server: try ServerAddress(server))
            }
            if let ca { try context.setAuthority(ca.isEmpty ? nil : ca, isEmbedded: self.embedCa) }
            if let tokenCommand {
                context.token = nil
                context.tokenCommand = tokenCommand.isEmpty ? nil : tokenCommand
            }
            if let organization { context.organization = organization.isEmpty ? nil : organization }
            try file.set(self.name, context)
        }
    }

    package struct Delete: AsyncParsableCommand {
        package static let configuration = CommandConfiguration(abstract: "Delete a context with its token.")
        @Argument(completion: .custom(Completions.contexts)) package var name: String
        package init() {}

        package func run() async throws {
            try ContextFile.change(path: try ClientEnvironment.ofProcess().contextPath) { file throws(ClientError) in
                try file.delete(self.name)
            }
        }
    }
}

extension ServerContext {
    /// For people: without the token.
    func shown(_ name: String, isCurrent: Bool) -> JSON {
        [
            "id": .string(name), "server": .string(self.server.description), "current": .bool(isCurrent),
            "ca": self.authority.map { _ in "kept here" } ?? self.authorityFile.map { .string($0) } ?? .null,
            "token": self.token != nil ? "kept here" : self.tokenCommand.map { .string($0) } ?? .null,
            "organization": self.organization.map { .string($0) } ?? .null,
        ]
    }
}
