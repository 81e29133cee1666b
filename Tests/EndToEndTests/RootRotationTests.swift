import Postgres
import Shared
import TestKit
import Testing

/// The keys that everything is signed with are replaced while the product is in use.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RootRotationTests {
    /// The root that each group's timestamp was issued under.
    private func timestampRoot(_ stack: Stack) async throws -> Int {
        try await stack.read { tx in
            let row = try tx.queryOne("select envelope from snapshot_timestamp")
            guard let row else { throw TestKitError("no timestamp") }
            let envelope = try Envelope(wire: try row.get("envelope", as: [UInt8].self))
            return try TimestampStatement(wire: envelope.payload).rootVersion
        }
    }

    private func roots(_ place: Stack.GatewayPlace, _ stack: Stack) -> [String] {
        Files.names(in: "\(stack.folder)/\(place.name)/control/roots").filter { Int($0) != nil }.sorted()
    }

    @Test func `every key is replaced under traffic, and a restart without the control plane serves`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            let before = try await stack.read { tx in
                try tx.query("select key_id from signing_key").map { try $0.get("key_id", as: [UInt8].self) }
            }
            let load = Load(stack)
            async let running: Void = load.run(place, tenant.key, clients: 2)
            do {
                try await load.waitForAnswers(50)
                let (old, new) = (stack.folder + "/root.key", stack.folder + "/root-3.key")
                #expect(try await stack.run("root", "rotate", "--root-key-file", old) == "root 2\n")
                try await eventually("root 2 is followed") { self.roots(place, stack) == ["1", "2"] }
                try await stack.run(
                    "root", "rotate", "--root-key-file", old, "--new-root-key-file", new, "--roles", "timestamp"
                )
                try await eventually("root 3 is followed") { self.roots(place, stack).count == 3 }
                // The old root key is worth nothing now, the new one is.
                await #expect(throws: TestKitError.self) {
                    try await stack.run("root", "rotate", "--root-key-file", old)
                }
                try await stack.run("root", "rotate", "--root-key-file", new, "--roles", "config")
                try await eventually("root 4 is followed") { self.roots(place, stack).count == 4 }
                #expect(try await self.timestampRoot(stack) == 4)
                let answered = load.answered.count
                try await load.waitForAnswers(answered + 50)
            } catch {
                load.stop()
                _ = await running
                throw error
            }
            load.stop()
            _ = await running
            #expect(load.failures == 0, "\(load.statuses)")
            let answered = load.answered
            try await eventually("usage is complete") {
                try await Ledger.read(stack).fault(answered: answered) == nil
            }
            let after = try await stack.read { tx in
                try tx.query("select key_id from signing_key").map { try $0.get("key_id", as: [UInt8].self) }
            }
            #expect(after.count == 2)
            #expect(Set(after).isDisjoint(with: before))
            let changes = try await stack.api("GET", "/v1/changes?limit=10")
            #expect(changes.body.split(separator: "trust_root.rotate", omittingEmptySubsequences: false).count == 4)

            let second = try await stack.create(
                "/v1/virtual-keys", ["project": tenant.project, "name": "Later"], member: "secret"
            )
            try await eventually("a key made afterwards works") {
                try await stack.chat(place, second).status == 200
            }
            // A gateway that joins now follows the roots from the first on.
            let other = try stack.place("other")
            let joined = try await stack.startGateway(other, joinToken: try await stack.joinToken(tenant))
            #expect(try await stack.chat(other, second).status == 200)
            #expect(self.roots(other, stack).count == 4)

            try await stack.synced()
            #expect(try await control.terminate() == .code(0))
            _ = try await gateway.kill()
            gateway = try await stack.startGateway(place)
            #expect(try await stack.chat(place, second).status == 200)
            _ = try await gateway.kill()
            _ = try await joined.kill()
        }
    }

    @Test func `what is on disk is served although the root was rotated after it`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let proxy = try await TamperingProxy.start(to: stack.controlURL, http: stack.http)
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(
                place, joinToken: try await stack.joinToken(tenant), controlURL: proxy.url
            )
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            try await stack.synced()
            // The gateway gets as far as the new root, and not to a snapshot under it.
            proxy.set { path, body in path.contains("/blobs/") ? [] : body }
            try await stack.run("root", "rotate", "--root-key-file", stack.folder + "/root.key")
            try await eventually("root 2 is followed") { self.roots(place, stack) == ["1", "2"] }
            // What is used meanwhile is delivered: replies are verified by the root that was followed.
            let reply = try await stack.chat(place, tenant.key)
            try await eventually("usage arrives") {
                try await Ledger.read(stack).requests[reply.requestID ?? ""] == 1
            }
            #expect(try await control.terminate() == .code(0))
            _ = try await gateway.kill()
            gateway = try await stack.startGateway(place, controlURL: proxy.url)
            let answer = try await stack.chat(place, tenant.key)
            #expect(answer.status == 200, "\(answer.body)")
            // And with the control plane it goes on from there.
            let again = try await stack.startControl()
            proxy.set(nil)
            let second = try await stack.create(
                "/v1/virtual-keys", ["project": tenant.project, "name": "Later"], member: "secret"
            )
            try await eventually("a key made afterwards works") {
                try await stack.chat(place, second).status == 200
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await again.terminate() == .code(0))
            await proxy.close()
        }
    }
}
