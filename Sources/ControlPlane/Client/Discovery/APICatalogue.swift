/// What a server can do, made from its `/openapi.json`: nouns, what can be done with each, fields, permissions.
package struct APICatalogue: Sendable {
    package let operations: [APIOperation]
    /// By name.
    package let resources: [APIResource]

    /// More than a server of ours would ever have.
    private static let operationLimit = 4096

    package init(_ document: JSON) throws(ClientError) {
        guard document["openapi"]?.string?.hasPrefix("3.") == true, let paths = document["paths"]?.object else {
            throw ClientError(.failure, "the server does not describe its API: /openapi.json is something else")
        }
        let components = Shape.Components(document["components"]?["schemas"]?.object ?? [:])
        var operations: [APIOperation] = []
        for (path, methods) in paths.sorted(by: { $0.key < $1.key }) {
            for (method, json) in (methods.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard operations.count < Self.operationLimit else {
                    throw ClientError(.failure, "the server describes more than \(Self.operationLimit) operations")
                }
                APIOperation(method, path, json, components).map { operations.append($0) }
            }
        }
        self.operations = operations
        var resources: [[String]: APIResource] = [:]
        for operation in operations {
            guard let place = operation.place else { continue }
            resources[place.words, default: APIResource(words: place.words)]
                .operations.append((place.verb, operation))
        }
        self.resources = resources.values.sorted { $0.name < $1.name }
    }

    /// Every action of any noun: `rotate`, `approve`.
    package var actions: Set<String> { Set(self.resources.flatMap(\.actions)) }

    package func operation(named name: String) -> APIOperation? { self.operations.first { $0.name == name } }
}

// MARK: Finding

/// The operation that words are for, with the identifiers for its path.
package struct Target: Sendable {
    package let resource: APIResource
    package let operation: APIOperation
    package let ids: [String]
}

extension APICatalogue {
    /// Finds what `verb` and a noun mean.
    ///
    /// A noun is plural, singular, an identifier's prefix or the beginning of one of them (`budgets`, `budget`, `bud`,
    /// `virt`); of what is under another noun the last word is enough when it is the only one (`members` for
    /// `groups/members`). Identifiers may stand in the noun (`groups/grp_…/members`), or in place of it (`bud_…`).
    ///
    /// - Parameters:
    ///   - noun: empty for what has none.
    ///   - words: what follows it; identifiers are taken from its beginning.
    /// - Returns: what is meant, and the words that are left.
    package func target(_ verb: Verb, _ noun: String, _ words: [String]) throws(ClientError) -> (Target, rest: [String])
    {
        let parts = noun.split(separator: "/").map(String.init)
        let named = parts.filter { Words.isIdentifier($0) }
        let names = parts.filter { !Words.isIdentifier($0) }.map { $0.lowercased().replacing("_", with: "-") }
        let given = named + words.prefix { !$0.contains("=") }
        let resource = try self.resource(verb, names, noun, given)
        let operations = resource.operations(for: verb)
        guard !operations.isEmpty else { throw self.cannot(verb, resource) }
        let counts = operations.map(\.variables).sorted()
        guard
            let operation = operations.filter({ $0.variables <= given.count }).max(by: { $0.variables < $1.variables })
        else { throw Self.missing(verb, resource, operations[0], given: given.count) }
        // A thing's own status needs an identifier; the list of things takes none.
        guard given.count <= counts[counts.count - 1] else {
            throw .usage(
                "'\(given[operation.variables])' is one word too many",
                notes: [Self.form(verb, resource, operation)])
        }
        let ids = Array(given.prefix(operation.variables))
        let target = Target(resource: resource, operation: operation, ids: ids)
        return (target, Array(words.dropFirst(max(0, ids.count - named.count))))
    }

    /// The noun alone, for what is said of it.
    package func resource(_ noun: String) throws(ClientError) -> APIResource {
        let names = noun.split(separator: "/").map { $0.lowercased().replacing("_", with: "-") }
        return try self.resource(nil, names, noun, [])
    }

    private func resource(_ verb: Verb?, _ names: [String], _ noun: String, _ given: [String])
        throws(ClientError) -> APIResource
    {
        func can(_ resource: APIResource) -> Bool {
            guard let verb else { return true }
            return !resource.operations(for: verb).isEmpty
        }
        if names.isEmpty {
            if let resource = self.resources.first(where: { $0.words.isEmpty && can($0) }) { return resource }
            guard let prefix = given.first.flatMap({ Words.prefix(ofIdentifier: $0) }) else {
                throw .usage("which noun? gatehouse api-resources lists them")
            }
            let found = self.resources.filter { $0.prefix == prefix }
            let able = found.filter { resource in
                guard let verb else { return true }
                return resource.operations(for: verb).contains { $0.variables == given.count }
            }
            guard let resource = (able.isEmpty ? found : able).min(by: { $0.words.count < $1.words.count }) else {
                throw .unknown("kind of identifier", prefix + "_…", among: self.resources.compactMap(\.prefix))
            }
            return resource
        }
        // Of something that the identifier names: `list groups usr_…` are the user's.
        let prefix = given.first.flatMap { Words.prefix(ofIdentifier: $0) }
        let under = self.resources.filter { resource in
            prefix != nil && can(resource) && Self.matches(resource, names, 2) && self.parentPrefix(resource) == prefix
        }
        if under.count == 1 { return under[0] }
        for rank in 0..<5 {
            let found = self.resources.filter { Self.matches($0, names, rank) }
            guard !found.isEmpty else { continue }
            let able = found.filter(can)
            let candidates = able.isEmpty ? found : able
            if candidates.count == 1 { return candidates[0] }
            throw .usage("'\(noun)' may be \(candidates.map(\.name).joined(separator: ", "))")
        }
        throw .unknown(
            "noun", noun, among: self.resources.flatMap { [$0.name, $0.singular, $0.words.last ?? ""] },
            more: "gatehouse api-resources lists all of them.")
    }

    /// Whether a resource goes by these names: exactly, by prefix, as the last word, abbreviated, as the last word
    /// abbreviated.
    private static func matches(_ resource: APIResource, _ names: [String], _ rank: Int) -> Bool {
        func same(_ word: String, _ name: String) -> Bool { word == name || Words.singular(word) == name }
        guard let last = resource.words.last else { return false }
        switch rank {
        case 0:
            return resource.words.count == names.count && zip(resource.words, names).allSatisfy { same($0, $1) }
        case 1:
            guard names.count == 1, resource.words.count == 1, let prefix = resource.prefix else { return false }
            return names[0] == prefix || names[0] == prefix + "s"
        case 2: return names.count == 1 && resource.words.count > 1 && same(last, names[0])
        case 3:
            return resource.words.count == names.count
                && zip(resource.words, names).allSatisfy { $0.hasPrefix($1) || same($0, $1) }
        default: return names.count == 1 && last.hasPrefix(names[0])
        }
    }

    private func parentPrefix(_ resource: APIResource) -> String? {
        let parent = Array(resource.words.dropLast())
        return self.resources.first { $0.words == parent }?.prefix
    }

    private func cannot(_ verb: Verb, _ resource: APIResource) -> ClientError {
        let verbs = Set(resource.operations.map(\.verb.description)).sorted().joined(separator: ", ")
        return ClientError(
            .usage, "\(resource.name) has no '\(verb)'", notes: ["It has: \(verbs)."], mayBeStale: true)
    }

    private static func missing(_ verb: Verb, _ resource: APIResource, _ operation: APIOperation, given: Int)
        -> ClientError
    {
        var notes = [Self.form(verb, resource, operation)]
        if verb == .get, !resource.operations(for: .list).isEmpty {
            notes.append("gatehouse list \(resource.name) lists them.")
        }
        let missing = operation.segments.filter { $0.hasPrefix("{") }.dropFirst(given)
        return .usage("\(missing.joined(separator: " ")) is missing", notes: notes)
    }

    /// How an operation is called: `gatehouse add groups/members {id} {member}`.
    package static func form(_ verb: Verb, _ resource: APIResource, _ operation: APIOperation) -> String {
        let words =
            ["gatehouse", verb.description, resource.singular] + operation.segments.filter { $0.hasPrefix("{") }
        return words.filter { !$0.isEmpty }.joined(separator: " ") + (operation.body == nil ? "" : " field=value …")
    }
}
