import Foundation
import Postgres
import TestKit
import Testing

/// What a gateway does while it cannot reach the control plane, and what a thief finds on its disk.
@Suite(.serialized, .timeLimit(.minutes(10))) struct AbsenceTests {
    @Test func `without the control plane traffic goes on, and a restarted gateway serves from disk`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            var gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }
            try await stack.synced()
            _ = try await control.kill()
            var answered: Set<String> = []
            for _ in 0..<20 {
                let reply = try await stack.chat(place, tenant.key)
                #expect(reply.status == 200)
                answered.insert(reply.requestID ?? "")
            }
            _ = try await gateway.kill()
            gateway = try await stack.startGateway(place)
            for _ in 0..<20 {
                let reply = try await stack.chat(place, tenant.key)
                #expect(reply.status == 200)
                answered.insert(reply.requestID ?? "")
            }
            let again = try await stack.startControl()
            let all = answered
            try await eventually("what was used meanwhile is delivered") {
                try await Ledger.read(stack).fault(answered: all) == nil
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await again.terminate() == .code(0))
        }
    }

    @Test func `a revoked key is refused, a disabled project too, and the refusal says which`() async throws {
        try await Stack.with { stack in
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let place = try stack.place("gateway")
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            try await eventually("the key works") { try await stack.chat(place, tenant.key).status == 200 }

            let second = try await stack.create(
                "/v1/virtual-keys", ["project": tenant.project, "name": "Second"], member: "secret"
            )
            try await eventually("the new key works") { try await stack.chat(place, second).status == 200 }

            let began = ContinuousClock.now
            let revoked = try await stack.api("POST", "/v1/virtual-keys/\(tenant.keyID)/revoke")
            #expect(revoked.status == 200 || revoked.status == 204)
            try await eventually("the revoked key is refused") {
                try await stack.chat(place, tenant.key).status == 401
            }
            print("revocation took \(ContinuousClock.now - began)")
            let refusal = try await stack.chat(place, tenant.key)
            #expect(refusal.body.contains("key_revoked") && refusal.body.contains(tenant.keyID))
            #expect(try await stack.chat(place, second).status == 200)

            let project = try await stack.api("GET", "/v1/projects/\(tenant.project)")
            let disabled = try await stack.api(
                "PATCH", "/v1/projects/\(tenant.project)", ["status": "disabled"],
                ifMatch: project.etag
            )
            #expect(disabled.status == 200)
            try await eventually("the project's key is refused") {
                try await stack.chat(place, second).body.contains("scope_disabled")
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
        }
    }

    @Test func `the provider's key is nowhere on a disk, in a log or in the database`() async throws {
        try await Stack.with { stack in
            let canary = "sk-canary-\(UUID().uuidString)"
            let control = try await stack.startControl()
            let tenant = try await stack.makeTenant()
            let provider = try await stack.create(
                "/v1/providers",
                ["name": "elsewhere", "kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"]
            )
            let model = try await stack.create("/v1/models", ["provider": provider, "name": "some-model"])
            let items = [["meter": "input", "usd_per_million": "1"]]
            try await stack.create("/v1/prices", ["model": model, "items": items])
            let credential = try await stack.create(
                "/v1/credentials", ["provider": provider, "name": "canary", "secret": canary]
            )
            try await stack.create(
                "/v1/routes", ["alias": "elsewhere", "targets": [["model": model, "credential": credential]]]
            )
            let place = try stack.place("gateway")
            let gateway = try await stack.startGateway(place, joinToken: try await stack.joinToken(tenant))
            // The gateway has and uses it: the provider is not there, so the answer is 502.
            try await eventually("the route is known") {
                try await stack.send(
                    "POST", "http://127.0.0.1:\(place.port)/v1/chat/completions",
                    ["authorization": "Bearer \(tenant.key)"], body: "{\"model\":\"elsewhere\",\"messages\":[]}"
                ).status == 502
            }
            #expect(try await gateway.terminate() == .code(0))
            #expect(try await control.terminate() == .code(0))
            var scanned = 0
            for secret in [canary, tenant.key, stack.token] {
                for root in [stack.folder, gateway.errors.path, control.errors.path] {
                    scanned += try Self.files(under: root).count
                    let holders = try Self.files(under: root).filter { try Self.holds($0, secret) }
                    #expect(holders.isEmpty, "\(holders)")
                }
            }
            #expect(scanned > 20)
            let found = try await stack.read { tx in
                try tx.query(
                    "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
                )
                .map { try $0.get("table_name", as: String.self) }
            }
            for table in found {
                for secret in [canary, tenant.key, stack.token] {
                    let hits = try await stack.read { tx in
                        try tx.queryOne(
                            ("select count(*) as n from " as SQL) + SQL(identifier: table)
                                + " t where t::text like '%' || $1 || '%'",
                            secret
                        )?.get("n", as: Int64.self)
                    }
                    #expect(hits == 0, "\(table)")
                }
            }
        }
    }

    private static func files(under root: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root, isDirectory: &isFolder) else { return [] }
        guard isFolder.boolValue else { return [root] }
        return try FileManager.default.subpathsOfDirectory(atPath: root).map { root + "/" + $0 }.filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder) && !isFolder.boolValue
        }
    }

    private static func holds(_ path: String, _ text: String) throws -> Bool {
        guard let data = FileManager.default.contents(atPath: path) else { return false }
        return data.range(of: Data(text.utf8)) != nil
    }
}
