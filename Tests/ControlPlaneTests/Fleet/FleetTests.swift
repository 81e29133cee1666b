import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct FleetTests {
    @Test func `a group has limits and organizations`() async throws {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu", "request_seconds": 60])
            #expect(group["unpriced_models"] == "deny")
            #expect(group["max_stale_seconds"] == 259_200)
            let path = "/v1/gateway-groups/\(group.id)"
            let patched = try await plane.send("PATCH", path, ["max_body_bytes": 4096], ifMatch: group.etag)
            #expect(patched["max_body_bytes"] == 4096)
            #expect(patched["request_seconds"] == 60)
            let organization = try await plane.make("/v1/organizations", ["name": "o"]).id
            let member = path + "/organizations/\(organization)"
            #expect(try await plane.send("PUT", member).status == 204)
            #expect(try await plane.send("PUT", member).status == 204)
            #expect(try await plane.send("GET", path)["organizations"] == [.string(organization)])
            #expect(try await plane.send("DELETE", "/v1/organizations/\(organization)").status == 409)
            let removed = try await plane.send("DELETE", member)
            #expect(removed.status == 204)
            let last = try await plane.send("GET", "/v1/changes?organization=\(organization)&limit=1")
            let change = try #require(last["items"]?.array?.first?["id"]?.string)
            let progress = try await plane.send("GET", "/v1/changes/\(change)/propagation")
            #expect(progress["groups"]?.array?.first?["group"]?.string == group.id)
            #expect(progress["complete"] == false)
            #expect(removed.response.headers.filter { $0.name == "audit-receipt" }.count == 2)
            #expect(try await plane.send("DELETE", member).status == 404)
            #expect(try await plane.send("PUT", path + "/organizations/org_00000000000000000000000000").status == 404)
        }
    }

    @Test func `a join token pins the root and is shown once`() async throws {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let made = try await plane.send(
                "POST", "/v1/join-tokens", ["group": .string(group), "ttl_seconds": 60], key: "j")
            #expect(made.status == 201)
            let token = try #require(made["secret"]?.string.flatMap { JoinToken(parsing: $0) })
            let keys = plane.services.keys
            let pin = try await plane.database.database.transaction { tx in
                try SigningKeys.load(&tx, keys: keys).rootPin
            }
            #expect(token.rootSHA256 == pin)
            let again = try await plane.send(
                "POST", "/v1/join-tokens", ["group": .string(group), "ttl_seconds": 60], key: "j")
            #expect(again["secret"] == nil)
            #expect(again["secret_already_issued"] == true)
            #expect(
                try await plane.send("POST", "/v1/join-tokens", ["group": .string(group), "ttl_seconds": 1801]).status
                    == 400)
        }
    }

    @Test func `removing a gateway gives its group another key`() async throws {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let id: GatewayID = TimeSource.system.newID()
            let groupID = try #require(GatewayGroupID(group))
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, 'g', $3, $3)
                    """, id, groupID, [UInt8](repeating: 7, count: 32)
                )
            }
            let read = try await plane.send("GET", "/v1/gateways/\(id)")
            #expect(read["sync"] == "offline")
            #expect(read["nack"] == .null)
            #expect(try await plane.send("GET", "/v1/gateways?group=\(group)")["items"] == [read.json])
            #expect(try await plane.send("DELETE", "/v1/gateways/\(id)").status == 204)
            let removed = try await plane.send("GET", "/v1/gateways/\(id)")
            #expect(removed["status"] == "removed")
            #expect(removed["removed_at"] != .null)
            #expect(read["removed_at"] == .null)
            #expect(try await plane.send("GET", "/v1/gateways?group=\(group)")["items"] == [])
            let list = "/v1/gateways?status=removed&group=\(group)"
            #expect(try await plane.send("GET", list)["items"] == [removed.json])
            #expect(try await plane.send("GET", "/v1/gateways?status=gone").status == 400)
            #expect(try await plane.send("DELETE", "/v1/gateways/\(id)").status == 404)
            #expect(try await plane.count("gateway where status = 'removed'") == 1)
            #expect(try await plane.count("gateway_group where key_epoch = 1") == 1)
        }
    }

    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private static func gateway(
        seen: Int64 = 1, serves: SnapshotVersion?, manifest: UInt8 = 1, ours: UInt8? = 1,
        published: SnapshotVersion?, publishedAgo: Int64 = 5, nack: String? = nil,
        fenced: [Bool] = []
    ) -> Gateway {
        Gateway(
            id: TimeSource.system.newID(), group: TimeSource.system.newID(), name: "g", status: "active", build: 1,
            revision: 1, createdAt: now,
            report: serves.map { version in
                Gateway.Report(
                    seenAt: now.adding(seconds: -seen), version: version, manifest: [manifest], keyringEpoch: 1,
                    nack: nack.map { Gateway.Nack(version: version, code: $0, chunk: "", message: "") }
                )
            },
            published: published.map {
                Gateway.Published(version: $0, manifest: [1], at: now.adding(seconds: -publishedAgo))
            },
            manifestOfReported: ours.map { [$0] },
            processes: fenced.map {
                GatewayProcess(number: 1, epoch: 1, startedAt: now, fencedAt: $0 ? now : nil)
            }
        )
    }

    @Test func `how a gateway stands is computed from what it said`() {
        let one = SnapshotVersion(epoch: 1, version: 1)
        let two = SnapshotVersion(epoch: 1, version: 2)
        func sync(_ gateway: Gateway) -> Gateway.Sync { gateway.sync(at: Self.now) }
        #expect(sync(Self.gateway(serves: two, published: two)) == .synced)
        #expect(sync(Self.gateway(serves: one, published: two)) == .pending)
        #expect(sync(Self.gateway(serves: one, published: two, publishedAgo: 31)) == .lagging)
        #expect(sync(Self.gateway(serves: one, published: two, nack: "bad_chunk")) == .nacked)
        #expect(sync(Self.gateway(serves: one, published: two, nack: "incompatible")) == .incompatible)
        #expect(sync(Self.gateway(serves: two, manifest: 9, published: two)) == .diverged)
        #expect(sync(Self.gateway(serves: two, ours: nil, published: one)) == .diverged)
        #expect(sync(Self.gateway(serves: two, published: two, fenced: [true, true])) == .fenced)
        #expect(sync(Self.gateway(serves: one, published: two, nack: "bad_chunk", fenced: [true])) == .fenced)
        #expect(sync(Self.gateway(serves: two, published: two, fenced: [false, true])) == .synced)
        #expect(sync(Self.gateway(seen: 46, serves: two, published: two, fenced: [true, true])) == .offline)
        #expect(sync(Self.gateway(seen: 46, serves: two, published: two)) == .offline)
        #expect(sync(Self.gateway(serves: nil, published: two)) == .offline)
    }
}
