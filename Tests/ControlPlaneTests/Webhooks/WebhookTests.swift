import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct WebhookTests {
    private func body(_ organization: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
        .object(
            [
                "organization": .string(organization), "name": "w", "url": "https://hooks.example/gatehouse/",
                "event_types": ["*"],
            ].merging(more) { $1 })
    }

    @Test func `a webhook is kept as it was said, changed and deleted, and its secret is shown once`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let made = try await plane.send("POST", "/v1/webhooks", self.body(organization), key: "once")
            try #require(made.status == 201, "\(made.json.text)")
            let secret = try #require(made["secret"]?.string)
            #expect(secret.hasPrefix("whsec_") && secret.utf8.count == 50 && secret.hasSuffix("="))
            let again = try await plane.send("POST", "/v1/webhooks", self.body(organization), key: "once")
            #expect(again.id == made.id && again["secret"] == nil && again["secret_already_issued"] == true)
            let read = try await plane.send("GET", "/v1/webhooks/\(made.id)")
            #expect(read["secret"] == nil && read["url"] == "https://hooks.example/gatehouse/")
            #expect(read["status"] == "active" && read["disabled_reason"] == .null)
            #expect(read["secrets"]?.array?.count == 1 && read["secrets"]?.array?.first?["version"] == 1)
            let changed = try await plane.send(
                "PATCH", "/v1/webhooks/\(made.id)",
                ["name": "x", "event_types": ["budget.threshold_crossed"], "status": "disabled"], ifMatch: read.etag)
            #expect(changed.status == 200 && changed["status"] == "disabled", "\(changed.json.text)")
            #expect(changed["event_types"] == ["budget.threshold_crossed"])
            #expect(try await plane.send("PATCH", "/v1/webhooks/\(made.id)", ["name": "y"]).status == 428)
            let test = try await plane.send("POST", "/v1/webhooks/\(made.id)/test")
            #expect(test.status == 409 && test.code == "webhook_disabled")
            let rotated = try await plane.send(
                "POST", "/v1/webhooks/\(made.id)/rotate", ["overlap_seconds": 3600])
            let second = try #require(rotated["secret"]?.string)
            #expect(second != secret && rotated["secrets"]?.array?.count == 2)
            let third = try await plane.send("POST", "/v1/webhooks/\(made.id)/rotate", ["overlap_seconds": 0])
            #expect(third["secrets"]?.array?.compactMap { $0["version"]?.integer } == [2, 3])
            let (other, _) = try await plane.makeProject("other")
            #expect(
                try await plane.send("GET", "/v1/webhooks?organization=\(other)")["items"]?.array?.isEmpty == true)
            #expect(
                try await plane.send("GET", "/v1/webhooks?organization=\(organization)")["items"]?.array?.count == 1)
            #expect(try await plane.send("DELETE", "/v1/webhooks/\(made.id)").status == 204)
            #expect(try await plane.send("GET", "/v1/webhooks/\(made.id)").status == 404)
            #expect(try await plane.send("GET", "/v1/webhooks/\(made.id)/deliveries").status == 404)
            #expect(try await plane.count("webhook_secret") == 0)
            // Each change is audited, under its own permission; no secret is in the log, and none in the tables.
            let audit = try await plane.send("GET", "/v1/audit-events?organization=\(organization)&limit=200")
            let events = audit["items"]?.array?.compactMap { $0["event"] } ?? []
            for permission in ["create", "update", "rotate", "delete"] {
                #expect(events.contains { $0["permission"]?.string == "webhooks.\(permission)" })
            }
            #expect(events.filter { $0["permission"]?.string == "webhooks.rotate" }.count == 2)
            #expect(events.contains { $0["target"] == ["kind": "webhook", "id": .string(made.id)] })
            for text in [secret, second] { #expect(!audit.json.text.contains(text.dropFirst(6))) }
        }
    }

    @Test func `no secret of a webhook is in the database`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let made = try await plane.make("/v1/webhooks", self.body(organization))
            let secret = try #require(made["secret"]?.string)
            let found = try await plane.database.database.transaction(.readOnly) { tx -> Bool in
                let row = try tx.query("select ciphertext, wrapped_key from webhook_secret")[0]
                let ciphertext: [UInt8] = try row.get("ciphertext")
                let key: [UInt8] = try row.get("wrapped_key")
                let text = try tx.query("select w::text as text from webhook w")[0].get("text", as: String.self)
                return String(decoding: ciphertext + key, as: UTF8.self).contains(secret) || text.contains(secret)
            }
            #expect(!found)
        }
    }

    @Test func `what is no webhook is refused where it stands`() async throws {
        try await TestControlPlane.with { plane in
            let (organization, _) = try await plane.makeProject()
            let wrong: [([String: JSONValue], String)] = [
                (["url": "http://hooks.example/"], "/url"), (["url": "http://10.0.0.1/"], "/url"),
                (["url": "ftp://hooks.example/"], "/url"), (["url": "https://user@hooks.example/"], "/url"),
                (["url": "https://hooks.example/?a=b"], "/url"), (["url": "https://hooks.example:0/"], "/url"),
                (["url": "https:///x"], "/url"), (["url": ""], "/url"), (["url": 5], "/url"),
                (["event_types": []], "/event_types"), (["event_types": ["budget.*"]], "/event_types/0"),
                (["event_types": ["*", "*"]], "/event_types"), (["event_types": "*"], "/event_types"),
                (["name": ""], "/name"), (["secret": "whsec_x"], "/secret"),
                (["organization": "org_01jd3x0r7ze4qbt0xq4v6m2k5n"], "/organization"),
            ]
            for (more, pointer) in wrong {
                let reply = try await plane.send("POST", "/v1/webhooks", self.body(organization, more))
                #expect(reply.status == 400 && reply["pointer"]?.string == pointer, "\(more): \(reply.json.text)")
            }
            for url in ["http://localhost:1/x", "http://127.0.0.1/", "http://[::1]:8080/", "https://10.0.0.1:8443"] {
                _ = try await plane.make("/v1/webhooks", self.body(organization, ["url": .string(url)]))
            }
            let made = try await plane.make("/v1/webhooks", self.body(organization))
            let patched = try await plane.send(
                "PATCH", "/v1/webhooks/\(made.id)", ["url": "http://hooks.example/"], ifMatch: "*")
            #expect(patched.status == 400 && patched["pointer"] == "/url")
            #expect(
                try await plane.send(
                    "POST", "/v1/webhooks/\(made.id)/rotate", ["overlap_seconds": 2_592_001]
                )["pointer"] == "/overlap_seconds")
            for _ in 5..<16 { _ = try await plane.make("/v1/webhooks", self.body(organization)) }
            let seventeenth = try await plane.send("POST", "/v1/webhooks", self.body(organization))
            #expect(seventeenth.status == 409 && seventeenth.code == "too_many_webhooks")
            #expect(seventeenth["pointer"] == "/organization")
            // Those that are deleted do not count.
            #expect(try await plane.send("DELETE", "/v1/webhooks/\(made.id)").status == 204)
            _ = try await plane.make("/v1/webhooks", self.body(organization))
        }
    }

    /// The vector of the standard's own libraries.
    @Test func `a signature is the one that the standard asks for`() {
        let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let field = WebhookSignature.field(
            [secret, secret], id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330,
            body: Array("{\"test\": 2432232314}".utf8))
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(field == "\(one) \(one)")
        #expect(WebhookSignature.field([Secret("whsec_!"), Secret("x")], id: "a", timestamp: 1, body: []) == "")
        #expect(WebhookSignature.newSecret().reveal() != WebhookSignature.newSecret().reveal())
    }

    @Test func `what fails is tried again for three days, and then no more`() {
        let start = Timestamp(microseconds: 1_000_000_000_000)
        var now = start
        var attempts = 1
        while let next = WebhookSchedule.next(after: attempts, at: now, jitter: 1000) {
            #expect(next > now)
            (now, attempts) = (next, attempts + 1)
        }
        #expect(attempts == 11)
        #expect((72 * 3600...78 * 3600).contains(now.seconds - start.seconds))
        #expect(WebhookSchedule.next(after: 1, at: start, jitter: 800) == start.adding(seconds: 4))
        #expect(WebhookSchedule.next(after: 1, at: start, jitter: 1200) == start.adding(seconds: 6))
        // What the receiver asks for, within a day.
        #expect(WebhookSchedule.next(after: 1, at: start, jitter: 1000, retryAfter: 90) == start.adding(seconds: 90))
        #expect(WebhookSchedule.next(after: 2, at: start, jitter: 1000, retryAfter: 9) == start.adding(seconds: 60))
        #expect(
            WebhookSchedule.next(after: 1, at: start, jitter: 1000, retryAfter: .max) == start.adding(seconds: 86_400))
        #expect(WebhookSchedule.next(after: 1, at: start, jitter: 1000, retryAfter: .min) == start.adding(seconds: 5))
        #expect(WebhookSchedule.next(after: 0, at: start, jitter: 1000) == nil)
    }
}
