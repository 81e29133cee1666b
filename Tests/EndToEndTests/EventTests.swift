import Foundation
import TestKit
import Testing

/// What gateways spend reaches a receiver as signed events, whoever is killed on the way.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EventTests {
    @Test func `thresholds reach a receiver although the control plane is killed while it delivers`() async throws {
        try await WebhookReceiver.with { receiver in
            try await Stack.with { stack in
                var control = try await stack.startControl()
                let tenant = try await stack.makeTenant()
                let secret = try await stack.create(
                    "/v1/webhooks",
                    [
                        "organization": tenant.organization, "name": "receiver", "url": receiver.url,
                        "event_types": ["budget.threshold_crossed"],
                    ], member: "secret")
                // A request costs some ten thousand nano-dollars.
                let budget = try await stack.create(
                    "/v1/budgets",
                    [
                        "scope": tenant.project, "name": "soft", "amount_nano_usd": "1000000", "period": "total",
                        "hard": false, "thresholds": [1, 5, 10],
                    ])
                let place = try stack.place("eu")
                let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
                // The first delivery gets no answer, until its sender is killed.
                receiver.answers(nil, WebhookReceiver.answer(204))
                try await eventually("an event is on its way") {
                    _ = try await stack.chat(place, tenant.key)
                    return !receiver.received.isEmpty
                }
                control.send(signal: SIGKILL)
                try await control.waitForExit()
                for _ in 0..<20 { #expect(try await stack.chat(place, tenant.key).status == 200) }
                control = try await stack.startControl()
                // What was under way is sent again a minute after it was begun.
                try await eventually("every threshold has arrived") {
                    let reply = try await stack.api("GET", "/v1/events?type=budget.threshold_crossed")
                    let events = reply.member("items") as? [[String: Any]] ?? []
                    let percents = events.compactMap { ($0["data"] as? [String: Any])?["threshold_percent"] as? Int }
                    let ids = Set(events.compactMap { $0["id"] as? String })
                    let received = receiver.received.map(\.id)
                    return percents.sorted() == [1, 5, 10] && ids == Set(received)
                        && received.filter { $0 == received[0] }.count == 2
                }
                #expect(receiver.received.allSatisfy { $0.isSigned(by: secret) })
                // What was under way came twice, under one id; nothing came more often.
                let times = Dictionary(grouping: receiver.received, by: \.id).mapValues(\.count)
                #expect(times.values.allSatisfy { $0 <= 2 }, "\(times)")
                let status = try await stack.api("GET", "/v1/budgets/\(budget)/status")
                #expect(Int(status.member("spent_nano_usd") as? String ?? "") ?? 0 >= 100_000)
                for process in [gateway, control] {
                    process.send(signal: SIGTERM)
                    #expect(try await process.waitForExit() == .code(0))
                }
            }
        }
    }
}
