import Postgres
import Shared
import TestKit
import Testing

/// The database is put back to an older state while gateways are in use: everything converges by itself.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RestoreTests {
    private struct Standing: Sendable {
        let epoch: Int
        let version: Int
        let sequence: Int
    }

    private func standing(_ stack: Stack) async throws -> Standing {
        try await stack.read { tx in
            let row = try tx.queryOne("select sequence, epoch, version from snapshot_timestamp")
            guard let row else { throw TestKitError("no timestamp") }
            return Standing(
                epoch: Int(try row.get("epoch", as: Int32.self)), version: Int(try row.get("version", as: Int64.self)),
                sequence: Int(try row.get("sequence", as: Int64.self))
            )
        }
    }

    private func send(
        _ stack: Stack, _ place: Stack.GatewayPlace, _ key: String, _ count: Int
    ) async throws -> Set<String> {
        var answered: Set<String> = []
        for _ in 0..<count {
            let reply = try await stack.chat(place, key)
            #expect(reply.status == 200)
            answered.insert(reply.requestID ?? "")
        }
        return answered
    }

    /// Two gateways, of which one is started again after the backup, so that it has streams that the backup does not know.
    @Test func `after a restore the fleet heals and usage is there once`() async throws {
        try await Stack.with { stack in
            var control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let (place, other) = (try stack.place("gateway"), try stack.place("other"))
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            var restarted = try await stack.startGateway(other, joinToken: try await stack.joinToken(tenant))
            for gateway in [place, other] {
                try await eventually("the key works") { try await stack.chat(gateway, tenant.key).status == 200 }
            }
            var answered = try await self.send(stack, place, tenant.key, 20)
            answered.formUnion(try await self.send(stack, other, tenant.key, 20))
            try await self.settled(stack, answered)

            #expect(try await control.terminate() == .code(0))
            try await stack.postgres.save()
            control = try await stack.startControl()

            // What the backup will not know: keys, versions, a re-key, streams and usage, all acknowledged.
            let late = try await stack.create(
                "/v1/virtual-keys", ["project": tenant.project, "name": "Late"], member: "secret"
            )
            for number in 0..<3 {
                try await stack.create("/v1/virtual-keys", ["project": tenant.project, "name": "Late \(number)"])
            }
            try await eventually("the late key works") { try await stack.chat(place, late).status == 200 }
            // Of these, the streams have an end: nothing will ever be appended that would show what the backup lacks.
            answered.formUnion(try await self.send(stack, other, tenant.key, 20))
            try await self.settled(stack, answered)
            #expect(try await restarted.terminate() == .code(0))
            restarted = try await stack.startGateway(other)
            let third = try stack.place("third")
            let removed = try await stack.startGateway(third, joinToken: try await stack.joinToken(tenant))
            _ = try await removed.kill()
            let gateways = try await stack.api("GET", "/v1/gateways").member("items") as? [[String: Any]]
            let id = gateways?.first { $0["name"] as? String == "third" }?["id"] as? String
            #expect(try await stack.api("DELETE", "/v1/gateways/\(id ?? "")").status == 204)
            answered.formUnion(try await self.send(stack, place, late, 30))
            answered.formUnion(try await self.send(stack, other, tenant.key, 30))
            try await self.settled(stack, answered)
            try await eventually("the re-key is everywhere") {
                let gateways = try await stack.api("GET", "/v1/gateways").member("items") as? [[String: Any]]
                return gateways?.count == 2
                    && gateways?.allSatisfy { $0["keyring_epoch"] as? Int == 2 && $0["sync"] as? String == "synced" }
                        == true
            }
            let ahead = try await self.standing(stack)

            #expect(try await control.terminate() == .code(0))
            try await stack.postgres.restoreSaved()
            #expect(try await self.standing(stack).sequence < ahead.sequence)
            // Away from the control plane they serve what they have.
            answered.formUnion(try await self.send(stack, place, late, 5))
            control = try await stack.startControl()
            let began = ContinuousClock.now

            try await eventually("a new epoch is open") { try await self.standing(stack).epoch > ahead.epoch }
            print("a new epoch took \(ContinuousClock.now - began)")
            let opened = try #require(try await self.openings(stack).first)
            #expect(opened.contains("\"after\":{\"epoch\":\(ahead.epoch + 1),\"version\":1}"))
            #expect(opened.contains("\"version\":{\"epoch\":\(ahead.epoch),\"version\":\(ahead.version)}"))
            // One gateway is idle: what it delivered and what was forgotten comes again all the same.
            try await self.settled(stack, answered)
            print("usage took \(ContinuousClock.now - began)")
            for gateway in [place, other] {
                try await eventually("the forgotten key is refused") {
                    try await stack.chat(gateway, late).status == 401
                }
                #expect(try await stack.chat(gateway, tenant.key).status == 200)
            }
            #expect(try await self.standing(stack).sequence > ahead.sequence)
            let fresh = try await stack.create(
                "/v1/virtual-keys", ["project": tenant.project, "name": "Fresh"], member: "secret"
            )
            for gateway in [place, other] {
                try await eventually("a key made after the restore works") {
                    try await stack.chat(gateway, fresh).status == 200
                }
                answered.formUnion(try await self.send(stack, gateway, fresh, 5))
            }
            print("all took \(ContinuousClock.now - began)")
            try await self.settled(stack, answered)
            try await stack.synced()
            #expect(try await self.openings(stack).count == 1)
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await restarted.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }

    /// What the audit log says of the epochs that were opened.
    private func openings(_ stack: Stack) async throws -> [String] {
        try await stack.read { tx in
            try tx.query(
                """
                select convert_from(l.leaf, 'UTF8') as leaf from audit_leaf l join audit_log g on g.id = l.log_id
                where g.organization_id is null and g.lane = 'changes'
                    and convert_from(l.leaf, 'UTF8') like '%snapshot_epoch.opened%'
                """
            ).map { try $0.get("leaf") }
        }
    }

    private func settled(_ stack: Stack, _ answered: Set<String>) async throws {
        try await eventually("usage is complete") {
            if let fault = try await Ledger.read(stack).fault(answered: answered) { throw TestKitError(fault) }
            return true
        }
    }
}
