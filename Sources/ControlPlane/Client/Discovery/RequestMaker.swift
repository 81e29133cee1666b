import Shared

/// Makes requests of what was typed.
package struct RequestMaker {
    let catalogue: APICatalogue
    /// Taken where an organization can be given and none is.
    let organization: String?
    let read: (String) throws(ClientError) -> String

    package init(
        _ catalogue: APICatalogue, organization: String?, read: @escaping (String) throws(ClientError) -> String
    ) {
        self.catalogue = catalogue
        self.organization = organization
        self.read = read
    }

    /// A request with what it is for.
    package struct Plan: Sendable {
        package let target: Target
        package var request: ServerRequest
        /// The body, where it is JSON.
        package var body: JSON? {
            didSet { self.request.body = self.body.map { Array(JSONWriter.line($0).utf8) } }
        }

        package var operation: APIOperation { self.target.operation }
    }

    /// What goes with a change besides its fields.
    package struct Extras: Sendable {
        /// A file with the body.
        package var file: String?
        package var headers: [(name: String, value: String)]
        /// The caller's name for the request: sent once more, it takes effect once.
        package var idempotencyKey: String?

        package init(
            file: String? = nil, headers: [(name: String, value: String)] = [], idempotencyKey: String? = nil
        ) {
            self.file = file
            self.headers = headers
            self.idempotencyKey = idempotencyKey
        }
    }

    /// A read: words after the identifiers are parameters of the query, `--name=value` or `name=value`.
    package func reading(_ verb: Verb, _ noun: String, _ words: [String]) throws(ClientError) -> Plan {
        let words = try Self.parameters(words)
        let (target, rest) = try self.catalogue.target(verb, noun, words)
        var plan = Plan(target: target, request: Self.request(target))
        plan.request.query = try self.query(rest, target)
        return plan
    }

    /// A change, with a body of the fields where the operation has one.
    package func change(_ verb: Verb, _ noun: String, _ words: [String], _ extras: Extras) throws(ClientError) -> Plan {
        let (target, rest) = try self.catalogue.target(verb, noun, words)
        var plan = Plan(target: target, request: Self.request(target))
        let operation = target.operation
        let isParameter = { (word: String) in operation.parameter(Self.name(word)) != nil }
        plan.request.query = try self.query(
            rest.filter { isParameter($0) && operation.bodyShape?.field(Self.name($0)) == nil }, target)
        let fields = rest.filter { !isParameter($0) || operation.bodyShape?.field(Self.name($0)) != nil }
        switch operation.body {
        case nil:
            guard fields.isEmpty, extras.file == nil else {
                throw .usage("\(operation.name) takes no fields", notes: [fields.joined(separator: " ")])
            }
        case .bytes:
            guard let file = extras.file else { throw .usage("\(operation.name) needs a file: -f FILE") }
            guard fields.isEmpty else { throw .unknown("parameter", fields[0], among: operation.query.map(\.name)) }
            plan.request.body = try InputFiles.bytes(file, limit: ServerClient.answerLimit)
            plan.request.contentType = "application/octet-stream"
        case .json(let shape):
            plan.body = try self.body(shape, fields, extras.file, isWhole: operation.method == "POST")
            if operation.method == "PATCH" { plan.request.contentType = "application/merge-patch+json" }
        }
        if operation.takesIdempotencyKey, let key = extras.idempotencyKey {
            plan.request.headers.append((name: "idempotency-key", value: key))
        }
        plan.request.headers += extras.headers
        return plan
    }

    private static func request(_ target: Target) -> ServerRequest {
        ServerRequest(target.operation.method, target.operation.path(with: target.ids))
    }

    private static func name(_ word: String) -> String { String(word.prefix { $0 != "=" && $0 != ":" && $0 != "." }) }

    // MARK: Bodies

    /// - Parameter isWhole: required fields must be there.
    private func body(_ shape: Shape, _ fields: [String], _ file: String?, isWhole: Bool) throws(ClientError) -> JSON {
        var base = JSON.object([:])
        if let file {
            let text = try self.read(file)
            do throws(JSONSyntaxError) {
                base = try JSON(parsing: text)
            } catch {
                throw .usage("\(file) is not JSON: \(error)")
            }
            guard base.object != nil else { throw .usage("\(file) has no JSON object") }
        }
        var builder = BodyBuilder(shape, base: base)
        for field in fields { try builder.assign(try Assignment(field, read: self.read)) }
        if isWhole, shape.field("organization") != nil, builder.body["organization"] == nil, let organization {
            try builder.assign(try Assignment("organization=\(organization)", read: self.read))
        }
        let missing = isWhole ? builder.missing : []
        guard missing.isEmpty else {
            throw ClientError(
                .usage, "\(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") missing",
                notes: missing.compactMap { Self.hint($0, shape) }, mayBeStale: true)
        }
        return builder.body
    }

    private static func hint(_ path: String, _ shape: Shape) -> String? {
        shape.field(path).map { "\(path)=\($0.shape.typeName)" + ($0.shape.summary.map { "  \($0)" } ?? "") }
    }

    // MARK: Queries

    /// `--group-by=model`, `--group-by model` and `group_by=model` as the last of them; other words as they are.
    static func parameters(_ words: [String]) throws(ClientError) -> [String] {
        var result: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--"), word.count > 2 else {
                guard !word.hasPrefix("-") || word == "-" else { throw .usage("there is no option '\(word)'") }
                result.append(word)
                continue
            }
            let name = word.dropFirst(2).prefix { $0 != "=" }
            let parameter = name.replacing("-", with: "_")
            if word.contains("=") {
                result.append(parameter + "=" + word.dropFirst(2 + name.count + 1))
            } else {
                guard let value = rest.popFirst() else { throw .usage("\(word) needs a value") }
                result.append(parameter + "=" + value)
            }
        }
        return result
    }

    private func query(_ words: [String], _ target: Target) throws(ClientError) -> [(name: String, value: String)] {
        let operation = target.operation
        var query: [(name: String, value: String)] = []
        for word in words {
            guard let equals = word.firstIndex(of: "=") else {
                throw .usage(
                    "'\(word)' is no name=value", notes: [APICatalogue.form(.list, target.resource, operation)])
            }
            let name = String(word[..<equals])
            guard operation.parameter(name) != nil else {
                let names = operation.query.map(\.name)
                throw .unknown(
                    "parameter", name, among: names,
                    more: names.isEmpty ? "It takes none." : "It takes: \(names.joined(separator: ", ")).")
            }
            guard !query.contains(where: { $0.name == name }) else { throw .usage("\(name) is given twice") }
            query.append((name: name, value: String(word[word.index(after: equals)...])))
        }
        if let organization, operation.parameter("organization") != nil,
            !query.contains(where: { $0.name == "organization" })
        {
            query.append((name: "organization", value: organization))
        }
        for parameter in operation.query where parameter.isRequired {
            guard query.contains(where: { $0.name == parameter.name }) else {
                throw .usage(
                    "\(parameter.name) is missing",
                    notes: ["\(parameter.name)=\(parameter.shape.typeName)  \(parameter.summary)"])
            }
        }
        return query
    }
}
