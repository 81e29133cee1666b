import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// A fleet whose usage is charged to budgets, with what looks at thresholds and delivers events, driven by hand.
struct EventFixture {
    let fleet: TestFleet
    let process: TestFleet.Process

    var plane: TestControlPlane { self.fleet.plane }

    static func with(_ body: (EventFixture) async throws -> Void) async throws {
        try await TestFleet.with { fleet in
            try await body(EventFixture(fleet: fleet, process: try await fleet.enrol()))
        }
    }

    /// Makes a budget of 1000 nano-dollars an hour, and says its number.
    func budget(_ more: [String: JSONValue] = [:], scope: String? = nil) async throws -> (id: String, number: UInt32) {
        let body: [String: JSONValue] = [
            "scope": .string(scope ?? self.fleet.project), "name": "b", "amount_nano_usd": "1000", "period": "hour",
            "hard": false,
        ]
        let made = try await self.plane.make("/v1/budgets", .object(body.merging(more) { $1 }))
        let id = try #require(BudgetID(made.id))
        let number: Int64 = try await self.plane.database.database.transaction(.readOnly) { tx in
            try tx.query("select number from budget where id = $1", id)[0].get("number")
        }
        return (made.id, UInt32(number))
    }

    func account(_ budget: UInt32) -> Charge {
        Charge(
            budget: budget,
            startMinute: BudgetWindow.containing(self.fleet.clock.now, .hour, in: .utc).startMinute)
    }

    /// Usage that cost so much arrives, charged to budgets in their windows of now.
    func spend(_ cost: Int64, of budgets: UInt32...) async throws {
        var record = try self.fleet.record()
        record.cost = NanoUSD(cost)
        record.charges = budgets.map { self.account($0) }
        let batch = UsageBatch(
            gateway: self.process.gateway, stream: TimeSource.system.newID(), process: self.process.number, from: 1,
            records: [record])
        #expect(try await self.fleet.deliver(self.process, batch).status == 200)
    }

    func watch() -> ThresholdWatch {
        ThresholdWatch(
            database: self.plane.services.database, time: self.fleet.clock.time, logger: self.plane.database.logger)
    }

    func deliverer(sender: WebhookSender? = nil, jitter: Int64 = 1000) throws -> WebhookDeliverer {
        WebhookDeliverer(
            database: self.plane.services.database, keys: self.plane.services.keys,
            sender: try sender ?? WebhookSender(targets: .any), time: self.fleet.clock.time,
            logger: self.plane.database.logger, jitter: { jitter })
    }

    /// All events of thresholds, oldest first.
    func events() async throws -> [JSONValue] {
        let reply = try await self.plane.send("GET", "/v1/events?type=budget.threshold_crossed&limit=200")
        return (reply["items"]?.array ?? []).reversed()
    }

    /// The thresholds of a budget that were told, oldest first.
    func percents(_ budget: String) async throws -> [Int64] {
        try await self.events().filter { $0["subject"]?.string == budget }.compactMap {
            $0["data"]?["threshold_percent"]?.integer
        }
    }

    func webhook(_ url: String, types: JSONValue = ["*"]) async throws -> (id: String, secret: String) {
        let made = try await self.plane.make(
            "/v1/webhooks",
            [
                "organization": .string(self.fleet.organization), "name": "w", "url": .string(url),
                "event_types": types,
            ])
        return (made.id, try #require(made["secret"]?.string))
    }

    func deliveries(_ webhook: String) async throws -> [JSONValue] {
        try await self.plane.send("GET", "/v1/webhooks/\(webhook)/deliveries?limit=200")["items"]?.array ?? []
    }

    /// What an administrator does by the fleet's clock; must succeed.
    @discardableResult
    func act(_ method: String, _ target: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        var headers: HTTPHeaders = ["authorization": "Bearer \(self.plane.root)", "if-match": "*"]
        if body != nil { headers.add("content-type", "application/json") }
        let reply = await self.fleet.api.respond(
            to: APIRequest(method, target, headers: headers, body: body?.utf8 ?? []))
        #expect(reply.status < 300, "\(String(decoding: reply.body, as: UTF8.self))")
        return reply.body.isEmpty ? .null : try JSONParser.parse(reply.body)
    }

    /// Sends a test event to a webhook.
    func test(_ webhook: String) async throws -> String {
        try await self.act("POST", "/v1/webhooks/\(webhook)/test")["id"]?.string ?? ""
    }
}
