package import Shared

/// One refusal, as the audit log will know it: who was not let do what, and why.
package struct Denial: Sendable {
    /// Whom it is counted under.
    package enum Caller: Sendable, Hashable {
        /// Who proved who he is, or once could have.
        case actor(Actor)
        /// Nobody known, from this address.
        case address(String)
        /// Nobody known, from nowhere known.
        case unknown
        /// Those that there was no room to tell apart.
        case several

        var isActor: Bool { if case .actor = self { true } else { false } }
    }

    package let caller: Caller
    /// The endpoint's operation: one of the catalogue.
    package let operation: String
    /// Stable, snake_case, written in our source.
    package let reason: String
    package let target: Target?
    /// The public part of the credential that was shown.
    package let credential: String?
    package let address: String?
    package let request: RequestID
    package let at: Timestamp

    package init(
        caller: Caller, operation: String, reason: String, target: Target?, credential: String?, address: String?,
        request: RequestID, at: Timestamp
    ) {
        self.caller = caller
        self.operation = operation
        self.reason = reason
        self.target = target
        self.credential = credential
        self.address = address
        self.request = request
        self.at = at
    }

    /// What an error knows of why it denies, which its caller is not told.
    package struct Evidence: Sendable {
        package let reason: String
        /// Who the caller is, when his credential says so although it is good for nothing.
        package let actor: Actor?

        package init(_ reason: String, actor: Actor? = nil) {
            self.reason = reason
            self.actor = actor
        }
    }
}

extension Denial {
    /// The denial in an error that a request ended with; nil when it denies nothing.
    ///
    /// - Parameter actor: who had proved who he is by then.
    init?(
        _ error: ControlError, of request: APIRequest, to endpoint: Endpoint, path: [String: String], actor: Actor,
        id: RequestID, at time: Timestamp
    ) {
        // It is recorded as what it is: a request.
        guard error.approval == nil else { return nil }
        guard error.kind == .unauthenticated || error.kind == .notAllowed || error.evidence != nil else { return nil }
        let field = request.headers["authorization"]
        var caller: Caller = request.remoteAddress.map { .address($0) } ?? .unknown
        if actor.kind != .anonymous { caller = .actor(actor) }
        if let known = error.evidence?.actor { caller = .actor(known) }
        self.init(
            caller: caller, operation: endpoint.operation,
            reason: error.evidence?.reason ?? (field == nil ? "no_credential" : error.code),
            target: Self.target(path, request.query), credential: field.flatMap { Self.publicPart($0) },
            address: request.remoteAddress, request: id, at: time
        )
    }

    /// What was asked for: the identifier in the path, or the organization in the query.
    ///
    /// Text that is no identifier is left out, whatever it may be.
    private static func target(_ path: [String: String], _ query: String?) -> Target? {
        if let text = path["id"] ?? path.values.min() { return Target(text) }
        guard let query, query.utf8.count <= 2048, let parameters = try? PercentEncoding.parameters(query) else {
            return nil
        }
        return parameters.first { $0.name == "organization" }.flatMap { Target($0.value) }
    }

    /// What of a credential may be shown: the kind and identifier of a token, or who a gateway says it is.
    private static func publicPart(_ field: String) -> String? {
        if let token = Authentication.bearer(field).flatMap({ TokenText(parsing: $0) }) {
            return token.kind.rawValue + token.publicID
        }
        return (try? NodeAssertion.parse(header: field))?.claim.gateway.description
    }
}
