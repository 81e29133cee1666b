package import ArgumentParser

package struct GetCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Show one thing with all that is said of it.",
        discussion: """
              gatehouse get budget bud_…
              gatehouse get bud_…                      the identifier says what it is
              gatehouse get budget/status bud_…        what is under it
              gatehouse get me
            """)

    @Argument(help: "What it is, or its identifier.", completion: .custom(Completions.nouns(for: .get)))
    package var noun: String
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("Identifiers, and parameters of the query (at=…).", valueName: "id"),
        completion: .custom(Completions.words(for: .get)))
    package var words: [String] = []
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let maker = session.maker
            let plan = try await session.plan { catalogue throws(ClientError) in
                try maker(catalogue).reading(.get, self.noun, self.words)
            }
            session.show(try await session.perform(plan.request))
        }
    }
}

package struct ListCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List things: a page, as many as you say, or all.",
        discussion: """
              gatehouse list budgets
              gatehouse list users --organization=org_… --status=active --all
              gatehouse list members grp_…
              gatehouse list usage --group-by=project --from=2026-11-01 -o csv
            """)

    @Argument(help: "What they are.", completion: .custom(Completions.nouns(for: .list)))
    package var noun: String
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("What they are under, and filters (--organization=org_…).", valueName: "id"),
        completion: .custom(Completions.words(for: .list)))
    package var words: [String] = []
    @Option(help: "Most of them.")
    package var limit: Int = 100
    @Flag(help: ArgumentHelp("All of them, \(Pages.limit) at most."))
    package var all = false
    @Flag(name: [.customShort("A"), .long], help: "Not only those of the context's organization.")
    package var allOrganizations = false
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func validate() throws {
        guard (1...Pages.limit).contains(self.limit) else {
            throw ValidationError("--limit is 1 to \(Pages.limit)")
        }
    }

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let organization = self.allOrganizations ? nil : session.context.organization
            let plan = try await session.plan { catalogue throws(ClientError) in
                try RequestMaker(catalogue, organization: organization, read: session.read)
                    .reading(.list, self.noun, self.words)
            }
            try await session.list(plan, limit: self.all ? Pages.limit : self.limit)
        }
    }
}

extension Session {
    /// Makes requests as the context has it.
    package var maker: (APICatalogue) -> RequestMaker {
        { RequestMaker($0, organization: self.context.organization, read: self.read) }
    }

    /// Shows an answer: as JSON where it is that, otherwise as it is.
    package func show(_ answer: ServerAnswer) {
        guard answer.isJSON else {
            if !answer.body.isEmpty { self.text(String(decoding: answer.body, as: UTF8.self)) }
            return
        }
        guard let value = try? answer.json() else { return self.text(String(decoding: answer.body, as: UTF8.self)) }
        self.report.one(value)
    }

    /// Text of the server's own making: on a terminal, without what a terminal would obey.
    package func text(_ text: String) {
        self.console.write(self.console.width == nil ? text : TerminalText.lines(text.replacing("\r\n", with: "\n")))
    }

    /// Shows a list.
    package func list(_ plan: RequestMaker.Plan, limit: Int) async throws(ClientError) {
        let pages = Pages(self, plan)
        if pages.isText { return try await pages.texts { self.text($0) } }
        let (items, hasMore) = try await pages.items(limit: limit)
        self.report.list(items, of: plan.operation.item)
        if hasMore {
            self.console.note(
                limit == Pages.limit
                    ? "There are more than \(limit): narrow it down." : "There are more: --limit N, or --all.")
        }
    }
}
