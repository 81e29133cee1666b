import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// A gateway that calls the control plane, without a socket.
struct TestNode: Sendable {
    let api: API
    let deployment: DeploymentID
    let group: GatewayGroupID
    let gateway: GatewayID
    let key: SigningKey

    /// A group with one gateway, and an API that gateways can call.
    static func make(_ plane: TestControlPlane) async throws -> TestNode {
        let services = plane.services
        let group = try #require(GatewayGroupID(try await plane.make("/v1/gateway-groups", ["name": "node"]).id))
        let gateway: GatewayID = TimeSource.system.newID()
        let key = SigningKey()
        let bytes = key.publicKey.bytes
        let deployment = try await plane.database.database.transaction { tx -> DeploymentID in
            _ = try tx.execute(
                "insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, 'g', $3, $3)",
                gateway, group, bytes
            )
            return try tx.query("select id from deployment")[0].get("id")
        }
        let nodes = NodeAuthentication(database: services.database, deployment: deployment, time: .system)
        let signing = SigningKeyCache(database: services.database, keys: services.keys, time: .system)
        let routes = DataPlaneRoutes(
            database: services.database, changes: services.changes,
            feed: TimestampFeed(
                database: services.database,
                listener: Listener(config: plane.database.config, channels: ["x"], logger: TestPostgres.logger)),
            enrolment: Enrolment(
                database: services.database, changes: services.changes, signing: signing, time: .system),
            signing: signing, time: .system, logger: TestPostgres.logger
        )
        let api = services.api(routes.endpoints, logger: TestPostgres.logger) { header, method, target, body in
            try await nodes.authenticate(header: header, method: method, path: target, body: body)
        }
        return TestNode(api: api, deployment: deployment, group: group, gateway: gateway, key: key)
    }

    /// - Parameters:
    ///   - id: who it says it is.
    ///   - issued: seconds from now at which it says it signed.
    func call(
        _ target: String, _ method: String = "GET", body: [UInt8] = [], by id: GatewayID? = nil, issued: Int64 = 0
    ) async -> APIResponse {
        let assertion = NodeAssertion(
            gateway: id ?? self.gateway, audience: self.deployment, method: method, path: target, body: body,
            issued: TimeSource.system.now().adding(seconds: issued), process: 1
        )
        var request = APIRequest(
            method, target, headers: ["authorization": assertion.header(signedBy: self.key) ?? ""], body: body)
        request.remoteAddress = "198.51.100.9"
        return await self.api.respond(to: request)
    }

    /// Asks to join with a token; the gateway it would be has keys that are not of this one.
    func enrol(_ token: String) async -> APIResponse {
        let keys = SigningKey().publicKey.bytes
        let body = EnrolmentRequest(name: "g", identityKey: keys, sealingKey: keys, build: 1).wireBytes
        return await self.api.respond(
            to: APIRequest("POST", "/dp/v1/enroll", headers: ["authorization": "Bearer \(token)"], body: body))
    }
}
