package import ArgumentParser

package struct UpdateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change fields of something.",
        discussion: """
              gatehouse update budget bud_… amount_usd=300 thresholds=80,100
              gatehouse update bud_… status=disabled --revision 3
              gatehouse get bud_… -o json > budget.json    … edit it …    gatehouse update bud_… -f budget.json

            Nothing is overwritten that you have not seen: it must still be of the --revision that you give, or of the one
            in the file; without either, of the one that is read just before.

            \(FieldHelp.text)
            """)

    @Argument(help: "What it is, or its identifier.", completion: .custom(Completions.nouns(for: .update)))
    package var noun: String
    @Argument(
        help: ArgumentHelp("Its identifier, and field=value.", valueName: "field=value"),
        completion: .custom(Completions.words(for: .update)))
    package var words: [String] = []
    @Option(help: ArgumentHelp("The revision that you have seen.", valueName: "n"))
    package var revision: Int64?
    @Flag(help: "Whatever revision it is of.")
    package var anyRevision = false
    @OptionGroup package var change: ChangeOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func validate() throws {
        guard self.revision == nil || !self.anyRevision else {
            throw ValidationError("--revision and --any-revision are one too many")
        }
    }

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let maker = session.maker
            let extras = self.change.extras()
            var plan = try await session.plan { catalogue throws(ClientError) in
                try maker(catalogue).change(.update, self.noun, self.words, extras)
            }
            let seen = self.anyRevision ? nil : self.revision
            guard let match = try await session.prepare(&plan, revision: seen, isAny: self.anyRevision) else {
                return session.console.note("Nothing is to be changed.")
            }
            plan.request.headers.append((name: "if-match", value: match))
            session.show(try await session.perform(plan.request))
        }
    }
}

extension Session {
    /// Makes a change of what differs from what is there, when all of it was given.
    ///
    /// - Returns: the value of If-Match; nil when nothing differs.
    package func prepare(_ plan: inout RequestMaker.Plan, revision: Int64?, isAny: Bool) async throws(ClientError)
        -> String?
    {
        let given = revision.map { "\"\($0)\"" } ?? (isAny ? "*" : nil)
        guard let shape = plan.operation.bodyShape, let body = plan.body else { return given ?? "*" }
        // A file that `get -o json` wrote: it says itself what it was read at.
        let read = body["revision"]?.integer.flatMap { shape.field("revision") == nil ? $0 : nil }
        if let given, read == nil { return given }
        let answer = try await self.perform(ServerRequest("GET", plan.request.path))
        guard let etag = answer.header("etag") else { return given ?? "*" }
        guard let read else { return etag }
        let current = try answer.json()
        let match = given ?? "\"\(read)\""
        let strangers =
            body.object?.keys.filter { shape.field($0) == nil && $0 != "revision" && $0 != "updated_at" } ?? []
        let changed = strangers.filter { body[$0] != current[$0] }.sorted()
        // Of another revision it cannot be said who changed what: the server's refusal is the answer.
        guard changed.isEmpty || match != etag else {
            throw .usage("\(changed.joined(separator: ", ")) cannot be changed")
        }
        let known = body.object?.filter { shape.field($0.key) != nil } ?? [:]
        let difference = MergePatch.difference(from: current, to: .object(known))
        guard difference != .object([:]) || match != etag else { return nil }
        plan.body = difference
        return match
    }
}

package struct DeleteCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete something, or take it out of something else.",
        discussion: """
              gatehouse delete budget bud_…
              gatehouse delete member grp_… usr_… --yes
            """, aliases: ["remove"])

    @Argument(help: "What it is, or its identifier.", completion: .custom(Completions.nouns(for: .delete)))
    package var noun: String
    @Argument(
        help: ArgumentHelp("Its identifier.", valueName: "id"), completion: .custom(Completions.words(for: .delete)))
    package var words: [String] = []
    @Flag(name: .shortAndLong, help: "Do not ask.")
    package var yes = false
    @Option(help: ArgumentHelp("Only if it is still of this revision.", valueName: "n"))
    package var revision: Int64?
    @OptionGroup package var consent: ApprovalOptions
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            let maker = session.maker
            let extras = RequestMaker.Extras(headers: self.consent.headers)
            var plan = try await session.plan { catalogue throws(ClientError) in
                try maker(catalogue).change(.delete, self.noun, self.words, extras)
            }
            if let revision { plan.request.headers.append((name: "if-match", value: "\"\(revision)\"")) }
            try session.console.confirm(plan.operation.summary, plan.target.ids, isSure: self.yes)
            let answer = try await session.perform(plan.request)
            if answer.body.isEmpty { session.report.done() } else { session.show(answer) }
        }
    }
}

extension Console {
    /// Returns when the user wants it; where nobody can be asked, it must have been said.
    package func confirm(_ what: String, _ ids: [String], isSure: Bool) throws(ClientError) {
        guard !isSure else { return }
        let question = TerminalText.line("\(what): \(ids.joined(separator: " "))")
        guard self.canAsk else {
            throw .usage("\(question)", notes: ["Nobody can be asked here: --yes says that you mean it."])
        }
        let answer = self.ask(question + "? [y/N] ")?.lowercased()
        guard answer == "y" || answer == "yes" else { throw ClientError(.failure, "Nothing was deleted.") }
    }
}
