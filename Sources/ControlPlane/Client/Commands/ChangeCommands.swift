package import ArgumentParser

package struct CreateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create something from fields, from a file, or from both.",
        discussion: """
              gatehouse create organization name=Acme
              gatehouse create budget scope=prj_… name=monthly amount_usd=250 period=month thresholds=50,80,100
              gatehouse create increase bud_… amount_usd=50 until_at=2026-12-01T00:00:00Z reason=launch
              gatehouse create credential provider=prv_… name=main secret=@key.txt
              gatehouse create price-proposal -f book.json

            \(FieldHelp.text)
            """)

    @Argument(help: "What it is.", completion: .custom(Completions.nouns(for: .create)))
    package var noun: String
    @Argument(
        help: ArgumentHelp("What it is under, and field=value.", valueName: "field=value"),
        completion: .custom(Completions.words(for: .create)))
    package var words: [String] = []
    @OptionGroup package var change: ChangeOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            try await session.change(.create, self.noun, self.words, self.change.extras())
        }
    }
}

package struct AddCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Put something into something else.",
        discussion: """
              gatehouse add member grp_… usr_…
              gatehouse add gateway-group/organization gwg_… org_…

            `gatehouse delete` takes it out again.
            """, aliases: ["put"])

    @Argument(help: "What it becomes.", completion: .custom(Completions.nouns(for: .add)))
    package var noun: String
    @Argument(
        help: ArgumentHelp("What it is put into, and what is put there.", valueName: "id"),
        completion: .custom(Completions.words(for: .add)))
    package var words: [String] = []
    @OptionGroup package var change: ChangeOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            try await session.change(.add, self.noun, self.words, self.change.extras())
        }
    }
}

package struct DoCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "do", abstract: "Do what only some things can: rotate, revoke, approve, test, …",
        discussion: """
              gatehouse rotate virtual-key vk_… overlap_seconds=3600
              gatehouse approve apr_…
              gatehouse do effect access leave.member=usr_… leave.group=grp_…

            `do` may be left out where no command has the same name; gatehouse api-resources lists what there is.
            """)

    @Argument(help: "What to do.", completion: .custom(Completions.actions))
    package var action: String
    @Argument(
        help: ArgumentHelp("With what (or its identifier), and field=value.", valueName: "noun"),
        completion: .custom(Completions.actionWords))
    package var words: [String] = []
    @OptionGroup package var change: ChangeOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            // What has no noun begins with a field or ends at once.
            let noun = self.words.first.flatMap { $0.contains("=") ? nil : $0 }
            let rest = Array(self.words.dropFirst(noun == nil ? 0 : 1))
            _ = try await session.plan { catalogue throws(ClientError) in
                guard catalogue.actions.contains(self.action) else {
                    throw .unknown(
                        "command or action", self.action, among: catalogue.actions.union(GatehouseCommand.names))
                }
            }
            try await session.change(.action(self.action), noun ?? "", rest, self.change.extras())
        }
    }
}

extension Session {
    /// Carries out a change and shows what came of it.
    package func change(_ verb: Verb, _ noun: String, _ words: [String], _ extras: RequestMaker.Extras)
        async throws(ClientError)
    {
        let maker = self.maker
        let plan = try await self.plan { catalogue throws(ClientError) in
            try maker(catalogue).change(verb, noun, words, extras)
        }
        let answer = try await self.perform(plan.request)
        if answer.body.isEmpty { self.report.done() } else { self.show(answer) }
    }
}

/// How fields are written, for the help of every command that takes them.
enum FieldHelp {
    static let text = """
        Fields are typed by the server's description (gatehouse fields NOUN shows it):
          name=text   hard=true   amount=60   expires_at=null   allowed_models=a,b   (or repeated)
          tag.name=team            a member of an object
          targets.0.model=mdl_…    a member of an element of a list
          items:='[{"meter":…}]'   JSON as it stands
          secret=@file             from a file (@- is standard input), without its last line end
        """
}
