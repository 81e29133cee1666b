import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct JobsTests {
    private func execute(_ plane: TestControlPlane, _ sql: SQL) async throws {
        _ = try await plane.database.database.transaction { tx in try tx.execute(sql) }
    }

    private func jobs(_ plane: TestControlPlane) -> Jobs {
        Jobs(
            database: plane.services.database,
            lock: AdvisoryLock(config: plane.database.config, logger: TestPostgres.logger), time: .system,
            logger: TestPostgres.logger
        )
    }

    @Test func `one round does everything with the rights that serve has`() async throws {
        try await TestControlPlane.with { plane in
            try await plane.database.database.transaction { tx in
                try LedgerFixture.add(&tx, 4, at: TimeSource.system.now())
            }
            let jobs = self.jobs(plane)
            await jobs.round()
            await jobs.round()
            #expect(jobs.figures.failures == 0)
            #expect(jobs.figures.partitionsAhead == 2)
            #expect(jobs.figures.ledger?.holds == true)
            #expect(jobs.figures.ledger?.identities.events == 4)
        }
    }

    @Test func `one of two replicas does the jobs, and the other when that ends`() async throws {
        try await TestControlPlane.with { plane in
            let (first, second) = (self.jobs(plane), self.jobs(plane))
            let running = Task { await first.run() }
            try await eventually("the first has run") { first.figures.ledger != nil }
            let waiting = Task { await second.run() }
            try await Task.sleep(for: .milliseconds(300))
            #expect(second.figures.isLeader == false)
            waiting.cancel()
            _ = await waiting.value
            running.cancel()
            _ = await running.value
            let third = self.jobs(plane)
            let taking = Task { await third.run() }
            try await eventually("the third has run") { third.figures.ledger != nil }
            #expect(third.figures.isLeader)
            taking.cancel()
            _ = await taking.value
        }
    }

    @Test func `what nobody needs goes, a bounded number at a time`() async throws {
        try await TestControlPlane.with { plane in
            let group = try await plane.make("/v1/gateway-groups", ["name": "eu"]).id
            let id = try #require(GatewayGroupID(group))
            try await self.execute(plane, "delete from idempotency_key")
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    insert into idempotency_key (actor_id, key, request_sha256, status, created_at)
                    select gen_random_uuid(), 'k', sha256('x'), 201, now() - n * interval '6 hours'
                    from generate_series(0, 9) n
                    """
                )
                _ = try tx.execute(
                    """
                    insert into join_token (id, digest, group_id, expires_at, used_at)
                    select gen_random_uuid(), sha256(n::text::bytea), $1, now() + interval '1 hour' - a.age,
                        case when n = 3 then now() - interval '40 days' end
                    from (values (1, interval '0'), (2, interval '31 days'), (3, interval '0'), (4, interval '29 days'))
                        as a (n, age)
                    """, id
                )
                _ = try tx.execute(
                    """
                    insert into snapshot (group_id, epoch, version, keyring_epoch)
                    select $1, e, v, 1 from generate_series(1, 2) e, generate_series(1, 20) v
                    """, id
                )
                let gateway: GatewayID = TimeSource.system.newID()
                _ = try tx.execute(
                    "insert into gateway (id, group_id, name, identity_key, sealing_key) values ($1, $2, 'g', $3, $3)",
                    gateway, id, [UInt8](repeating: 1, count: 32)
                )
                _ = try tx.execute(
                    """
                    insert into gateway_status (gateway_id, process, seen_at, epoch, version, manifest, keyring_epoch,
                        sequence) values ($1, 1, now(), 1, 7, '', 1, 1)
                    """, gateway
                )
            }
            let database = plane.services.database
            let first = try await database.transaction { tx in try Removals.run(&tx, limit: 2, snapshotsKept: 25) }
            #expect(first == ["idempotency_key": 2, "join_token": 2, "snapshot": 2])
            let rest = try await database.transaction { tx in try Removals.run(&tx, limit: 100, snapshotsKept: 25) }
            #expect(rest == ["idempotency_key": 4, "join_token": 0, "snapshot": 12])
            let none = try await database.transaction { tx in try Removals.run(&tx, limit: 100, snapshotsKept: 25) }
            #expect(none.values.allSatisfy { $0 == 0 })
            #expect(try await plane.count("idempotency_key") == 4)
            // The newest 25, and the one that a gateway still serves.
            #expect(try await plane.count("snapshot") == 26)
            #expect(try await plane.count("snapshot where epoch = 1 and version = 7") == 1)
            #expect(try await plane.count("snapshot where epoch = 2") == 20)
        }
    }
}
