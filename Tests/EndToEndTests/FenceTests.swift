import Foundation
import TestKit
import Testing

/// A gateway's disk is copied, and both copies are started.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FenceTests {
    private func readiness(_ stack: Stack, _ place: Stack.GatewayPlace) async throws -> (status: Int, text: String) {
        let reply = try await stack.send("GET", "http://127.0.0.1:\(place.privatePort)/readyz")
        return (reply.status, reply.body)
    }

    private func gateway(_ stack: Stack) async throws -> [String: Any] {
        let gateways = try await stack.api("GET", "/v1/gateways").member("items") as? [[String: Any]]
        #expect(gateways?.count == 1)
        return gateways?.first ?? [:]
    }

    private func fenceEvents(_ stack: Stack) async throws -> Int {
        let events = try await stack.api("GET", "/v1/audit-events?limit=100").member("items") as? [[String: Any]]
        return events?.count { ($0["event"] as? [String: Any])?["permission"] as? String == "gateways.fence" } ?? 0
    }

    private func send(_ stack: Stack, _ places: [Stack.GatewayPlace], _ key: String) async throws -> Set<String> {
        var answered: Set<String> = []
        for number in 0..<20 {
            let reply = try await stack.chat(places[number % places.count], key)
            #expect(reply.status == 200)
            answered.insert(reply.requestID ?? "")
        }
        return answered
    }

    @Test func `copies of one gateway are both fenced, serve on, and one alone is well again`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let (place, copy) = (try stack.place("gateway"), try stack.place("copy"))
            var original = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            try await stack.synced()
            var answered = try await self.send(stack, [place], tenant.key)
            #expect(try await original.terminate() == .code(0))
            try FileManager.default.copyItem(
                atPath: "\(stack.folder)/\(place.name)", toPath: "\(stack.folder)/\(copy.name)")

            original = try await stack.startGateway(place)
            let other = try await stack.startGateway(copy)
            for place in [place, copy] {
                try await eventually("it is fenced") {
                    let (status, text) = try await self.readiness(stack, place)
                    return status == 503 && text.contains("fenced")
                }
                let metrics = try await stack.send("GET", "http://127.0.0.1:\(place.privatePort)/metrics").body
                #expect(metrics.contains("\ngatehouse_fenced 1\n"))
            }
            for process in [original, other] {
                let log = process.errors.tail() + process.output.tail()
                #expect(log.contains("this process is fenced"))
            }
            let shown = try await self.gateway(stack)
            #expect(shown["sync"] as? String == "fenced")
            let processes = shown["processes"] as? [[String: Any]]
            #expect(processes?.count == 2)
            #expect(processes?.allSatisfy { $0["fenced_at"] is String } == true)
            #expect(try await self.fenceEvents(stack) == 1)
            // Traffic goes on, and what both use is counted once.
            answered.formUnion(try await self.send(stack, [place, copy], tenant.key))
            let used = answered
            try await eventually("usage is complete") {
                if let fault = try await Ledger.read(stack).fault(answered: used) { throw TestKitError(fault) }
                return true
            }
            #expect(try await self.fenceEvents(stack) == 1)

            #expect(try await original.terminate() == .code(0))
            #expect(try await other.terminate() == .code(0))
            let healed = try await stack.startGateway(place)
            // Longer than it would take to be found out again.
            try await Task.sleep(for: .seconds(25))
            #expect(try await self.readiness(stack, place).status == 200)
            try await eventually("it is synced") { try await self.gateway(stack)["sync"] as? String == "synced" }
            answered.formUnion(try await self.send(stack, [place], tenant.key))
            let all = answered
            try await eventually("usage is complete") {
                if let fault = try await Ledger.read(stack).fault(answered: all) { throw TestKitError(fault) }
                return true
            }
            #expect(try await self.fenceEvents(stack) == 1)
            #expect(try await healed.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }

    /// The old process has a request that takes longer than the time within which two are tolerated.
    @Test func `a restart under traffic whose drain overlaps the next process fences nobody`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            let old = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            let slow = Task {
                try await stack.chat(place, tenant.key, members: ",\"mock\":{\"delay_ms\":18000}", seconds: 60)
            }
            try await Task.sleep(for: .milliseconds(500))
            let ending = Task { try await old.terminate() }
            // The same disk, other ports: as behind a load balancer.
            let ports = try stack.place("next")
            let next = try await stack.startGateway(
                .init(name: place.name, port: ports.port, privatePort: ports.privatePort))
            #expect(try await slow.value.status == 200)
            #expect(try await ending.value == .code(0))
            try await Task.sleep(for: .seconds(14))
            #expect(try await self.readiness(stack, ports).status == 200)
            #expect(try await self.fenceEvents(stack) == 0)
            #expect(try await self.gateway(stack)["sync"] as? String == "synced")
            #expect(try await next.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }
}
