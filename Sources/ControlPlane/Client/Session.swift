import AsyncHTTPClient
import Shared
import Synchronization

/// One command at work: where it talks to, what it knows of the API, how it shows things.
package final class Session: Sendable {
    package let context: ServerContext
    package let client: ServerClient
    package let console: Console
    package let report: Report
    package let isVerbose: Bool
    private let cache: DescriptionCache
    private let now: Int64
    private let known: Mutex<(catalogue: APICatalogue, isFresh: Bool)?> = Mutex(nil)
    private let input: Mutex<String?> = Mutex(nil)
    private let refresh: Bool

    /// Most bytes of a JSON body that a server takes.
    package static let bodyLimit = 1 << 20

    package init(
        context: ServerContext, client: ServerClient, console: Console, format: OutputFormat, cache: DescriptionCache,
        now: Int64, isVerbose: Bool = false, refresh: Bool = false
    ) {
        self.context = context
        self.client = client
        self.console = console
        self.report = Report(format: format, console: console)
        self.cache = cache
        self.now = now
        self.isVerbose = isVerbose
        self.refresh = refresh
    }

    // MARK: The API's description

    /// What `body` makes of the API's description: of the one that is kept, and when a name is not in that, of the
    /// server's present one.
    package func plan<Value>(_ body: (APICatalogue) throws(ClientError) -> Value) async throws(ClientError) -> Value {
        let known = try await self.catalogue()
        do throws(ClientError) {
            return try body(known.catalogue)
        } catch {
            guard error.mayBeStale, !known.isFresh else { throw error }
        }
        return try body(try await self.fetchedCatalogue())
    }

    private func catalogue() async throws(ClientError) -> (catalogue: APICatalogue, isFresh: Bool) {
        if let known = self.known.withLock({ $0 }) { return known }
        if !self.refresh, let bytes = self.cache.description(of: self.client.address, at: self.now),
            let json = try? JSON(parsing: bytes), let catalogue = try? APICatalogue(json)
        {
            self.known.withLock { $0 = (catalogue, false) }
            return (catalogue, false)
        }
        return (try await self.fetchedCatalogue(), true)
    }

    private func fetchedCatalogue() async throws(ClientError) -> APICatalogue {
        // It is open to everybody: the token is not needed for it.
        let open = ServerClient(address: self.client.address, http: self.client.http, token: nil)
        let answer = try await open.perform(ServerRequest("GET", "/openapi.json"))
        guard answer.body.count <= DescriptionCache.limit else {
            throw ClientError(.failure, "the server's description of its API is too long")
        }
        let catalogue = try APICatalogue(try answer.json())
        self.cache.keep(answer.body, of: self.client.address)
        self.known.withLock { $0 = (catalogue, true) }
        return catalogue
    }

    // MARK: Calling

    /// Sends a request that must succeed.
    package func perform(_ request: ServerRequest) async throws(ClientError) -> ServerAnswer {
        let answer = try await self.client.perform(request)
        if self.isVerbose {
            self.console.note("\(request.method) \(request.target): \(answer.status)")
            for name in ["x-request-id", "etag"] {
                if let value = answer.header(name) { self.console.note("\(name): \(TerminalText.line(value))") }
            }
            for (name, value) in answer.headers where name == "audit-receipt" {
                self.console.note("audit-receipt: \(TerminalText.line(value))")
            }
        }
        return answer
    }

    /// The text of a file that a field or a body is read from; standard input is read once.
    package func read(_ path: String) throws(ClientError) -> String {
        guard path == "-" else { return try InputFiles.text(path, limit: Self.bodyLimit) }
        if let text = self.input.withLock({ $0 }) { return text }
        let text = try InputFiles.text("-", limit: Self.bodyLimit)
        self.input.withLock { $0 = text }
        return text
    }

    // MARK: Beginning and end

    /// Runs `body` with a session, and closes its connections.
    package static func with<Value>(
        _ context: ServerContext, environment: ClientEnvironment, console: Console, format: OutputFormat,
        timeout: Duration, isVerbose: Bool = false, refresh: Bool = false, needsToken: Bool = true,
        _ body: (Session) async throws(ClientError) -> Value
    ) async throws(ClientError) -> Value {
        var token = context.token
        if token == nil, let command = context.tokenCommand { token = try TokenCommand.run(command) }
        guard token != nil || !needsToken else {
            throw ClientError(
                .notSignedIn, "you are not signed in to \(context.server)",
                notes: ["gatehouse login --server \(context.server)"])
        }
        let http = try ServerClient.http(for: context.server, authorities: try context.authorities)
        var client = ServerClient(address: context.server, http: http, token: token)
        client.timeout = timeout
        let session = Session(
            context: context, client: client, console: console, format: format,
            cache: DescriptionCache(folder: try environment.cacheFolder), now: TimeSource.system.now().seconds,
            isVerbose: isVerbose, refresh: refresh)
        do throws(ClientError) {
            let value = try await body(session)
            try? await http.shutdown()
            return value
        } catch {
            try? await http.shutdown()
            throw error
        }
    }
}
