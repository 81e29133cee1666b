import Shared

/// What a shell offers while one types: from what is kept of the server's description, without asking anybody; only
/// identifiers are asked for, for a second at most.
package enum Completions {
    typealias Custom = @Sendable ([String], Int, String) -> [String]
    typealias CustomAsync = @Sendable ([String], Int, String) async -> [String]

    /// Those that begin so, and that no shell takes for more than a word: bash expands what it is offered, so that a name
    /// like `$(…)` would be run.
    package static func offer(_ words: [String], _ prefix: String) -> [String] {
        words.filter { word in
            word.hasPrefix(prefix)
                && word.utf8.allSatisfy { byte in
                    Unicode.Scalar(byte).properties.isAlphabetic && byte < 0x80 || (0x30...0x39).contains(byte)
                        || "_-./=".utf8.contains(byte)
                }
        }
    }

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
            let able = catalogue.resources.filter { resource in
                guard let verb else { return true }
                return !resource.operations(for: verb).isEmpty
            }
            return Self.offer(able.map { verb == .list ? $0.name : $0.singular }, prefix)
        }
    }

    static let actions: Custom = { words, _, prefix in
        guard let (catalogue, _, _) = Self.catalogue(words) else { return [] }
        return Self.offer(catalogue.actions.sorted(), prefix)
    }

    static let permissions: Custom = { words, _, prefix in
        guard let (catalogue, _, _) = Self.catalogue(words) else { return [] }
        let choices = catalogue.operations.lazy.compactMap { $0.parameter("permission")?.shape.choices }.first
        return Self.offer(choices ?? [], prefix)
    }

    static let contexts: Custom = { _, _, prefix in
        guard let path = try? ClientEnvironment.ofProcess().contextPath, let file = try? ContextFile(path: path) else {
            return []
        }
        return Self.offer(file.names, prefix)
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
            return Self.offer(await Self.ids(resource, catalogue, context, environment), prefix)
        }
        let fields = operations.compactMap(\.bodyShape).flatMap(\.fields).map(\.name)
        let parameters = operations.flatMap(\.query).map(\.name).filter { $0 != "limit" && $0 != "cursor" }
        let free = (fields + parameters).map { $0 + "=" }.filter { name in !typed.contains { $0.hasPrefix(name) } }
        return Self.offer(free, prefix)
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
        return (items ?? []).compactMap { $0["id"]?.string }
    }
}
