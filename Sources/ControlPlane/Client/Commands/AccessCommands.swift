package import ArgumentParser

package struct WhoCanCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "who-can", abstract: "Who may do something somewhere, and by what.",
        discussion: "  gatehouse who-can budgets.increase --scope prj_…")

    @Argument(help: "The permission.", completion: .custom(Completions.permissions)) package var permission: String
    @Option(help: ArgumentHelp("Where; the whole instance when absent.", valueName: "org_…|unit_…|prj_…"))
    package var scope: String?
    @Flag(help: "Those who run the instance, not those of the organization.") package var instance = false
    @Option(help: "Most of them.") package var limit: Int = 1000
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        guard (1...Pages.limit).contains(self.limit) else { throw ClientError.usage("--limit is 1 to \(Pages.limit)") }
        try await self.options.session { session throws(ClientError) in
            var words = ["permission=\(self.permission)"]
            if let scope { words.append("scope=\(scope)") }
            if self.instance { words.append("of=instance") }
            let plan = try await session.plan { catalogue throws(ClientError) in
                try RequestMaker(catalogue, organization: nil, read: session.read)
                    .reading(.list, "access/who-can", words)
            }
            guard case .table = session.report.format else { return try await session.list(plan, limit: self.limit) }
            let (items, hasMore) = try await Pages(session, plan).items(limit: self.limit)
            guard !items.isEmpty else { return session.console.note("Nobody.") }
            let names = await NameBook.read(items.flatMap(AccessText.ids), session)
            for item in items {
                session.console.line(
                    "\(names.text(item["subject"]))  \(AccessText.path(item["grant"] ?? .null, names))")
            }
            if hasMore { session.console.note("There are more: --limit N.") }
        }
    }
}

package struct WhatCanCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "what-can", abstract: "What somebody may do somewhere.",
        discussion: "  gatehouse what-can usr_… --scope prj_…")

    @Argument(help: "A user, a group or a service account.") package var subject: String
    @Option(help: ArgumentHelp("Where; the whole instance when absent.", valueName: "org_…|unit_…|prj_…"))
    package var scope: String?
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            var request = ServerRequest("GET", "/v1/access/what-can")
            request.query = [("subject", self.subject)] + (self.scope.map { [("scope", $0)] } ?? [])
            let answer = try await session.perform(request).json()
            switch session.report.format {
            case .table, .wide, .name:
                let permissions = answer["permissions"]?.strings ?? []
                if permissions.isEmpty { session.console.note("Nothing.") }
                session.console.write(permissions.map { TerminalText.line($0) + "\n" }.joined())
            case .json, .csv, .value: session.report.one(answer)
            }
        }
    }
}

package struct ExplainCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Whether somebody may do something: by what, or what is missing.",
        discussion: """
              gatehouse explain --subject usr_… --permission budgets.increase --scope prj_…

            Ends with 0 when it is allowed, with 10 when it is not.
            """)

    @Option(help: ArgumentHelp("Who.", valueName: "usr_…|grp_…|sa_…")) package var subject: String
    @Option(help: "What.", completion: .custom(Completions.permissions)) package var permission: String
    @Option(help: ArgumentHelp("Where; the whole instance when absent.", valueName: "org_…|unit_…|prj_…"))
    package var scope: String?
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        let isAllowed = try await self.options.session { session throws(ClientError) in
            var request = ServerRequest("GET", "/v1/access/explain")
            request.query = [("subject", self.subject), ("permission", self.permission)]
            if let scope { request.query.append((name: "scope", value: scope)) }
            let answer = try await session.perform(request).json()
            guard let isAllowed = answer["allowed"]?.bool else {
                throw ClientError(.failure, "the server's answer does not say whether it is allowed")
            }
            if case .table = session.report.format {
                let names = await NameBook.read(AccessText.ids(answer), session)
                session.console.write(AccessText.decision(answer, names))
            } else {
                session.report.one(answer)
            }
            return isAllowed
        }
        if !isAllowed { throw ExitCode(ClientExit.denied.rawValue) }
    }
}

/// Answers about access in sentences.
enum AccessText {
    /// Every identifier in an answer.
    static func ids(_ value: JSON) -> [String] {
        switch value {
        case .string(let text): Words.isIdentifier(text) ? [text] : []
        case .array(let elements): elements.flatMap(Self.ids)
        // Bindings and rules have no name that says more.
        case .object(let members):
            members.filter { $0.key != "binding" && $0.key != "deny_rule" }.values.flatMap(Self.ids)
        case .null, .bool, .number: []
        }
    }

    /// How a binding comes to grant something: `by owner (rol_…) at Acme (org_…) through leads (grp_…), binding bnd_…`.
    static func path(_ grant: JSON, _ names: NameBook) -> String {
        var text = "by \(names.text(grant["role"])) at \(names.text(grant["scope"]))"
        let groups = grant["groups"]?.strings ?? []
        if !groups.isEmpty { text += " through " + groups.map { names.text($0) }.joined(separator: ", ") }
        if let end = grant["expires_at"]?.string { text += " until \(TerminalText.line(Table.shortened(end)))" }
        return text + ", binding \(Table.cell(grant["binding"]))"
    }

    static func decision(_ answer: JSON, _ names: NameBook) -> String {
        let isAllowed = answer["allowed"]?.bool == true
        var lines = [
            "\(isAllowed ? "allowed" : "denied"): \(names.text(answer["subject"])), "
                + "\(Table.cell(answer["permission"])) at \(names.text(answer["scope"]))"
        ]
        if let standing = answer["standing"]?.string, standing != "active" {
            lines.append("  The subject is \(TerminalText.line(standing)).")
        }
        func add(_ member: String, _ title: String, _ one: (JSON) -> String) {
            let items = answer[member]?["items"]?.array ?? []
            guard !items.isEmpty else { return }
            lines.append("  \(title):")
            lines += items.map { "    " + one($0) }
            let count = answer[member]?["count"]?.integer ?? 0
            if count > items.count { lines.append("    and \(count - Int64(items.count)) more") }
        }
        add("denials", "forbidden by") { rule in
            let whom = rule["everybody"]?.bool == true ? "everybody" : "the subject"
            let groups = rule["groups"]?.strings ?? []
            let through = groups.isEmpty ? "" : " through " + groups.map { names.text($0) }.joined(separator: ", ")
            return
                "the deny rule \(Table.cell(rule["deny_rule"])) at \(names.text(rule["scope"])) for \(whom)\(through)"
        }
        add("grants", "granted") { Self.path($0, names) }
        if !isAllowed, answer["grants"]?["items"]?.array?.isEmpty != false { lines.append("  Nothing grants it.") }
        add("expired", "granted until it ended") { Self.path($0, names) }
        add("elsewhere", "granted elsewhere") { Self.path($0, names) }
        add("roles", "roles that would grant it") { names.text($0) }
        return lines.map { $0 + "\n" }.joined()
    }
}

package struct ExplainRequestCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "explain-request", abstract: "Whether a request of a key would be served now, and why not.",
        discussion: """
              gatehouse explain-request vk_… small max_tokens=500 prompt_bytes=2000 tags.env=prod

            Nothing is sent or changed. Ends with 0 when it would pass, 10 when not, 11 when only gateways know.
            """)

    @Argument(help: "The virtual key's id.") package var key: String
    @Argument(help: "The model, as a client names it.") package var model: String
    @Argument(help: ArgumentHelp("More of the request.", valueName: "field=value")) package var words: [String] = []
    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        let verdict = try await self.options.session { session throws(ClientError) in
            let maker = session.maker
            let words = ["key=\(self.key)", "model=\(self.model)"] + self.words
            let plan = try await session.plan { catalogue throws(ClientError) in
                try maker(catalogue).change(
                    .action("explain"), "", words, .init(idempotencyKey: IdempotencyKey.random()))
            }
            let answer = try await session.perform(plan.request).json()
            guard let verdict = answer["would_pass"]?.string else {
                throw ClientError(.failure, "the server's answer does not say whether it would pass")
            }
            if case .table = session.report.format {
                session.console.write(Self.text(answer, verdict))
            } else {
                session.report.one(answer)
            }
            return verdict
        }
        guard verdict != "yes" else { return }
        throw ExitCode((verdict == "no" ? ClientExit.denied : .undecided).rawValue)
    }

    private static func text(_ answer: JSON, _ verdict: String) -> String {
        let code = answer["code"]?.string.map { " (\(TerminalText.line($0)))" } ?? ""
        let sentence =
            switch verdict {
            case "yes": "It would be served."
            case "no": "It would be refused\(code)."
            default: "It depends on what only gateways know\(code)."
            }
        let rows = (answer["checks"]?.array ?? []).map { check in
            ["result", "check", "id", "detail"].map { Table.cell(check[$0]) }
        }
        return sentence + "\n" + Table(["RESULT", "CHECK", "ID", "DETAIL"], rows: rows).text(width: nil)
    }
}
