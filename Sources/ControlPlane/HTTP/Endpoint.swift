/// One operation of the API: what routing, authentication, validation, OpenAPI and the audit are derived from.
package struct Endpoint: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// Who may call.
    package enum Auth: Sendable {
        /// The bearer of an API token who holds the permission somewhere; what is where he does not hold it does not
        /// exist for him, which the operation sees to.
        case bearer(Permission)
        /// The bearer of an API token who holds the permission for the whole instance.
        case instance(Permission)
        /// The bearer of any API token, for what is his own: he needs no binding for it, and when a permission is named, only
        /// a token that may be used for it.
        ///
        /// What he changes is recorded under the permission.
        case signedIn(Permission?)
        /// A gateway, by its signed assertion.
        case gateway
        /// Whoever carries a join token; the handler redeems it.
        case joinToken
        case open

        /// Where the permission is needed; nil for anywhere.
        package var scope: AccessScope? { if case .instance = self { .instance } else { nil } }

        package var permission: Permission? {
            switch self {
            case .bearer(let permission), .instance(let permission): permission
            case .signedIn, .gateway, .joinToken, .open: nil
            }
        }

        /// What changes are recorded under; nil where the catalogue does not say it.
        package var recorded: Permission? {
            if case .signedIn(let permission) = self { permission } else { self.permission }
        }

        /// Whether an API token is shown.
        package var isByToken: Bool {
            switch self {
            case .bearer, .instance, .signedIn: true
            case .gateway, .joinToken, .open: false
            }
        }
    }

    package enum Body: Sendable {
        case none
        case json(Schema)
        /// A body of another media type, of at most so many bytes.
        case bytes(limit: Int)

        package static let jsonLimit = 1 << 20

        /// Most bytes that are read.
        package var limit: Int {
            switch self {
            case .none: 0
            case .json: Self.jsonLimit
            case .bytes(let limit): limit
            }
        }
    }

    /// What a successful answer has.
    package enum Success: Sendable {
        case json(Schema)
        case bytes(type: String)
        case empty
    }

    package let method: Method
    package let path: PathTemplate
    /// `projects.get`: unique, and the name in metrics.
    package let operation: String
    package let summary: String
    package let auth: Auth
    package var query: [QueryParameter] = []
    package var body: Body = .none
    /// The status of success, and what it carries.
    package let status: Int
    package let success: Success
    /// Media types that a caller can have instead.
    package var alternatives: [String] = []
    /// Whether If-Match must be given (PATCH) so that nobody overwrites what he has not seen.
    package var needsIfMatch: Bool { self.method == .patch }
    package let handler: @Sendable (Call) async throws -> Answer

    package init(
        _ method: Method, _ path: PathTemplate, _ operation: String, _ summary: String, auth: Auth,
        query: [QueryParameter] = [], body: Body = .none, status: Int = 200, success: Success,
        alternatives: [String] = [], handler: @escaping @Sendable (Call) async throws -> Answer
    ) {
        self.method = method
        self.path = path
        self.operation = operation
        self.summary = summary
        self.auth = auth
        self.query = query
        self.body = body
        self.status = status
        self.success = success
        self.alternatives = alternatives
        self.handler = handler
    }
}

/// A path with named parts: `/v1/projects/{id}`.
package struct PathTemplate: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    package enum Segment: Sendable, Hashable {
        case literal(String)
        case variable(String)
    }

    package let description: String
    package let segments: [Segment]

    package init(stringLiteral value: String) { self.init(value) }

    package init(_ text: String) {
        self.description = text
        self.segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
            part.hasPrefix("{") && part.hasSuffix("}")
                ? .variable(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
    }

    package var variables: [String] {
        self.segments.compactMap { if case .variable(let name) = $0 { name } else { nil } }
    }

    /// The values of the named parts; nil when the path is another one.
    func match(_ parts: [String]) -> [String: String]? {
        guard parts.count == self.segments.count else { return nil }
        var values: [String: String] = [:]
        for (segment, part) in zip(self.segments, parts) {
            switch segment {
            case .literal(let text): guard text == part else { return nil }
            case .variable(let name):
                guard !part.isEmpty else { return nil }
                values[name] = part
            }
        }
        return values
    }
}

/// A parameter of the query; those that an endpoint does not name are refused.
package struct QueryParameter: Sendable {
    package let name: String
    package let schema: Schema
    package let summary: String
    package let isRequired: Bool

    package init(_ name: String, _ schema: Schema, _ summary: String, isRequired: Bool = false) {
        self.name = name
        self.schema = schema
        self.summary = summary
        self.isRequired = isRequired
    }
}
