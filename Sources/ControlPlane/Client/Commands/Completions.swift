import Shared

/// What a shell offers while one types: from what is kept of the server's description, without asking anybody; only
/// identifiers are asked for, for a second at most.
enum Completions {
    typealias Custom = @Sendable ([String], Int, String) -> [String]
    typealias CustomAsync = @Sendable ([String], Int, String) async -> [String]

    private static func catalogue(_ words: [String]) -> (APICatalogue, ServerContext, ClientEnvironment)? {
        let environment = ClientEnvironment.ofProcess()
        let named = words.firstIndex(of: "--context").flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
        guard let context = try? environment.context(named: named), let folder = try? environment.cacheFolder,
            let bytes = DescriptionCache(folder: folder).description(of: context.server, at: nil),
            let json = try? JSON(parsing: bytes), let catalogue = try? APICatalogue(json)
        else { return nil }
        return (catalogue, context, environment)
    }

    static func nouns(for verb: Verb?) -> Custom {
        { words, _, prefix in
            guard let (catalogue, _, _) = Self.catalogue(words) else { return [] }
            return catalogue.resources.filter { resource in
                guard let verb else { return true }
                return !resource.operations(for: verb).isEmpty
            }.map { verb == .list ? $0.name : $0.singular }.filter { $0.hasPrefix(prefix) }
        }
    }

    static let actions: Custom = { words, _, prefix in
        guard let (catalogue, _, _) = Self.catalogue(words) else { return [] }
        return catalogue.actions.sorted().filter { $0.hasPrefix(prefix) }
    }

    static let permissions: Custom = { words, _, prefix in
        guard let (catalogue, _, _) = Self.catalogue(words) else { return [] }
        let choices = catalogue.operations.lazy.compactMap { $0.parameter("permission")?.shape.choices }.first
        return (choices ?? []).filter { $0.hasPrefix(prefix) }
    }

    static let contexts: Custom = { _, _, prefix in
        guard let path = try? ClientEnvironment.ofProcess().contextPath, let file = try? ContextFile(path: path) else {
            return []
        }
        return file.names.filter { $0.hasPrefix(prefix) }
    }

    static func words(for verb: Verb) -> CustomAsync {
        { words, index, prefix in
            await Self.offered(verb, Self.typed(words, index, after: verb.description), words, prefix)
        }
    }

    static let actionWords: CustomAsync = { words, index, prefix in
        let typed = Self.typed(words, index, after: "do")
        guard let action = typed.first else { return [] }
        let rest = Array(typed.dropFirst())
        guard rest.isEmpty else { return await Self.offered(.action(action), rest, words, prefix) }
        return Self.nouns(for: .action(action))(words, index, prefix)
    }

    /// The words after a command and before the one that is typed, without options.
    private static func typed(_ words: [String], _ index: Int, after command: String) -> [String] {
        let before = words.prefix(max(0, min(index, words.count)))
        guard let start = before.firstIndex(of: command) else { return [] }
        return before.suffix(from: start + 1).filter { !$0.hasPrefix("-") }
    }

    /// Identifiers where the path needs one, then fields or filters.
    private static func offered(
        _ verb: Verb, _ typed: [String], _ words: [String], _ prefix: String
    ) async -> [String] {
        guard let noun = typed.first, let (catalogue, context, environment) = Self.catalogue(words),
            let resource = try? catalogue.resource(noun)
        else { return [] }
        let given = typed.dropFirst().filter { !$0.contains("=") }.count
        let operations = resource.operations(for: verb)
        if operations.contains(where: { $0.variables > given }) {
            return await Self.ids(resource, catalogue, context, environment).filter { $0.hasPrefix(prefix) }
        }
        let body = operations.compactMap(\.bodyShape).flatMap(\.fields).map { $0.name + "=" }
        let query = operations.flatMap(\.query).filter { $0.name != "limit" && $0.name != "cursor" }.map {
            $0.name + "="
        }
        return (body + query).filter { $0.hasPrefix(prefix) && !typed.contains(where: $0.hasPrefix) }
    }

    /// A page of identifiers; none when the server does not answer at once, or the token has to be asked for.
    private static func ids(
        _ resource: APIResource, _ catalogue: APICatalogue, _ context: ServerContext, _ environment: ClientEnvironment
    ) async -> [String] {
        let words =
            resource.operations(for: .list).contains { $0.variables == 0 }
            ? resource.words : Array(resource.words.prefix(1))
        guard
            let list = catalogue.resources.first(where: { $0.words == words })?.operations(for: .list)
                .first(where: { $0.variables == 0 }), context.token != nil
        else { return [] }
        let console = Console(write: { _ in }, writeError: { _ in })
        let items = try? await Session.with(
            context, environment: environment, console: console, format: .name, timeout: .seconds(1)
        ) { session throws(ClientError) in
            var client = session.client
            client.retry.attempts = 1
            var request = ServerRequest("GET", list.path(with: []))
            request.query = [(name: "limit", value: "50")]
            return try await client.perform(request).json()["items"]?.array ?? []
        }
        return (items ?? []).compactMap { $0["id"]?.string }.filter { Words.isIdentifier($0) }
    }
}
