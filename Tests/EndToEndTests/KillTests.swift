import TestKit
import Testing

/// kill -9 of each part under load: every answered request is in PostgreSQL exactly once afterwards.
@Suite(.serialized, .timeLimit(.minutes(10))) struct KillTests {
    /// Runs load, does `harm` in the middle of it, waits for more answers, and checks the ledger.
    private func underLoad(
        clients: Int = 8,
        _ harm:
            @escaping @Sendable (Stack, Stack.GatewayPlace, inout ChildProcess, inout ChildProcess) async throws -> Void
    ) async throws {
        try await Stack.with { stack in
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            let load = Load(stack)
            async let running: Void = load.run(place, tenant.key, clients: clients)
            do {
                try await load.waitForAnswers(200)
                try await harm(stack, place, &control, &gateway)
                let before = load.answered.count
                try await load.waitForAnswers(before + 200)
            } catch {
                load.stop()
                _ = await running
                throw error
            }
            load.stop()
            _ = await running
            let answered = load.answered
            #expect(answered.count >= 400)
            try await eventually("usage is complete") {
                try await Ledger.read(stack).fault(answered: answered) == nil
            }
            // Give a doubled delivery time to show.
            try await Task.sleep(for: .milliseconds(500))
            let ledger = try await Ledger.read(stack)
            #expect(ledger.fault(answered: answered) == nil)
            print("answered \(answered.count), not \(load.failures) \(load.statuses), recorded \(ledger.events)")
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }

    @Test func `usage survives kill -9 of the gateway`() async throws {
        try await self.underLoad { stack, place, _, gateway in
            for _ in 0..<3 {
                _ = try await gateway.kill()
                gateway = try await stack.startGateway(place)
                try await Task.sleep(for: .milliseconds(300))
            }
        }
    }

    @Test func `usage survives kill -9 of the control plane`() async throws {
        try await self.underLoad { stack, _, control, _ in
            for _ in 0..<3 {
                _ = try await control.kill()
                try await Task.sleep(for: .milliseconds(200))
                control = try await stack.startControl()
                try await Task.sleep(for: .milliseconds(300))
            }
        }
    }

    @Test func `usage survives kill -9 of PostgreSQL`() async throws {
        try await self.underLoad { stack, _, _, _ in
            for _ in 0..<2 {
                try await stack.postgres.kill9()
                try await Task.sleep(for: .milliseconds(300))
                try await stack.postgres.restart()
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}
