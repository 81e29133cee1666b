import ControlPlane
import Postgres
import Shared
import Synchronization
import TestKit
import Testing

/// A control plane with the endpoints that gateways call, on a clock that the test moves.
struct TestFleet: Sendable {
    let plane: TestControlPlane
    let api: API
    let routes: DataPlaneRoutes
    let deployment: DeploymentID
    let clock: Clock
    let group: GatewayGroupID
    let organization: String
    let project: String

    /// The wall clock of the control plane.
    final class Clock: Sendable {
        private let state = Mutex(TimeSource.system.now())

        var now: Timestamp { self.state.withLock { $0 } }
        var time: TimeSource { TimeSource(now: { self.now }, uptime: TimeSource.system.uptime) }
        func advance(seconds: Int64) { self.state.withLock { $0 = $0.adding(seconds: seconds) } }
    }

    static func with(_ body: (TestFleet) async throws -> Void) async throws {
        try await TestControlPlane.with { plane in
            let (database, keys, clock) = (plane.services.database, plane.services.keys, Clock())
            let deployment = try await database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: keys).deployment
            }
            let services = ControlPlaneServices(
                database: database, keys: keys, time: clock.time, logger: plane.database.logger)
            let signing = SigningKeyCache(database: database, keys: keys, time: clock.time)
            let nodes = NodeAuthentication(database: database, deployment: deployment, time: clock.time)
            let feed = TimestampFeed(
                database: database,
                listener: Listener(
                    config: plane.database.config, channels: [TimestampFeed.channel], logger: plane.database.logger))
            let routes = DataPlaneRoutes(
                database: database, changes: services.changes, feed: feed,
                enrolment: Enrolment(
                    database: database, changes: services.changes, signing: signing, time: clock.time),
                signing: signing, time: clock.time, logger: plane.database.logger)
            let api = services.api(
                routes.endpoints, logger: plane.database.logger,
                authenticateGateway: { header, method, target, body in
                    try await nodes.authenticate(header: header, method: method, path: target, body: body)
                })
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let (organization, project) = try await plane.makeProject()
            _ = try await plane.send("PUT", "/v1/gateway-groups/\(group)/organizations/\(organization)")
            let fleet = TestFleet(
                plane: plane, api: api, routes: routes, deployment: deployment, clock: clock,
                group: try #require(GatewayGroupID(group)), organization: organization, project: project)
            try await body(fleet)
        }
    }

    /// A gateway as the control plane knows it, and a process of it.
    struct Process: Sendable {
        let gateway: GatewayID
        let key: SigningKey
        let number: UInt64

        /// Another process under the same identity.
        func another() -> Process { Process(gateway: self.gateway, key: self.key, number: .random(in: 1 ... .max)) }
    }

    func enrol() async throws -> Process {
        let gateway: GatewayID = TimeSource.system.newID()
        let (key, group) = (SigningKey(), self.group)
        try await self.plane.database.database.transaction { tx in
            _ = try tx.execute(
                "insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, 'g', $3, $3)",
                gateway, group, key.publicKey.bytes)
        }
        return Process(gateway: gateway, key: key, number: .random(in: 1 ... .max))
    }

    /// Calls as a process of a gateway.
    ///
    /// - Parameter issued: when the process signed the call; nil for now.
    func call(
        _ process: Process, _ method: String, _ target: String, _ body: [UInt8] = [], issued: Timestamp? = nil
    ) async -> APIResponse {
        let assertion = NodeAssertion(
            gateway: process.gateway, audience: self.deployment, method: method, path: target, body: body,
            issued: issued ?? self.clock.now, process: process.number)
        let header = assertion.header(signedBy: process.key) ?? ""
        return await self.api.respond(
            to: APIRequest(
                method, target,
                headers: ["authorization": header, "content-type": "application/x-protobuf"], body: body))
    }

    /// Delivers a batch; returns the status and the last number that is stored.
    func deliver(_ process: Process, _ batch: UsageBatch) async throws -> (status: Int, last: Int) {
        let response = await self.call(process, "POST", "/dp/v1/usage", batch.wireBytes)
        guard response.status == 200 else { return (response.status, -1) }
        let keys = self.plane.services.keys
        let root = try await self.plane.services.database.transaction(.readOnly) { tx in
            try SigningKeys.load(&tx, keys: keys).root
        }
        let payload = root.open(try Envelope(wire: response.body), as: .usageReply)
        return (200, try UsageReply(wire: try #require(payload)).last)
    }

    /// A finished request of the fleet's project.
    func record() throws -> UsageRecord {
        let project = try #require(ProjectID(self.project))
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: TimeSource.system.newID(), project: project.node)
        record.started = self.clock.now
        record.counters.input = 5
        return record
    }

    func batch(
        _ process: Process, _ stream: UsageStreamID, from: Int, count: Int = 1, lost: UsageLoss? = nil
    ) throws -> UsageBatch {
        UsageBatch(
            gateway: process.gateway, stream: stream, from: from,
            records: try (0..<count).map { _ in try self.record() }, lost: lost)
    }

    /// What auditors see in the system's log under a permission, newest first.
    func audited(_ permission: Permission) async throws -> [JSONValue] {
        let events = try await self.plane.send("GET", "/v1/audit-events?limit=200")["items"]?.array ?? []
        return events.compactMap { $0["event"] }.filter { $0["permission"]?.string == permission.rawValue }
    }
}

extension APIResponse {
    /// The code of a problem; nil when it is none.
    var code: String? { (try? JSONParser.parse(self.body))?["code"]?.string }
}
