import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Postgres
import TestKit

/// The whole product as it is deployed: PostgreSQL, the control plane and gateways, each a process of its own.
///
/// Everything is on the loopback interface and in a folder of its own, and goes away with the test.
final class Stack: Sendable {
    let postgres: TestPostgres
    let folder: String
    let controlPort: Int
    let token: String
    let http: HTTPClient

    /// The folder of the programs under test: beside the tests.
    static let binaries: String = {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folder = (path as NSString).deletingLastPathComponent
        return FileManager.default.fileExists(atPath: folder + "/gatehouse-gateway")
            ? folder : RepositoryPaths.root + "/.build/debug"
    }()

    /// What a test calls: made through the API, as an administrator would.
    struct Tenant: Sendable {
        let group: String
        let organization: String
        let project: String
        let key: String
        let keyID: String
        let mockProvider: String
        let mockModel: String
    }

    private init(postgres: TestPostgres, folder: String, controlPort: Int, token: String, http: HTTPClient) {
        self.postgres = postgres
        self.folder = folder
        self.controlPort = controlPort
        self.token = token
        self.http = http
    }

    /// Runs `body` with a deployment whose database is ready; nothing serves yet.
    static func with(_ body: (Stack) async throws -> Void) async throws {
        let postgres = try await TestPostgres.dedicated()
        let folder = "/tmp/gatehouse-e2e-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let http = HTTPClient(
            eventLoopGroupProvider: .singleton,
            configuration: .init(
                connectionPool: .init(idleTimeout: .seconds(5), concurrentHTTP1ConnectionsPerHostSoftLimit: 64))
        )
        do {
            try await postgres.administer("create database gatehouse")
            let settings = [
                "GATEHOUSE_DATABASE_URL": postgres.url(database: "gatehouse"), "GATEHOUSE_KEK_FILE": folder + "/kek",
            ]
            try await Self.control(["kek", "create", folder + "/kek"], [:])
            try await Self.control(["migrate", "--migrations", RepositoryPaths.migrations], settings)
            try await Self.control(["init", "--root-key-file", folder + "/root.key"], settings)
            let token = try await Self.control(["token", "create", "--name", "test"], settings)
            let stack = Stack(
                postgres: postgres, folder: folder, controlPort: try LocalPort.free(),
                token: token.trimmingCharacters(in: .whitespacesAndNewlines), http: http
            )
            try await body(stack)
        } catch {
            try? await http.shutdown()
            try? await postgres.stop()
            throw error
        }
        try? await http.shutdown()
        try? await postgres.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Runs a command of `gatehouse-control` on the deployment; returns what it prints.
    @discardableResult
    func run(_ arguments: String...) async throws -> String {
        let settings = [
            "GATEHOUSE_DATABASE_URL": self.postgres.url(database: "gatehouse"),
            "GATEHOUSE_KEK_FILE": self.folder + "/kek",
        ]
        return try await Self.control(arguments, settings)
    }

    @discardableResult
    private static func control(_ arguments: [String], _ settings: [String: String]) async throws -> String {
        let process = try ChildProcess(
            Self.binaries + "/gatehouse-control", arguments, environment: Self.environment(settings)
        )
        guard try await process.waitForExit() == .code(0) else {
            throw TestKitError("gatehouse-control \(arguments) failed: \(process.errors.tail())")
        }
        return process.output.tail()
    }

    /// The environment of a program: without the settings of whoever runs the tests.
    private static func environment(_ settings: [String: String]) -> [String: String] {
        ChildProcess.ownEnvironment.filter { !$0.key.hasPrefix("GATEHOUSE_") }.merging(settings) { $1 }
    }

    var controlURL: String { "http://127.0.0.1:\(self.controlPort)" }

    // MARK: Processes

    /// - Parameter address: what it listens at; it is called over the loopback interface in any case.
    func startControl(at address: String = "127.0.0.1") async throws -> ChildProcess {
        let process = try ChildProcess(
            Self.binaries + "/gatehouse-control", ["serve"],
            environment: Self.environment([
                "GATEHOUSE_DATABASE_URL": self.postgres.url(database: "gatehouse"),
                "GATEHOUSE_KEK_FILE": self.folder + "/kek", "GATEHOUSE_MIGRATIONS": RepositoryPaths.migrations,
                "GATEHOUSE_CONTROL_LISTEN": "\(address):\(self.controlPort)",
            ])
        )
        try await process.waitForPort(self.controlPort)
        try await eventually("the control plane is ready") {
            try await self.send("GET", "\(self.controlURL)/readyz").status == 200
        }
        return process
    }

    /// A gateway's place: its state folder and ports.
    struct GatewayPlace: Sendable {
        let name: String
        let port: Int
        let privatePort: Int
        /// The address that it is called at.
        var address = "127.0.0.1"
        /// The network namespace that it runs in; nil for that of the test.
        var namespace: String?
    }

    func place(_ name: String) throws -> GatewayPlace {
        GatewayPlace(name: name, port: try LocalPort.free(), privatePort: try LocalPort.free())
    }

    /// Starts a gateway; with a join token the first time.
    ///
    /// - Parameters:
    ///   - controlURL: where it finds the control plane, when not directly.
    ///   - more: of its environment.
    func startGateway(
        _ place: GatewayPlace, joinToken: String? = nil, controlURL: String? = nil, waitReady: Bool = true,
        environment more: [String: String] = [:]
    ) async throws -> ChildProcess {
        var settings = [
            "GATEHOUSE_CONTROL_URL": controlURL ?? self.controlURL,
            "GATEHOUSE_STATE_DIR": self.folder + "/" + place.name,
            "GATEHOUSE_LISTEN": "\(place.address):\(place.port)",
            "GATEHOUSE_PRIVATE_LISTEN": "\(place.address):\(place.privatePort)", "GATEHOUSE_GATEWAY_NAME": place.name,
            "GATEHOUSE_LOOPS": "2",
        ]
        if let joinToken { settings["GATEHOUSE_JOIN_TOKEN"] = joinToken }
        settings.merge(more) { $1 }
        let program = Self.binaries + "/gatehouse-gateway"
        // `ip netns exec` becomes the program: signals reach it.
        let command = place.namespace.map { ["ip", "netns", "exec", $0, program] } ?? [program]
        let process = try ChildProcess(
            command[0], Array(command.dropFirst()), environment: Self.environment(settings))
        if waitReady {
            if place.namespace == nil { try await process.waitForPort(place.privatePort) }
            try await eventually("the gateway is ready") {
                try await self.send("GET", "http://\(place.address):\(place.privatePort)/readyz").status == 200
            }
        }
        return process
    }

    func joinToken(_ tenant: Tenant) async throws -> String {
        try await self.create("/v1/join-tokens", ["group": tenant.group, "ttl_seconds": 600], member: "secret")
    }

    // MARK: HTTP

    struct Reply: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: String

        var requestID: String? { self.headers.first(name: "x-request-id") }
        var etag: String? { self.headers.first(name: "etag") }

        /// A member of a JSON object at the top.
        func member(_ name: String) -> Any? {
            let object = try? JSONSerialization.jsonObject(with: Data(self.body.utf8)) as? [String: Any]
            return object?[name]
        }
    }

    /// A chat completion at a gateway.
    ///
    /// - Parameter tags: the value of `gatehouse-tags`; nil for none.
    func chat(at place: GatewayPlace, _ key: String, tags: String?, _ body: String) async throws -> Reply {
        var headers = ["authorization": "Bearer \(key)"]
        headers["gatehouse-tags"] = tags
        return try await self.send(
            "POST", "http://127.0.0.1:\(place.port)/v1/chat/completions", headers, body: body)
    }

    func send(
        _ method: String, _ url: String, _ headers: [String: String] = [:], body: String? = nil, seconds: Int64 = 20
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url)
        request.method = .RAW(value: method)
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body {
            request.headers.replaceOrAdd(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await self.http.execute(request, timeout: .seconds(seconds))
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Reply(status: Int(response.status.code), headers: response.headers, body: String(buffer: bytes))
    }

    /// Calls the API as the administrator.
    func api(_ method: String, _ path: String, _ body: [String: any Sendable]? = nil, ifMatch: String? = nil)
        async throws -> Reply
    {
        var headers = ["authorization": "Bearer \(self.token)"]
        if let ifMatch { headers["if-match"] = ifMatch }
        let text = try body.map { String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self) }
        return try await self.send(method, self.controlURL + path, headers, body: text)
    }

    /// Creates something and returns a member of the answer.
    @discardableResult
    func create(_ path: String, _ body: [String: any Sendable], member: String = "id") async throws -> String {
        let reply = try await self.api("POST", path, body)
        guard reply.status == 201 || reply.status == 200, let value = reply.member(member) as? String else {
            throw TestKitError("POST \(path): \(reply.status) \(reply.body)")
        }
        return value
    }

    /// An organization with a project, a key, and the mock under the alias `mock` at 1 and 2 USD for a million tokens.
    func makeTenant() async throws -> Tenant {
        let group = try await self.create("/v1/gateway-groups", ["name": "test"])
        let organization = try await self.create("/v1/organizations", ["name": "Test"])
        _ = try await self.api("PUT", "/v1/gateway-groups/\(group)/organizations/\(organization)")
        let project = try await self.create("/v1/projects", ["parent": organization, "name": "Project"])
        let key = try await self.api("POST", "/v1/virtual-keys", ["project": project, "name": "Key"])
        guard let secret = key.member("secret") as? String, let keyID = key.member("id") as? String else {
            throw TestKitError("no key: \(key.body)")
        }
        let provider = try await self.create("/v1/providers", ["name": "mock", "kind": "mock"])
        let model = try await self.create("/v1/models", ["provider": provider, "name": "mock-1"])
        let items = [["meter": "input", "usd_per_million": "1"], ["meter": "output", "usd_per_million": "2"]]
        try await self.create("/v1/prices", ["model": model, "items": items])
        try await self.create("/v1/routes", ["alias": "mock", "targets": [["model": model]]])
        return Tenant(
            group: group, organization: organization, project: project, key: secret, keyID: keyID,
            mockProvider: provider, mockModel: model
        )
    }

    /// One chat request; the reply has the request's id in `x-request-id`.
    func chat(
        _ place: GatewayPlace, _ key: String, content: String = "Hello there", members: String = "", seconds: Int64 = 20
    ) async throws -> Reply {
        try await self.send(
            "POST", "http://\(place.address):\(place.port)/v1/chat/completions", ["authorization": "Bearer \(key)"],
            body: "{\"model\":\"mock\"\(members),\"messages\":[{\"role\":\"user\",\"content\":\"\(content)\"}]}",
            seconds: seconds
        )
    }

    // MARK: Waiting and looking

    /// Waits until every gateway has acknowledged what is current: only then is it on its disk.
    ///
    /// A gateway serves a snapshot a moment before it has written it down.
    func synced() async throws {
        try await eventually("all gateways are synced") {
            let gateways = try await self.api("GET", "/v1/gateways").member("items") as? [[String: Any]]
            return gateways?.allSatisfy { $0["sync"] as? String == "synced" } == true
        }
    }

    /// Reads from the database of the deployment.
    func read<Value: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> Value) async throws -> Value {
        let database = Database(config: self.postgres.config(database: "gatehouse"), logger: TestPostgres.logger)
        do {
            let value = try await database.transaction(.readOnly, body)
            await database.shutdown()
            return value
        } catch {
            await database.shutdown()
            throw error
        }
    }
}
