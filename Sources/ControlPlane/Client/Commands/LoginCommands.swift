package import ArgumentParser
import Glibc
import Shared

package struct LoginCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Sign in to a server, and keep the token in a context.",
        discussion: """
            The token is asked for without being shown, or read from standard input; never from the command line, which
            everybody on the machine can see. A service account's or your own token will do:

              gatehouse login --server https://gatehouse.example --ca ca.pem
              vault read -field=token secret/gatehouse | gatehouse login --server https://gatehouse.example --token-stdin
            """)

    @Option(help: "The control plane: https://HOST[:PORT]; http is for this machine only.")
    package var server: String
    @Option(
        help: ArgumentHelp("A PEM file of the authorities that signed its certificate.", valueName: "file"),
        completion: .file())
    package var ca: String?
    @Flag(help: "Keep the authorities' text in the context, not the file's name.")
    package var embedCa = false
    @Option(help: "What to call the context; the server's name when absent.")
    package var name: String?
    @Flag(help: "Read the token from standard input.")
    package var tokenStdin = false
    @Option(
        help: ArgumentHelp(
            "A shell command that prints the token each time, in place of a kept one.", valueName: "command"))
    package var tokenCommand: String?
    @Option(help: ArgumentHelp("The organization that lists are of and things are created in.", valueName: "org_…"))
    package var organization: String?
    @Option(help: ArgumentHelp("Seconds that the answer may take.", valueName: "seconds"))
    package var timeout: Int = 30

    package init() {}

    package func run() async throws {
        let environment = ClientEnvironment.ofProcess(), console = Console.ofProcess()
        var context = ServerContext(server: try ServerAddress(self.server))
        context.organization = self.organization
        try context.setAuthority(self.ca, isEmbedded: self.embedCa)
        let token = try self.token(console)
        if let tokenCommand { context.tokenCommand = tokenCommand } else { context.token = token }
        let name = self.name ?? context.server.name
        let me = try await Session.with(
            context, environment: environment, console: console, format: .table, timeout: .seconds(self.timeout)
        ) { session throws(ClientError) in
            try await session.perform(ServerRequest("GET", "/v1/me")).json()
        }
        try ContextFile.change(path: try environment.contextPath) { file throws(ClientError) in
            try file.set(name, context, isCurrent: true)
        }
        console.note("Signed in to \(context.server) as \(Caller.sentence(me)).")
        console.note("Kept in the context '\(name)', which is now the current one.")
    }

    private func token(_ console: Console) throws(ClientError) -> Secret<String>? {
        guard self.tokenCommand == nil else { return nil }
        if self.tokenStdin { return try ServerContext.token(try InputFiles.text("-", limit: 4096)) }
        guard console.canAsk else {
            throw .usage(
                "there is no terminal to ask for the token at", notes: ["--token-stdin reads it from standard input."])
        }
        guard let text = try console.askHidden("Token (not shown): ") else {
            throw ClientError(.failure, "No token, no sign-in.")
        }
        return try ServerContext.token(text)
    }
}

extension ServerContext {
    /// - Parameter path: a PEM file; nil for the system's authorities.
    mutating func setAuthority(_ path: String?, isEmbedded: Bool) throws(ClientError) {
        (self.authority, self.authorityFile) = (nil, nil)
        guard let path else { return }
        if isEmbedded {
            self.authority = try InputFiles.text(path, limit: 1 << 20)
        } else {
            guard let real = realpath(path, nil) else {
                throw .usage("cannot read \(path): \(String(cString: strerror(errno)))")
            }
            defer { free(real) }
            self.authorityFile = String(cString: real)
        }
    }
}

/// Who `GET /v1/me` says that one is.
enum Caller {
    static func sentence(_ me: JSON) -> String {
        let name = [me["login"], me["name"]].lazy.compactMap { $0?.string }.first ?? "somebody"
        let token = me["token"]
        var text = "\(TerminalText.line(name)) (\(Table.cell(me["id"])))"
        if let name = token?["name"]?.string { text += " with the token '\(TerminalText.line(name))'" }
        if let end = token?["expires_at"]?.string {
            text += ", which ends \(TerminalText.line(Table.shortened(end)))"
        } else {
            text += ", which does not end by itself"
        }
        return text
    }
}

package struct WhoamiCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Show who one is, and what the token in use is for.")

    @OptionGroup package var options: GlobalOptions

    package init() {}

    package func run() async throws {
        try await self.options.session { session throws(ClientError) in
            session.show(try await session.perform(ServerRequest("GET", "/v1/me")))
        }
    }
}

package struct LogoutCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Forget the token of a context; the server still knows it.",
        discussion: "A personal token is ended on the server by: gatehouse delete me/api-tokens tok_…")

    @Option(help: "The context; the current one when absent.")
    package var context: String?

    package init() {}

    package func run() async throws {
        let console = Console.ofProcess()
        let name = try ContextFile.change(path: try ClientEnvironment.ofProcess().contextPath) {
            file throws(ClientError) in
            guard let name = self.context ?? file.current else {
                throw ClientError(.notSignedIn, "no context is the current one")
            }
            var context = try file.context(name)
            context.token = nil
            context.tokenCommand = nil
            try file.set(name, context)
            return name
        }
        console.note("The context '\(name)' has no token any more.")
    }
}
