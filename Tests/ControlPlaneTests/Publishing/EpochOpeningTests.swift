import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct EpochOpeningTests {
    /// Runs a publisher beside `body`.
    private func withPublisher(_ plane: TestControlPlane, _ body: (Publisher) async throws -> Void) async throws {
        let publisher = Publisher(
            database: plane.services.database,
            listener: Listener(
                config: plane.database.config, channels: ["gatehouse_snapshot"], logger: TestPostgres.logger),
            lock: AdvisoryLock(config: plane.database.config, logger: TestPostgres.logger), keys: plane.services.keys,
            time: .system, logger: TestPostgres.logger
        )
        let running = Task { try await publisher.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(publisher)) } catch { result = .failure(error) }
        running.cancel()
        _ = await running.result
        try result.get()
    }

    private func wait(_ plane: TestControlPlane, forRows sql: SQL) async throws {
        try await eventually("there are rows") { try await plane.count(sql) > 0 }
    }

    private func openings(_ plane: TestControlPlane) async throws -> [JSONValue] {
        let page = try await plane.send("GET", "/v1/audit-events?limit=200")
        return (page["items"]?.array ?? []).compactMap { $0["event"] }.filter { $0["event"] != nil }
    }

    @Test func `another manifest under the newest number opens an epoch too`() async throws {
        try await TestControlPlane.with { plane in
            let group = try #require(GatewayGroupID(try await plane.make("/v1/gateway-groups", ["name": "eu"]).id))
            let gateway: GatewayID = TimeSource.system.newID()
            try await self.withPublisher(plane) { _ in
                try await self.wait(plane, forRows: "snapshot_timestamp where epoch = 1")
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute(
                        "insert into gateway (id, group_id, name, identity_key, sealing_key)"
                            + " values ($1, $2, 'g', sha256('a'), sha256('b'))", gateway, group
                    )
                    _ = try tx.execute(
                        """
                        insert into gateway_status (gateway_id, process, seen_at, epoch, version, manifest,
                            keyring_epoch, sequence)
                        select $1, 1, now(), epoch, version, sha256('m'), 1, 1 from snapshot where group_id = $2
                        order by epoch desc, version desc limit 1
                        """, gateway, group
                    )
                }
                try await self.wait(plane, forRows: "snapshot_timestamp where epoch = 2")
            }
            let opening = try #require(try await self.openings(plane).first)
            #expect(opening["after"] == ["epoch": 2, "version": 1])
            #expect(opening["proof"]?["version"]?["epoch"] == 1)
        }
    }

    @Test func `a new epoch is in the system's log, with who proved that it was needed`() async throws {
        try await TestControlPlane.with { plane in
            let text = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let group = try #require(GatewayGroupID(text))
            let gateway: GatewayID = TimeSource.system.newID()
            try await self.withPublisher(plane) { publisher in
                try await self.wait(plane, forRows: "snapshot_timestamp")
                #expect(try await self.openings(plane).isEmpty)
                // Whoever cannot record that it opens an epoch opens none.
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute("alter table audit_leaf add constraint full_up check (false) not valid")
                    _ = try tx.execute(
                        "insert into gateway (id, group_id, name, identity_key, sealing_key)"
                            + " values ($1, $2, 'g', sha256('a'), sha256('b'))", gateway, group
                    )
                    _ = try tx.execute(
                        """
                        insert into gateway_status (gateway_id, process, seen_at, epoch, version, manifest,
                            keyring_epoch, sequence) values ($1, 1, now(), 3, 9, sha256('m'), 1, 1)
                        """, gateway
                    )
                }
                try await eventually("publishing fails") { publisher.figures.failures > 0 }
                #expect(try await plane.count("snapshot where epoch > 1") == 0)
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute("alter table audit_leaf drop constraint full_up")
                }
                try await self.wait(plane, forRows: "snapshot_timestamp where epoch = 4")
                // Another snapshot of the epoch opens none.
                try await plane.database.database.transaction { tx in
                    _ = try tx.execute("insert into snapshot_dirty (group_id, type) values ($1, 0)", group)
                }
                try await self.wait(plane, forRows: "snapshot_timestamp where epoch = 4 and version > 1")
            }
            let opening = try #require(try await self.openings(plane).first)
            #expect(try await self.openings(plane).count == 1)
            #expect(opening["event"] == "snapshot_epoch.opened")
            #expect(opening["actor"]?["kind"] == "control_plane")
            #expect(opening["target"] == ["kind": "gateway_group", "id": .string(text)])
            #expect(opening["before"]?["epoch"] == 1)
            #expect(opening["after"] == ["epoch": 4, "version": 1])
            #expect(opening["proof"]?["gateway"]?.string == gateway.description)
            #expect(opening["proof"]?["version"] == ["epoch": 3, "version": 9])
            let manifest = "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"
            #expect(opening["proof"]?["manifest_sha256"]?.string == manifest)
            #expect(opening["outcome"] == "ok")
        }
    }
}
