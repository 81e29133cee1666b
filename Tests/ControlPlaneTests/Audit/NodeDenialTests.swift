import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Refused gateways and join tokens, over the endpoints that gateways call.
@Suite(.timeLimit(.minutes(2))) struct NodeDenialTests {
    private struct Node {
        let api: API
        let deployment: DeploymentID
        let group: GatewayGroupID
        let gateway: GatewayID
        let key: SigningKey

        func call(_ target: String, by id: GatewayID? = nil, issued: Int64 = 0) async -> APIResponse {
            let assertion = NodeAssertion(
                gateway: id ?? self.gateway, audience: self.deployment, method: "GET", path: target, body: [],
                issued: TimeSource.system.now().adding(seconds: issued), process: 1
            )
            var request = APIRequest(
                "GET", target, headers: ["authorization": assertion.header(signedBy: self.key) ?? ""])
            request.remoteAddress = "198.51.100.9"
            return await self.api.respond(to: request)
        }

        func enrol(_ token: String) async -> APIResponse {
            let body = EnrolmentRequest(
                name: "g", identityKey: self.key.publicKey.bytes, sealingKey: self.key.publicKey.bytes, build: 1
            ).wireBytes
            return await self.api.respond(
                to: APIRequest(
                    "POST", "/dp/v1/enroll", headers: ["authorization": "Bearer \(token)"], body: body))
        }
    }

    private func node(_ plane: TestControlPlane) async throws -> Node {
        let services = plane.services
        let group = try #require(GatewayGroupID(try await plane.make("/v1/gateway-groups", ["name": "eu"]).id))
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
            database: services.database,
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
        return Node(api: api, deployment: deployment, group: group, gateway: gateway, key: key)
    }

    private func events(_ plane: TestControlPlane) async throws -> [JSONValue] {
        await plane.services.denials.flush()
        let page = try await plane.send("GET", "/v1/audit-events?lane=denials")
        return try #require(page["items"]?.array).reversed().map { $0["event"] ?? .null }
    }

    @Test func `a gateway that is refused leaves an event with who it said it was`() async throws {
        try await TestControlPlane.with { plane in
            let node = try await self.node(plane)
            let stranger: GatewayID = TimeSource.system.newID()
            let path = "/dp/v1/groups/\(node.group)/timestamp"
            #expect(await node.call(path).status == 304)
            #expect(await node.call(path, issued: -3600).status == 401)
            #expect(await node.call("/dp/v1/roots/1", by: stranger).status == 401)
            let other: GatewayGroupID = TimeSource.system.newID()
            #expect(await node.call("/dp/v1/groups/\(other)/timestamp").status == 404)
            let events = try await self.events(plane)
            let known = events.filter { $0["actor"]?["kind"] == "gateway" }
            #expect(events.count == 3)
            #expect(known.map { $0["reason"] } == ["not_visible"])
            #expect(known.first?["actor"]?["id"]?.string == node.gateway.description)
            #expect(known.first?["targets"]?.array?.first?["id"]?.string == other.description)
            let strangers = events.filter { $0["actor"]?["kind"] == "anonymous" }
            #expect(strangers.map { $0["reason"] } == ["gateway_not_authenticated", "gateway_not_authenticated"])
            #expect(strangers.map { $0["credentials"] } == [[JSONValue(node.gateway)], [JSONValue(stranger)]])
        }
    }

    @Test func `a join token that is good for nothing leaves an event, and one that was used says whose`() async throws
    {
        try await TestControlPlane.with { plane in
            let node = try await self.node(plane)
            let made = try await plane.send("POST", "/v1/join-tokens", ["group": JSONValue(node.group)])
            let text = try #require(made["secret"]?.string.flatMap { JoinToken(parsing: $0) }?.token)
            #expect(await node.enrol(text.secret.reveal()).status == 201)
            #expect(await node.enrol(text.secret.reveal()).status == 401)
            let unknown = TokenText.generate(.joinToken)
            #expect(await node.enrol(unknown.secret.reveal()).status == 401)
            #expect(await node.enrol("nonsense").status == 401)
            #expect(await node.api.respond(to: APIRequest("POST", "/dp/v1/enroll")).status == 401)
            let events = try await self.events(plane)
            let byReason = Dictionary(grouping: events) { $0["reason"]?.string ?? "" }
            #expect(events.count == 4)
            #expect(byReason["spent_join_token"]?.first?["actor"]?["id"]?.string == made.id)
            #expect(byReason["spent_join_token"]?.first?["credentials"] == JSONValue(["gh_join_\(text.publicID)"]))
            #expect(byReason["unknown_credential"]?.first?["actor"]?["kind"] == "anonymous")
            #expect(byReason["malformed_credential"]?.count == 1)
            #expect(byReason["no_credential"]?.count == 1)
            for event in events { #expect(event["operation"] == "dataplane.enroll") }
            let whole = JSONValue.array(events).text
            #expect(!whole.contains(text.secret.reveal()) && !whole.contains(unknown.secret.reveal()))
        }
    }
}
