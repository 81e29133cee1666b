import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct WebhookDeliveryTests {
    @Test func `a threshold reaches the receiver, signed, and only those who ask for it`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let all = try await fixture.webhook(receiver.url)
                let some = try await fixture.webhook(receiver.url, types: ["budget.threshold_crossed"])
                let (other, _) = try await fixture.plane.makeProject("other")
                _ = try await fixture.plane.make(
                    "/v1/webhooks",
                    [
                        "organization": .string(other), "name": "w", "url": .string(receiver.url),
                        "event_types": ["*"],
                    ])
                let (id, number) = try await fixture.budget(["thresholds": [80]])
                try await fixture.spend(900, of: number)
                try await fixture.watch().lookAll()
                let deliverer = try fixture.deliverer()
                await deliverer.deliverDue()
                let event = try #require(try await fixture.events().first)
                let received = receiver.received
                #expect(received.count == 2)
                for request in received {
                    #expect(request.head == "POST /hook/ HTTP/1.1")
                    #expect(request.headers["content-type"] == "application/json")
                    #expect(request.id == event["id"]?.string)
                    #expect(request.headers["webhook-timestamp"] == "\(fixture.fleet.clock.now.seconds)")
                    let body = try JSONParser.parse(request.body)
                    #expect(body["type"] == "budget.threshold_crossed" && body["subject"]?.string == id)
                    #expect(body["timestamp"] == event["occurred_at"] && body["data"] == event["data"])
                    #expect(body["id"] == event["id"] && body["organization"] == event["organization"])
                }
                for secret in [all.secret, some.secret] {
                    #expect(received.filter { $0.isSigned(by: secret) }.count == 1)
                }
                for webhook in [all, some] {
                    let deliveries = try await fixture.deliveries(webhook.id)
                    #expect(deliveries.count == 1 && deliveries[0]["state"] == "delivered")
                    #expect(deliveries[0]["attempts"] == 1 && deliveries[0]["last_status"] == 204)
                    #expect(deliveries[0]["last_error"] == .null && deliveries[0]["next_at"] == .null)
                    #expect(deliveries[0]["event"] == event["id"] && deliveries[0]["done_at"] != .null)
                }
                #expect(deliverer.figures.attempts == [.delivered: 2] && deliverer.figures.waiting == 0)
                // Nothing is left to be done.
                await deliverer.deliverDue()
                #expect(receiver.received.count == 2)
                // A test goes to the one that it is of; later, so that it is the newest.
                fixture.fleet.clock.advance(seconds: 1)
                let test = try await fixture.test(some.id)
                await deliverer.deliverDue()
                #expect(receiver.received.count == 3 && receiver.received[2].id == test)
                #expect(receiver.received[2].isSigned(by: some.secret))
                let listed = try await fixture.plane.send("GET", "/v1/webhooks/\(some.id)/deliveries?limit=1")
                #expect(listed["items"]?.array?.first?["event_type"] == "webhook.test")
                let cursor = try #require(listed["next_cursor"]?.string)
                let next = try await fixture.plane.send(
                    "GET", "/v1/webhooks/\(some.id)/deliveries?limit=1&cursor=\(cursor)")
                #expect(next["items"]?.array?.first?["event"] == event["id"])
                let pending = try await fixture.plane.send("GET", "/v1/webhooks/\(some.id)/deliveries?state=pending")
                #expect(pending["items"]?.array?.isEmpty == true)
            }
        }
    }

    @Test func `what fails is tried again, under the same id, until it arrives`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (clock, deliverer) = (fixture.fleet.clock, try fixture.deliverer())
                let webhook = try await fixture.webhook(receiver.url)
                receiver.answers(
                    WebhookReceiver.answer(500), WebhookReceiver.answer(429, "retry-after: 600"),
                    WebhookReceiver.answer(302, "location: \(receiver.url)elsewhere"), WebhookReceiver.answer(200))
                let event = try await fixture.test(webhook.id)
                var wait: [Int64] = [5, 600, 300]
                for (index, status) in [500, 429, 302].enumerated() {
                    await deliverer.deliverDue()
                    #expect(receiver.received.count == index + 1)
                    let delivery = try #require(try await fixture.deliveries(webhook.id).first)
                    #expect(delivery["state"] == "pending" && delivery["attempts"]?.integer == Int64(index + 1))
                    #expect(delivery["last_status"]?.integer == Int64(status))
                    #expect(delivery["last_error"]?.string == "the receiver answered \(status)")
                    let seconds = wait.removeFirst()
                    #expect(delivery["next_at"] == JSONValue(clock.now.adding(seconds: seconds)))
                    clock.advance(seconds: seconds - 1)
                    await deliverer.deliverDue()
                    #expect(receiver.received.count == index + 1)
                    clock.advance(seconds: 1)
                }
                await deliverer.deliverDue()
                #expect(receiver.received.count == 4 && Set(receiver.received.map(\.id)) == [event])
                #expect(Set(receiver.received.compactMap { $0.headers["webhook-timestamp"] }).count == 4)
                #expect(receiver.received.allSatisfy { $0.isSigned(by: webhook.secret) })
                // No redirect was followed.
                #expect(receiver.received.allSatisfy { $0.head == "POST /hook/ HTTP/1.1" })
                #expect(try await fixture.deliveries(webhook.id).first?["state"] == "delivered")
                #expect(deliverer.figures.attempts == [.retried: 3, .delivered: 1])
            }
        }
    }

    @Test func `what cannot be delivered for days is given up, and shown`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (clock, deliverer) = (fixture.fleet.clock, try fixture.deliverer(jitter: 1200))
                receiver.answers(WebhookReceiver.answer(503))
                let webhook = try await fixture.webhook(receiver.url)
                _ = try await fixture.test(webhook.id)
                for _ in 0..<30 {
                    await deliverer.deliverDue()
                    clock.advance(seconds: 86_400 * 6 / 5)
                }
                #expect(receiver.received.count == 11)
                let delivery = try #require(try await fixture.deliveries(webhook.id).first)
                #expect(delivery["state"] == "failed" && delivery["attempts"] == 11)
                #expect(delivery["last_status"] == 503 && delivery["done_at"] != .null)
                #expect(deliverer.figures.attempts == [.retried: 10, .failed: 1])
                // The webhook goes on: what comes next is tried as before.
                receiver.answers(WebhookReceiver.answer(204))
                _ = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                #expect(receiver.received.count == 12)
            }
        }
    }

    @Test func `an event that was stored is delivered, whoever dies in between`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let clock = fixture.fleet.clock
                let webhook = try await fixture.webhook(receiver.url)
                let event = try await fixture.test(webhook.id)
                receiver.answers(nil, WebhookReceiver.answer(204))
                // The first one dies while its request is under way.
                let first = try fixture.deliverer()
                let dying = Task { await first.deliverDue() }
                try await eventually("something came") { !receiver.received.isEmpty }
                dying.cancel()
                await dying.value
                let second = try fixture.deliverer()
                await second.deliverDue()
                clock.advance(seconds: WebhookDeliveryStore.claimSeconds - 1)
                await second.deliverDue()
                // It may be under way still.
                #expect(receiver.received.count == 1)
                #expect(second.figures.waiting == 1)
                clock.advance(seconds: 1)
                await second.deliverDue()
                #expect(receiver.received.count == 2 && Set(receiver.received.map(\.id)) == [event])
                let delivery = try #require(try await fixture.deliveries(webhook.id).first)
                #expect(delivery["state"] == "delivered" && delivery["attempts"] == 2)
            }
        }
    }

    @Test func `two replicas deliver each event once, and a silent receiver does not keep the others waiting`()
        async throws
    {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                try await WebhookReceiver.with { silent in
                    silent.answers(nil)
                    let quick = try await fixture.webhook(receiver.url)
                    let slow = try await fixture.webhook(silent.url)
                    for _ in 0..<12 { _ = try await fixture.test(slow.id) }
                    var events: Set<String> = []
                    for _ in 0..<40 { events.insert(try await fixture.test(quick.id)) }
                    let sender = try WebhookSender(targets: .any, seconds: 120)
                    let replicas = try (0..<2).map { _ in try fixture.deliverer(sender: sender) }
                    let running = replicas.map { replica in Task { await replica.deliverDue() } }
                    try await eventually("all came") { receiver.received.count >= 40 }
                    // Before they are stopped in the middle of what they do.
                    #expect(replicas.allSatisfy { $0.figures.failures == 0 })
                    for task in running { task.cancel() }
                    for task in running { await task.value }
                    #expect(receiver.received.map(\.id).sorted() == events.sorted())
                    // At most so many at once of the one that does not answer.
                    let begun = try await fixture.deliveries(slow.id).filter { $0["attempts"] != 0 }.count
                    #expect((1...2 * WebhookDeliverer.concurrencyOfWebhook).contains(begun))
                }
            }
        }
    }

    @Test func `while one secret follows another, deliveries are signed with both`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (clock, deliverer) = (fixture.fleet.clock, try fixture.deliverer())
                let webhook = try await fixture.webhook(receiver.url)
                let rotated = try await fixture.act(
                    "POST", "/v1/webhooks/\(webhook.id)/rotate", ["overlap_seconds": 3600])
                let next = try #require(rotated["secret"]?.string)
                _ = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                let both = try #require(receiver.received.last)
                #expect(both.signatures.count == 2)
                #expect(both.isSigned(by: webhook.secret) && both.isSigned(by: next))
                clock.advance(seconds: 3600)
                _ = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                let one = try #require(receiver.received.last)
                #expect(one.signatures.count == 1)
                #expect(!one.isSigned(by: webhook.secret) && one.isSigned(by: next))
            }
        }
    }

    @Test func `a receiver that is gone disables its webhook, in the audit log`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (plane, deliverer) = (fixture.plane, try fixture.deliverer())
                let webhook = try await fixture.webhook(receiver.url)
                receiver.answers(WebhookReceiver.answer(500))
                _ = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                receiver.answers(WebhookReceiver.answer(410))
                let last = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                let read = try await plane.send("GET", "/v1/webhooks/\(webhook.id)")
                #expect(read["status"] == "disabled")
                #expect(read["disabled_reason"] == "the receiver answered 410 (gone)" && read.etag == "\"2\"")
                let deliveries = try await fixture.deliveries(webhook.id)
                #expect(deliveries.count == 2 && deliveries.allSatisfy { $0["state"] == "failed" })
                #expect(deliverer.figures.attempts == [.retried: 1, .gone: 1])
                let audit = try await plane.send(
                    "GET", "/v1/audit-events?organization=\(fixture.fleet.organization)&limit=1")
                let leaf = try #require(audit["items"]?.array?.first?["event"])
                #expect(leaf["event"] == "webhook.disabled" && leaf["actor"]?["kind"] == "control_plane")
                #expect(leaf["after"]?["event"]?.string == last && leaf["target"]?["id"]?.string == webhook.id)
                // Nothing is stored for it, until somebody enables it.
                let (_, number) = try await fixture.budget()
                try await fixture.spend(600, of: number)
                try await fixture.watch().lookAll()
                fixture.fleet.clock.advance(seconds: 86_400)
                await deliverer.deliverDue()
                #expect(receiver.received.count == 2)
                receiver.answers(WebhookReceiver.answer(204))
                let enabled = try await plane.send(
                    "PATCH", "/v1/webhooks/\(webhook.id)", ["status": "active"], ifMatch: read.etag)
                #expect(enabled["status"] == "active" && enabled["disabled_reason"] == .null)
                _ = try await fixture.test(webhook.id)
                await deliverer.deliverDue()
                #expect(receiver.received.count == 3)
                #expect(try await fixture.events().count == 1)
            }
        }
    }

    @Test func `what waits for a webhook that is disabled or deleted is given up`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (plane, deliverer) = (fixture.plane, try fixture.deliverer())
                let (off, gone) = (try await fixture.webhook(receiver.url), try await fixture.webhook(receiver.url))
                for webhook in [off, gone] { _ = try await fixture.test(webhook.id) }
                #expect(
                    try await plane.send("PATCH", "/v1/webhooks/\(off.id)", ["status": "disabled"], ifMatch: "*")
                        .status == 200)
                #expect(try await plane.send("DELETE", "/v1/webhooks/\(gone.id)").status == 204)
                #expect(try await plane.count("webhook_delivery where state = 'failed'") == 2)
                // As when an event is stored at the same moment.
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute("update webhook_delivery set state = 'pending', done_at = null")
                }
                await deliverer.deliverDue()
                #expect(receiver.received.isEmpty)
                #expect(try await plane.count("webhook_delivery where state = 'failed'") == 2)
                let delivery = try #require(try await fixture.deliveries(off.id).first)
                #expect(delivery["last_error"] == "the webhook is disabled or deleted")
            }
        }
    }

    @Test func `a webhook whose secret cannot be opened does not keep the others waiting`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let deliverer = try fixture.deliverer()
                let (bad, good) = (try await fixture.webhook(receiver.url), try await fixture.webhook(receiver.url))
                let id = try #require(WebhookID(bad.id))
                try await fixture.plane.database.database.transaction { tx in
                    _ = try tx.execute("update webhook_secret set kek_id = 'lost' where webhook_id = $1", id)
                }
                for webhook in [bad, good] { _ = try await fixture.test(webhook.id) }
                await deliverer.deliverDue()
                #expect(receiver.received.count == 1 && receiver.received[0].isSigned(by: good.secret))
                let delivery = try #require(try await fixture.deliveries(bad.id).first)
                #expect(delivery["state"] == "pending")
                #expect(delivery["last_error"] == "no key-encryption key opens its secret")
            }
        }
    }

    @Test func `it runs by itself, and says what waits and how attempts ended`() async throws {
        try await EventFixture.with { fixture in
            try await WebhookReceiver.with { receiver in
                let (watch, deliverer) = (fixture.watch(), try fixture.deliverer())
                let webhook = try await fixture.webhook(receiver.url)
                let (_, number) = try await fixture.budget(["thresholds": [50]])
                let running = [Task { await watch.run() }, Task { await deliverer.run() }]
                try await fixture.spend(600, of: number)
                try await eventually("something came") { !receiver.received.isEmpty }
                #expect(receiver.received[0].isSigned(by: webhook.secret))
                try await eventually("it is delivered") { deliverer.figures.attempts[.delivered] == 1 }
                for task in running { task.cancel() }
                for task in running { await task.value }
                #expect(watch.figures.raised == 1 && watch.figures.failures == 0)
                #expect(deliverer.figures.failures == 0)
            }
        }
    }
}
