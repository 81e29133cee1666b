import Crypto
package import Logging
package import Shared

/// A request without a transport.
package struct APIRequest: Sendable {
    package var method: String
    /// Percent-encoded, with the query when there is one.
    package var target: String
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// The body was longer than `API.bodyLimit` and is not here.
    package var isTooLarge = false
    package var remoteAddress: String?

    package init(_ method: String, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    var path: String { String(self.target.prefix { $0 != "?" }) }
    var query: String? {
        self.target.firstIndex(of: "?").map { String(self.target[self.target.index(after: $0)...]) }
    }
}

/// A response without a transport.
package struct APIResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }
}

/// Verifies a gateway's assertion: the Authorization field, the method, the path with its query, and the body.
package typealias GatewayAuthenticator =
    @Sendable (_ header: String?, _ method: String, _ target: String, _ body: [UInt8]) async throws -> GatewayCaller

/// What happens to every request: route, authenticate, authorize, validate, handle, answer.
package struct API: Sendable {
    package let catalogue: Catalogue
    private let authentication: Authentication
    private let authenticateGateway: GatewayAuthenticator
    private let time: TimeSource
    private let logger: Logger
    private let metrics: RequestMetrics
    private let denials: Denials

    package init(
        catalogue: Catalogue, authentication: Authentication, authenticateGateway: @escaping GatewayAuthenticator,
        time: TimeSource, logger: Logger, metrics: RequestMetrics, denials: Denials
    ) {
        self.denials = denials
        self.catalogue = catalogue
        self.authentication = authentication
        self.authenticateGateway = authenticateGateway
        self.time = time
        self.logger = logger
        self.metrics = metrics
    }

    /// Most bytes of the body that the transport needs to read.
    package func bodyLimit(method: String, target: String) -> Int {
        let path = String(target.prefix { $0 != "?" })
        guard case .found(let endpoint, _) = self.catalogue.match(method: method, path: path) else { return 0 }
        return max(endpoint.body.limit, 1024)
    }

    package func respond(to request: APIRequest) async -> APIResponse {
        let began = self.time.uptime()
        let id: RequestID = self.time.newID()
        var operation = "unmatched"
        var answer: Answer
        do {
            let (endpoint, path) = try self.route(request)
            operation = endpoint.operation
            answer = await self.answer(request, endpoint, path, id)
        } catch {
            answer = self.problem(error, id, operation)
        }
        answer.headers.append((name: "x-request-id", value: id.description))
        self.metrics.count(operation, status: answer.status, nanoseconds: self.time.uptime() - began)
        return Self.response(answer)
    }

    private func route(_ request: APIRequest) throws(ControlError) -> (Endpoint, [String: String]) {
        switch self.catalogue.match(method: request.method, path: request.path) {
        case .found(let endpoint, let path): return (endpoint, path)
        case .otherMethod(let allowed):
            throw ControlError(
                .methodNotAllowed, "method_not_allowed", "Allowed here: \(allowed.sorted().joined(separator: ", "))."
            )
        case .none: throw ControlError(.notFound, "not_found", "There is nothing under this path.")
        }
    }

    private func answer(
        _ request: APIRequest, _ endpoint: Endpoint, _ path: [String: String], _ id: RequestID
    ) async -> Answer {
        let now = self.time.now()
        var actor = Actor.anonymous
        do {
            return try await self.handle(request, endpoint, path, id, at: now, by: &actor)
        } catch {
            let error = ControlError(error)
            let denial = Denial(error, of: request, to: endpoint, path: path, actor: actor, id: id, at: now)
            if let denial { self.denials.record(denial) }
            return self.problem(error, id, endpoint.operation)
        }
    }

    /// - Parameter actor: set as soon as the caller has proved who he is.
    private func handle(
        _ request: APIRequest, _ endpoint: Endpoint, _ path: [String: String], _ id: RequestID, at now: Timestamp,
        by actor: inout Actor
    ) async throws -> Answer {
        var authority = Authority.none
        var gateway: GatewayCaller?
        var joinToken: Secret<String>?
        var token: TokenID?
        let credentials = request.headers["authorization"]
        switch endpoint.auth {
        case .open: break
        case .bearer(let permission), .instance(let permission):
            let caller = try await self.authentication.caller(
                credentials, who: .holds(permission, at: endpoint.auth.scope), from: request.remoteAddress, request: id,
                at: now)
            (actor, authority, token) = (caller.actor, caller.authority, caller.token)
        case .signedIn(let permission):
            let caller = try await self.authentication.caller(
                credentials, who: .isBounded(to: permission), from: request.remoteAddress, request: id, at: now)
            (actor, authority, token) = (caller.actor, caller.authority, caller.token)
        case .joinToken:
            guard let text = Authentication.bearer(credentials) else {
                throw ControlError(.unauthenticated, "unauthenticated", "A join token is needed.")
                    .because(credentials == nil ? "no_credential" : "malformed_credential")
            }
            joinToken = Secret(text)
        case .gateway:
            // Its assertion is over the body, which is not here.
            if request.isTooLarge { throw RequestReading.tooLarge(endpoint) }
            let caller = try await self.authenticateGateway(credentials, request.method, request.target, request.body)
            actor = Actor(kind: .gateway, id: caller.id.value)
            // What a gateway may bring about is its own: what it says of its usage, and that it is shut out.
            authority = .only(PermissionSet([.usageDeclareLost, .gatewaysFence]))
            gateway = caller
        }
        let query = try RequestReading.query(request.query, for: endpoint)
        let body = try RequestReading.body(request, for: endpoint)
        var context = OperationContext(
            actor: actor, authority: authority, request: id, time: now, remoteAddress: request.remoteAddress,
            idempotency: try Self.idempotency(request, endpoint), token: token)
        context.submission = try Submission(request, to: endpoint, body: body)
        let call = Call(
            path: path, query: query, body: body, bytes: request.body, headers: request.headers, context: context,
            gateway: gateway, joinToken: joinToken
        )
        _ = try call.ifMatch(required: endpoint.needsIfMatch)
        return try await endpoint.handler(call)
    }

    private static func idempotency(_ request: APIRequest, _ endpoint: Endpoint) throws(ControlError) -> Idempotency? {
        guard endpoint.method == .post, endpoint.auth.isByToken,
            let key = request.headers["idempotency-key"]
        else { return nil }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ControlError(
                .invalid, "invalid_idempotency_key", "The key must be 1 to 255 printable ASCII characters.",
                pointer: "Idempotency-Key"
            )
        }
        var hash = SHA256()
        hash.update(data: Array("\(request.method) \(request.target)\n".utf8))
        hash.update(data: request.body)
        return Idempotency(key: key, requestSHA256: Array(hash.finalize()), status: endpoint.status)
    }

    /// RFC 9457.
    ///
    /// What went wrong on our side is in the log, under the request id.
    private func problem(_ error: ControlError, _ id: RequestID, _ operation: String) -> Answer {
        if error.kind == .internalFailure || error.kind == .unavailable {
            self.logger.error(
                "request failed",
                metadata: [
                    "request": "\(id)", "operation": "\(operation)", "code": "\(error.code)",
                    "error": "\(error.internalDetail ?? error.detail)",
                ]
            )
        }
        var members: [String: JSONValue] = [
            "type": .string("urn:gatehouse:problem:\(error.code)"), "title": .string(error.kind.title),
            "status": .integer(Int64(error.kind.status)), "code": .string(error.code), "detail": .string(error.detail),
            "instance": JSONValue(id),
        ]
        if let pointer = error.pointer { members["pointer"] = .string(pointer) }
        if let approval = error.approval { members["approval"] = JSONValue(approval) }
        let body = JSONValue.object(members).utf8
        var answer = Answer(status: error.kind.status, body: .bytes(body, type: "application/problem+json"))
        if error.kind == .unauthenticated { answer.headers.append((name: "www-authenticate", value: "Bearer")) }
        if error.kind == .unavailable { answer.headers.append((name: "retry-after", value: "1")) }
        if error.kind == .methodNotAllowed {
            let allowed = error.detail.drop(while: { $0 != ":" }).dropFirst(2).dropLast()
            answer.headers.append((name: "allow", value: String(allowed)))
        }
        return answer
    }

    private static func response(_ answer: Answer) -> APIResponse {
        var response = APIResponse(status: answer.status, headers: answer.headers, body: [])
        switch answer.body {
        case .empty: break
        case .json(let value):
            response.body = value.utf8
            response.headers.append((name: "content-type", value: "application/json"))
        case .bytes(let bytes, let type):
            response.body = bytes
            response.headers.append((name: "content-type", value: type))
        }
        response.headers.append((name: "cache-control", value: "no-store"))
        return response
    }
}
