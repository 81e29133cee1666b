import ControlPlane
import Postgres
import Shared
import Synchronization
import TestKit
import Testing

/// Snapshots that must not be served: each is refused and reported, and requests go on by what is served.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SnapshotAttackTests {
    /// An attack: what is done to answers, and the code that the gateway must report.
    struct Attack: CustomTestStringConvertible, Sendable {
        let name: String
        let codes: Set<String>
        let make: @Sendable (Stack, Stack.Tenant) async throws -> TamperingProxy.Tamper
        var testDescription: String { self.name }
    }

    static let attacks: [Attack] = [
        Attack(name: "a flipped byte in every blob", codes: ["corrupt"]) { _, _ in
            { path, body in path.contains("/blobs/") ? Self.flipped(body, at: body.count / 2) : body }
        },
        Attack(name: "every blob truncated", codes: ["corrupt"]) { _, _ in
            { path, body in path.contains("/blobs/") ? Array(body.dropLast(1)) : body }
        },
        Attack(name: "an empty timestamp", codes: ["untrusted", "invalid"]) { _, _ in
            { path, body in path.contains("/timestamp") && !body.isEmpty ? [] : body }
        },
        Attack(name: "a timestamp whose signature is wrong", codes: ["untrusted"]) { _, _ in
            { path, body in
                guard path.contains("/timestamp"), var envelope = try? Envelope(wire: body) else { return body }
                envelope.signatures = envelope.signatures.map {
                    .init(keyID: $0.keyID, bytes: Self.flipped($0.bytes, at: 3))
                }
                return envelope.wireBytes
            }
        },
        Attack(name: "a timestamp signed by somebody else", codes: ["untrusted"]) { _, _ in
            let stranger = SigningKey()
            return { path, body in
                guard path.contains("/timestamp"), let envelope = try? Envelope(wire: body) else { return body }
                return Envelope(.timestamp, payload: envelope.payload, keys: [stranger])?.wireBytes ?? body
            }
        },
        Attack(name: "an older timestamp", codes: ["rollback"]) { stack, tenant in
            let old = try await Self.sign(stack, tenant) { statement in
                statement.sequence = max(1, statement.sequence - 1)
                statement.version.version = max(1, statement.version.version - 1)
            }
            return { path, body in path.contains("/timestamp") ? old : body }
        },
        Attack(name: "another snapshot under the version that is served", codes: ["rollback"]) { stack, tenant in
            let fork = try await Self.sign(stack, tenant) { statement in
                statement.sequence += 1000
                statement.manifest[0] ^= 1
            }
            return { path, body in path.contains("/timestamp") ? fork : body }
        },
        Attack(name: "a timestamp that has expired", codes: ["expired"]) { stack, tenant in
            let stale = try await Self.sign(stack, tenant) { statement in
                statement.sequence += 1000
                statement.issued = statement.issued.adding(seconds: -3600)
                statement.expires = statement.issued.adding(seconds: 600)
            }
            return { path, body in path.contains("/timestamp") ? stale : body }
        },
        Attack(name: "a timestamp for another group", codes: ["misdirected"]) { stack, tenant in
            let foreign = try await Self.sign(stack, tenant) { statement in
                statement.group = TimeSource.system.newID()
                statement.sequence += 1000
            }
            return { path, body in path.contains("/timestamp") ? foreign : body }
        },
        Attack(name: "a timestamp beyond its size", codes: ["unavailable", "oversize"]) { _, _ in
            { path, body in path.contains("/timestamp") ? [UInt8](repeating: 0x0A, count: 8000) : body }
        },
        Attack(name: "blobs beyond their size", codes: ["unavailable", "oversize", "corrupt"]) { _, _ in
            { path, body in path.contains("/blobs/") ? [UInt8](repeating: 7, count: 6 << 20) : body }
        },
    ]

    private static func flipped(_ bytes: [UInt8], at index: Int) -> [UInt8] {
        guard bytes.indices.contains(index) else { return bytes }
        var changed = bytes
        changed[index] ^= 0x10
        return changed
    }

    /// The group's current timestamp, changed, and signed by the deployment's own timestamp key.
    private static func sign(
        _ stack: Stack, _ tenant: Stack.Tenant, _ change: @escaping @Sendable (inout TimestampStatement) -> Void
    ) async throws -> [UInt8] {
        let keys = try KeyEncryptionKeys(file: stack.folder + "/kek")
        guard let group = GatewayGroupID(tenant.group) else { throw TestKitError("no group") }
        return try await stack.read { tx in
            let signing = try SigningKeys.load(&tx, keys: keys)
            let row = try tx.queryOne("select envelope from snapshot_timestamp where group_id = $1", group)
            guard let row else { throw TestKitError("no timestamp") }
            let envelope = try Envelope(wire: try row.get("envelope", as: [UInt8].self))
            var statement = try TimestampStatement(wire: envelope.payload)
            change(&statement)
            return try signing.sign(.timestamp, statement.wireBytes)
        }
    }

    @Test func `every attack is refused, reported, survived and recovered from`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let proxy = try await TamperingProxy.start(to: stack.controlURL, http: stack.http)
            let place = try stack.place("gateway")
            let gateway = try await stack.startGateway(
                place, joinToken: try await stack.joinToken(tenant), controlURL: proxy.url
            )
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            for attack in Self.attacks {
                proxy.set(try await attack.make(stack, tenant))
                let key = try await stack.create(
                    "/v1/virtual-keys", ["project": tenant.project, "name": attack.name], member: "secret"
                )
                var reported = ""
                try await eventually("\(attack.name) is reported") {
                    let gateways = try await stack.api("GET", "/v1/gateways").member("items") as? [[String: Any]]
                    let refusal = gateways?.first?["nack"] as? [String: Any]
                    reported = refusal?["code"] as? String ?? ""
                    return gateways?.first?["sync"] as? String == "nacked" && attack.codes.contains(reported)
                }
                for _ in 0..<5 {
                    #expect(try await stack.chat(place, tenant.key).status == 200, "\(attack.name)")
                }
                #expect(try await stack.chat(place, key).status == 401, "\(attack.name): the new key is not known yet")
                proxy.set(nil)
                try await eventually("the new key works after \(attack.name)") {
                    try await stack.chat(place, key).status == 200
                }
                print("\(attack.name): \(reported)")
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
            await proxy.close()
        }
    }
}
