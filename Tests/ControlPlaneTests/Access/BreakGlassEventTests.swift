import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// That the account is opened is told to whoever listens to the instance.
@Suite(.timeLimit(.minutes(10))) struct BreakGlassEventTests {
    private struct Glass {
        let fixture: EventFixture
        let deployment: DeploymentID

        init(_ fixture: EventFixture) async throws {
            self.fixture = fixture
            let keys = fixture.plane.services.keys
            self.deployment = try await fixture.plane.database.database.transaction(.readOnly) { tx in
                try SigningKeys.load(&tx, keys: keys).deployment
            }
        }

        var context: OperationContext {
            OperationContext(
                actor: .localOperator(of: self.deployment), authority: .everything,
                request: TimeSource.system.newID(), time: self.fixture.fleet.clock.now)
        }

        private var account: BreakGlass {
            BreakGlass(changes: self.fixture.plane.services.changes, time: self.fixture.fleet.clock.time)
        }

        func open(_ reason: String) async throws -> BreakGlass.Opening {
            try await self.account.open(reason: reason, seconds: 600, as: self.context)
        }

        func close() async throws -> Bool { try await self.account.close(as: self.context) }

        /// Those that an administrator of the instance sees, newest first.
        func events(token: String? = nil) async throws -> [JSONValue] {
            let reply = try await self.fixture.plane.send("GET", "/v1/events?limit=200", token: token)
            #expect(reply.status == 200, "\(reply.json.text)")
            return (reply["items"]?.array ?? []).filter { $0["type"]?.string?.hasPrefix("break_glass.") == true }
        }
    }

    private func webhook(
        _ plane: TestControlPlane, _ url: String, of organization: String?, _ types: JSONValue
    ) async throws -> (id: String, secret: String) {
        let made = try await plane.make(
            "/v1/webhooks",
            ["organization": JSONValue(organization), "name": "w", "url": .string(url), "event_types": types])
        return (made.id, try #require(made["secret"]?.string))
    }

    @Test func `an opening and a closing by hand reach the instance's webhooks, and no organization's`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (glass, plane) = (try await Glass(fixture), fixture.plane)
                let all = try await self.webhook(plane, receiver.url, of: nil, ["*"])
                let opened = try await self.webhook(plane, receiver.url, of: nil, ["break_glass.opened"])
                _ = try await self.webhook(plane, receiver.url, of: fixture.fleet.organization, ["*"])
                // Nothing was open: nothing was closed.
                #expect(try await glass.close() == false)
                #expect(try await glass.events().isEmpty)
                let opening = try await glass.open("the directory is down")
                let deliverer = try fixture.deliverer()
                await deliverer.deliverDue()
                let event = try #require(try await glass.events().first)
                #expect(event["type"] == "break_glass.opened" && event["organization"] == .null)
                #expect(event["subject"] == JSONValue(opening.account))
                let by: JSONValue = ["kind": "operator", "id": JSONValue(glass.deployment)]
                let data: JSONValue = [
                    "reason": "the directory is down", "until": JSONValue(opening.until), "by": by,
                ]
                #expect(event["data"] == data)
                #expect(receiver.received.count == 2)
                for (received, secrets) in receiver.received.map({ ($0, [all.secret, opened.secret]) }) {
                    #expect(secrets.filter { received.isSigned(by: $0) }.count == 1)
                    let body = try JSONParser.parse(received.body)
                    #expect(body["organization"] == .null && body["data"] == data)
                    #expect(received.id == event["id"]?.string)
                }
                fixture.fleet.clock.advance(seconds: 1)
                #expect(try await glass.close())
                await deliverer.deliverDue()
                #expect(receiver.received.count == 3)
                #expect(receiver.received[2].isSigned(by: all.secret))
                let closed = try #require(try await glass.events().first)
                #expect(closed["type"] == "break_glass.closed" && closed["data"] == ["by": by])
                let one = try await plane.send("GET", "/v1/events/\(closed["id"]?.string ?? "")")
                #expect(one.status == 200 && one["type"] == "break_glass.closed")
                // A test of such a webhook is the instance's too, and 410 disables it, in the instance's log.
                receiver.answers(WebhookReceiver.answer(410))
                let test = try await fixture.act("POST", "/v1/webhooks/\(opened.id)/test")
                #expect(test["organization"] == .null)
                await deliverer.deliverDue()
                let gone = try await plane.send("GET", "/v1/webhooks/\(opened.id)")
                #expect(gone["status"] == "disabled" && gone["organization"] == .null)
                let log = try await plane.send("GET", "/v1/audit-events?limit=5")
                #expect(log["items"]?.array?.contains { $0["event"]?["event"] == "webhook.disabled" } == true)
            }
        }
    }

    @Test func `an opening that fails leaves no event`() async throws {
        try await EventFixture.with { fixture in
            let glass = try await Glass(fixture)
            try await fixture.plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    create function refuse() returns trigger language plpgsql as
                        $$ begin raise exception 'no'; end $$
                    """)
                _ = try tx.execute(
                    "create trigger refuse before insert on audit_leaf for each row execute function refuse()")
            }
            await #expect(throws: (any Error).self) { try await glass.open("x") }
            #expect(try await fixture.plane.count("event") == 0)
            try await fixture.plane.database.database.transaction { tx in
                _ = try tx.execute("drop trigger refuse on audit_leaf")
            }
            _ = try await glass.open("x")
            #expect(try await fixture.plane.count("event where organization_id is null") == 1)
        }
    }

    @Test func `what is the instance's is seen and made by those who hold the permission there`() async throws {
        try await EventFixture.with { fixture in
            let (glass, plane) = (try await Glass(fixture), fixture.plane)
            let owner = try await plane.member(
                of: fixture.fleet.organization, with: .owner, at: fixture.fleet.organization)
            let security = try await plane.member(of: nil, with: .security, at: nil)
            let mine = try await plane.send(
                "POST", "/v1/webhooks",
                [
                    "organization": .string(fixture.fleet.organization), "name": "w", "url": "https://hooks.example/",
                    "event_types": ["*"],
                ], token: owner.token)
            #expect(mine.status == 201)
            let made = try await self.webhook(plane, "https://hooks.example/", of: nil, ["*"])
            _ = try await glass.open("x")
            #expect(try await glass.events(token: security.token).count == 1)
            #expect(try await glass.events(token: owner.token).isEmpty)
            let id = try #require(try await glass.events().first?["id"]?.string)
            #expect(try await plane.send("GET", "/v1/events/\(id)", token: owner.token).status == 404)
            #expect(try await plane.send("GET", "/v1/events/\(id)", token: security.token).status == 200)
            let listed = try await plane.send("GET", "/v1/webhooks", token: owner.token)
            #expect(listed["items"]?.array?.map { $0["id"]?.string } == [mine.id])
            #expect(try await plane.send("GET", "/v1/webhooks/\(made.id)", token: owner.token).status == 404)
            let body: JSONValue = [
                "organization": .null, "name": "w", "url": "https://hooks.example/", "event_types": ["*"],
            ]
            #expect(try await plane.send("POST", "/v1/webhooks", body, token: owner.token).status == 403)
            #expect(try await plane.send("DELETE", "/v1/webhooks/\(made.id)", token: owner.token).status == 404)
            // What would never come is not asked for.
            for (organization, type) in [
                (JSONValue.null, "budget.threshold_crossed"),
                (.string(fixture.fleet.organization), "break_glass.opened"),
            ] {
                let reply = try await plane.send(
                    "POST", "/v1/webhooks",
                    body.with(["organization": organization, "event_types": [.string(type)]]))
                #expect(reply.status == 400 && reply["pointer"] == "/event_types/0", "\(reply.json.text)")
            }
            for _ in 1..<16 { _ = try await plane.make("/v1/webhooks", body) }
            let more = try await plane.send("POST", "/v1/webhooks", body)
            #expect(more.status == 409 && more.code == "too_many_webhooks", "\(more.json.text)")
        }
    }
}
