import Foundation
import Postgres
import Shared
import TestKit
import Testing

/// A gateway on a machine whose clock is wrong by an hour works as any other.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ClockTests {
    @Test(arguments: [3600, -3600])
    func `a gateway whose clock is an hour off joins, serves, and records the right times`(_ ahead: Int) async throws {
        try await Stack.with { stack in
            let environment = try await WrongClock.environment(ahead: ahead, folder: stack.folder)
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(
                place, joinToken: try await stack.joinToken(tenant), environment: environment)
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            let metrics = try await stack.send("GET", "http://127.0.0.1:\(place.privatePort)/metrics").body
            let line = metrics.split(separator: "\n").first { $0.hasPrefix("gatehouse_clock_offset_seconds ") }
            let offset = try #require(line?.split(separator: " ").last.flatMap { Double($0) })
            #expect(abs(offset + Double(ahead)) < 5)
            #expect(
                gateway.errors.tail().contains("clock is wrong") || gateway.output.tail().contains("clock is wrong"))

            // Expiry is judged by the right time: neither an hour early nor an hour late.
            func key(_ seconds: Double) async throws -> String {
                let expires = Date(timeIntervalSinceNow: seconds).ISO8601Format()
                return try await stack.create(
                    "/v1/virtual-keys", ["project": tenant.project, "name": "Short", "expires_at": expires],
                    member: "secret")
            }
            let (long, short) = (try await key(1200), try await key(4))
            try await eventually("the key that expires later works") {
                try await stack.chat(place, long).status == 200
            }
            try await eventually("the key that expired is refused for it") {
                let reply = try await stack.chat(place, short)
                return reply.status == 401 && reply.body.contains("key_expired")
            }
            try await stack.synced()
            // Also after a restart, and after a time without the control plane.
            #expect(try await control.terminate() == .code(0))
            _ = try await gateway.kill()
            gateway = try await stack.startGateway(place, environment: environment)
            control = try await stack.startControl()
            let before = Date()
            try await eventually("the right time is known again") {
                try await stack.send("GET", "http://127.0.0.1:\(place.privatePort)/metrics").body
                    .contains("gatehouse_clock_offset_seconds ")
            }
            let reply = try await stack.chat(place, long)
            #expect(reply.status == 200)
            let id = reply.requestID ?? ""
            try await eventually("usage arrives") { try await Ledger.read(stack).requests[id] == 1 }
            let started = try await stack.read { tx in
                try tx.queryOne("select max(started_at) as at from usage_event")?.get("at", as: SQLTimestamp.self)
            }
            let at = Double(try #require(started).microseconds) / 1_000_000
            #expect(at > before.timeIntervalSince1970 - 30 && at < Date().timeIntervalSince1970 + 30)
            try await stack.synced()
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
