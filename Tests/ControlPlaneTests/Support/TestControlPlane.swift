import ControlPlane
import Glibc
import Logging
import Postgres
import Shared
import TestKit
import Testing

/// The control plane over a database of its own, called without a socket.
struct TestControlPlane: Sendable {
    let database: TestDatabase
    let services: ControlPlaneServices
    let api: API
    /// The text of a token that may do everything.
    let root: String
    /// The text of a token that may do nothing.
    let powerless: String

    /// Everything that a response to a request says.
    struct Reply: Sendable {
        let status: Int
        let json: JSONValue
        let response: APIResponse

        var code: String? { self.json["code"]?.string }
        var id: String { self.json["id"]?.string ?? "" }
        var etag: String { self.response.header("etag") ?? "" }
        var receipt: String? { self.response.header("audit-receipt") }

        subscript(name: String) -> JSONValue? { self.json[name] }
    }

    static func with(_ body: (TestControlPlane) async throws -> Void) async throws {
        try await TestDatabase.withClone { database in
            let file = "/tmp/gatehouse-kek-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            try KeyEncryptionKeys.create(file: file, id: "test")
            let keys = try KeyEncryptionKeys(file: file)
            Files.remove(file)
            let deployment = try await database.database.transaction { tx in
                try DeploymentSetup.initialize(&tx, rootKey: SigningKey(), keys: keys, time: .system)
            }
            // With the rights that `serve` has, not the owner's.
            var config = database.config
            config.setRole = "gatehouse_app"
            let served = Database(config: config, logger: database.logger)
            let services = ControlPlaneServices(
                database: served, keys: keys, time: .system, logger: database.logger
            )
            let context = OperationContext(
                actor: .localOperator(of: try #require(deployment)), authority: .everything,
                request: TimeSource.system.newID(),
                time: TimeSource.system.now()
            )
            let tokens = APITokens(changes: services.changes, time: .system)
            let root = try await tokens.create(name: "root", role: .owner, expiresAt: nil, as: context)
            let powerless = try await tokens.create(name: "none", role: nil, expiresAt: nil, as: context)
            let api = services.api(
                ProbeRoutes.endpoints(
                    database: served, metrics: services.metrics, isSchemaRight: { true }, figures: { "" }
                ), logger: database.logger, authenticateGateway: ControlPlaneServices.noGateways
            )
            let plane = TestControlPlane(
                database: database, services: services, api: api, root: root.text.reveal(),
                powerless: powerless.text.reveal()
            )
            do {
                try await body(plane)
            } catch {
                await served.shutdown()
                throw error
            }
            await served.shutdown()
        }
    }

    /// Sends a request as root, and checks that what comes back is what the catalogue says.
    func send(
        _ method: String, _ target: String, _ body: JSONValue? = nil, ifMatch: String? = nil, key: String? = nil,
        token: String? = nil, location: SourceLocation = #_sourceLocation
    ) async throws -> Reply {
        var headers: HTTPHeaders = ["authorization": "Bearer \(token ?? self.root)"]
        if body != nil { headers.add("content-type", "application/json") }
        if let ifMatch { headers.add("if-match", ifMatch) }
        if let key { headers.add("idempotency-key", key) }
        var request = APIRequest(method, target, headers: headers, body: body?.utf8 ?? [])
        request.remoteAddress = "203.0.113.77"
        return try await self.send(request, location: location)
    }

    func send(_ request: APIRequest, location: SourceLocation = #_sourceLocation) async throws -> Reply {
        let response = await self.api.respond(to: request)
        var json = JSONValue.null
        if response.header("content-type")?.contains("json") == true { json = try JSONParser.parse(response.body) }
        #expect(response.header("x-request-id")?.hasPrefix("req_") == true, sourceLocation: location)
        let path = String(request.target.prefix { $0 != "?" })
        if case .found(let endpoint, _) = self.api.catalogue.match(method: request.method, path: path),
            response.status == endpoint.status, case .json(let schema) = endpoint.success,
            !endpoint.alternatives.contains(where: { response.header("content-type")?.hasPrefix($0) == true })
        {
            do {
                try schema.validate(json)
            } catch {
                Issue.record(
                    "\(endpoint.operation) answers what its schema forbids: \(error)", sourceLocation: location)
            }
        }
        if response.status < 300, let receipt = response.header("audit-receipt"),
            case .found(let endpoint, _) = self.api.catalogue.match(method: request.method, path: path)
        {
            let recorded = try await self.recordedPermission(receipt)
            #expect(recorded == endpoint.auth.recorded?.rawValue, sourceLocation: location)
        }
        if response.status >= 400 {
            #expect(response.header("content-type") == "application/problem+json", sourceLocation: location)
            #expect(json["status"]?.integer == Int64(response.status), sourceLocation: location)
        }
        return Reply(status: response.status, json: json, response: response)
    }

    /// The permission in the leaf that a receipt is for.
    private func recordedPermission(_ receipt: String) async throws -> String? {
        let parts = receipt.split(separator: ";").map { $0.split(separator: "=").last.map(String.init) ?? "" }
        try #require(parts.count == 3)
        let log = try #require(AuditLogID(parts[0]))
        let (index, hash) = (Int64(parts[1]), Hex.decode(parts[2]))
        let leaf = try await self.database.database.transaction(.readOnly) { tx in
            try tx.queryOne(
                "select leaf from audit_leaf where log_id = $1 and index = $2 and hash = $3", log, index, hash
            )?.get("leaf", as: [UInt8].self)
        }
        return try JSONParser.parse(try #require(leaf))["permission"]?.string
    }

    /// Sends a creation that must succeed.
    func make(
        _ target: String, _ body: JSONValue, location: SourceLocation = #_sourceLocation
    ) async throws -> Reply {
        let reply = try await self.send("POST", target, body, location: location)
        try #require(reply.status == 201, "\(reply.json.text)", sourceLocation: location)
        #expect(reply.response.header("location") == "\(target)/\(reply.id)", sourceLocation: location)
        #expect(reply.receipt != nil, sourceLocation: location)
        return reply
    }

    /// An organization and a project in it.
    func makeProject(_ name: String = "acme") async throws -> (organization: String, project: String) {
        let organization = try await self.make("/v1/organizations", ["name": .string(name)]).id
        let project = try await self.make(
            "/v1/projects", ["name": .string("\(name) app"), "parent": .string(organization)]
        ).id
        return (organization, project)
    }

    /// The number of rows in a table.
    func count(_ sql: SQL) async throws -> Int {
        try await self.database.database.transaction { tx in
            try tx.query("select count(*) as n from " + sql)[0].get("n")
        }
    }
}
