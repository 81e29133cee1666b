import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Refused gateways and join tokens, over the endpoints that gateways call.
@Suite(.timeLimit(.minutes(10))) struct NodeDenialTests {
    private func events(_ plane: TestControlPlane) async throws -> [JSONValue] {
        await plane.services.denials.flush()
        let page = try await plane.send("GET", "/v1/audit-events?lane=denials")
        return try #require(page["items"]?.array).reversed().map { $0["event"] ?? .null }
    }

    @Test func `a gateway that is refused leaves an event with who it said it was`() async throws {
        try await TestControlPlane.with { plane in
            let node = try await TestNode.make(plane)
            let stranger: GatewayID = TimeSource.system.newID()
            let path = "/dp/v1/groups/\(node.group)/timestamp"
            #expect(await node.call(path).status == 304)
            #expect(await node.call(path, issued: -3600).status == 401)
            #expect(await node.call(path, by: stranger).status == 401)
            let other: GatewayGroupID = TimeSource.system.newID()
            #expect(await node.call("/dp/v1/groups/\(other)/timestamp").status == 404)
            let events = try await self.events(plane)
            let known = events.filter { $0["actor"]?["kind"] == "gateway" }
            #expect(events.count == 3)
            #expect(known.map { $0["reason"] } == ["not_visible"])
            #expect(known.first?["actor"]?["id"]?.string == node.gateway.description)
            #expect(known.first?["targets"]?.array?.first?["id"]?.string == other.description)
            let strangers = events.filter { $0["actor"]?["kind"] == "anonymous" }
            #expect(strangers.map { $0["reason"] } == ["assertion_expired", "gateway_not_authenticated"])
            #expect(strangers.map { $0["credentials"] } == [[JSONValue(node.gateway)], [JSONValue(stranger)]])
        }
    }

    @Test func `a join token that is good for nothing leaves an event, and one that was used says whose`() async throws
    {
        try await TestControlPlane.with { plane in
            let node = try await TestNode.make(plane)
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
