package import ArgumentParser

/// What every command that talks to a server takes.
package struct GlobalOptions: ParsableArguments {
    @Option(help: "The context to use, in place of the current one and of the environment's.")
    package var context: String?

    @Option(
        name: .shortAndLong,
        help: "table, wide, json, name (ids only), csv, or value=MEMBER (one member, without quotes).",
        completion: .list(OutputFormat.names))
    package var output: OutputFormat = .table

    @Option(help: ArgumentHelp("Seconds that one answer may take.", valueName: "seconds"))
    package var timeout: Int = 60

    @Flag(name: .shortAndLong, help: "Say each request, its id, and its receipt in the audit log.")
    package var verbose = false

    @Flag(help: "Read the server's description of its API anew.")
    package var refresh = false

    package init() {}

    package func validate() throws {
        guard (1...3600).contains(self.timeout) else { throw ValidationError("--timeout is 1 to 3600 seconds") }
    }

    /// Runs `body` against the chosen server.
    func session<Value>(_ body: (Session) async throws(ClientError) -> Value) async throws(ClientError) -> Value {
        let environment = ClientEnvironment.ofProcess()
        return try await Session.with(
            try environment.context(named: self.context), environment: environment, console: .ofProcess(),
            format: self.output, timeout: .seconds(self.timeout), isVerbose: self.verbose, refresh: self.refresh, body)
    }
}

extension OutputFormat: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
    package var defaultValueDescription: String { "table" }
}

/// What goes with a change that others may have to agree to.
package struct ApprovalOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The approval that this waited for.", valueName: "apr_…"))
    package var approval: String?

    @Option(help: ArgumentHelp("Why, for those who have to approve it.", valueName: "text"))
    package var why: String?

    package init() {}

    /// Header fields: of ASCII, so that they pass everything on the way.
    var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let approval { headers.append((name: "gatehouse-approval", value: approval)) }
        if let why { headers.append((name: "gatehouse-reason", value: Self.encoded(why))) }
        return headers
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "%")
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(UnicodeScalar(byte)) : (digits.count == 1 ? "%0" : "%") + digits
        }.joined()
    }
}

/// What every change takes.
package struct ChangeOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The body, from a file (- for standard input); fields are put over it.", valueName: "file"),
        completion: .file())
    package var file: String?

    @OptionGroup package var consent: ApprovalOptions

    @Option(
        help: ArgumentHelp(
            "Your name for this request: sent again with the same, it takes effect once.", valueName: "key"))
    package var idempotencyKey: String?

    package init() {}

    /// - Parameter key: the name of the request when the user has none for it.
    func extras(key: String = IdempotencyKey.random()) -> RequestMaker.Extras {
        RequestMaker.Extras(
            file: self.file, headers: self.consent.headers, idempotencyKey: self.idempotencyKey ?? key)
    }
}

/// Names of requests, which make sending one again safe.
enum IdempotencyKey {
    static func random() -> String {
        var random = SystemRandomNumberGenerator()
        return "gatehouse-" + (0..<2).map { _ in TerminalText.hexadecimal64(random.next()) }.joined()
    }
}

extension TerminalText {
    static func hexadecimal64(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
