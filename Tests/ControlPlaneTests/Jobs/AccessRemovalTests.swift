import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct AccessRemovalTests {
    private func run(_ plane: TestControlPlane, limit: Int64 = AccessRemovals.limit) async throws -> [String: Int] {
        try await plane.services.database.transaction { tx in try AccessRemovals.run(&tx, limit: limit) }
    }

    private func purges(_ plane: TestControlPlane, of partition: String?) async throws -> Int {
        let id = partition.flatMap { OrganizationID($0) }
        return try await plane.database.database.transaction(.readOnly) { tx in
            try tx.query(
                "select purges from access_head where partition_id = access_partition($1::uuid)", id)[0].get("purges")
        }
    }

    /// Rows of each table, removed so many hours ago; nil for those that are there.
    private func fill(_ plane: TestControlPlane, _ partition: String?, hours: [Int?]) async throws {
        let organization = partition.flatMap { OrganizationID($0) }
        try await plane.database.database.transaction { tx in
            for (number, hours) in hours.enumerated() {
                let age = hours.map { Int64($0) }
                let tables: [SQL] = [
                    """
                    insert into role (id, organization_id, deleted_at, name, permissions)
                    select gen_random_uuid(), $1::uuid, now() - $2::bigint * interval '1 hour', 'n' || $3::bigint,
                        '{units.read}'
                    """,
                    """
                    insert into deny_rule (id, organization_id, deleted_at, name, permissions)
                    select gen_random_uuid(), $1::uuid, now() - $2::bigint * interval '1 hour', 'n' || $3::bigint,
                        '{units.delete}'
                    """,
                    """
                    insert into duty_separation (id, organization_id, deleted_at, name, first, second)
                    select gen_random_uuid(), $1::uuid, now() - $2::bigint * interval '1 hour', 'n' || $3::bigint,
                        '{units.read}', '{units.delete}'
                    """,
                    """
                    insert into role_binding (id, organization_id, deleted_at, subject_kind, subject_id, role_id,
                        created_by_kind, created_by)
                    select gen_random_uuid(), $1::uuid, now() - $2::bigint * interval '1 hour', 'user',
                        md5($3::bigint::text)::uuid, gen_random_uuid(), 'operator', gen_random_uuid()
                    """,
                    """
                    with g as (
                        insert into user_group (id, organization_id, name)
                        values (gen_random_uuid(), $1::uuid, 'n' || $3::bigint) returning id)
                    insert into group_member (group_id, organization_id, deleted_at, member_kind, member_id)
                    select id, $1::uuid, now() - $2::bigint * interval '1 hour', 'user', gen_random_uuid() from g
                    """,
                ]
                for table in tables { _ = try tx.execute(table, organization, age, number) }
            }
        }
    }

    @Test func `what was removed a day ago goes, where some of it is older still`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            #expect(try await self.run(plane) == [:])
            try await self.fill(plane, setting.acme, hours: [nil, 1, 23, 24, 26, 400])
            try await self.fill(plane, setting.other, hours: [nil, 23, 24])
            try await self.fill(plane, nil, hours: [30])
            let before = try await (
                self.purges(plane, of: setting.acme), self.purges(plane, of: setting.other), self.purges(plane, of: nil)
            )
            #expect(before == (0, 0, 0))
            let tables = ["group_member", "role_binding", "deny_rule", "duty_separation", "role"]
            let removed = try await self.run(plane)
            for table in tables { #expect(removed[table] == 4, "\(table)") }
            #expect(removed.count == 5)
            for table in tables as [String] {
                let left = try await plane.count(SQL(identifier: table) + " where deleted_at is not null")
                #expect(left == 4, "\(table)")
                #expect(try await plane.count(SQL(identifier: table) + " where deleted_at is null") >= 2)
            }
            #expect(try await self.purges(plane, of: setting.acme) == 1)
            #expect(try await self.purges(plane, of: setting.other) == 0)
            #expect(try await self.purges(plane, of: nil) == 1)
            #expect(try await self.run(plane) == [:])
        }
    }

    @Test func `a round removes a bounded number, and jobs do rounds`() async throws {
        try await TestIdentity.with { setting in
            let plane = setting.plane
            try await self.fill(plane, setting.acme, hours: [30, 31, 32, 33])
            #expect(try await self.run(plane, limit: 3)["role"] == 3)
            let jobs = Jobs(
                database: plane.services.database,
                lock: AdvisoryLock(config: plane.database.config, logger: TestPostgres.logger), time: .system,
                logger: TestPostgres.logger)
            await jobs.round()
            #expect(jobs.figures.failures == 0)
            #expect(jobs.figures.removed["role"] == 1 && jobs.figures.removed["group_member"] == 1)
            #expect(try await plane.count("role_binding where deleted_at is not null") == 0)
            #expect(try await self.purges(plane, of: setting.acme) == 2)
        }
    }
}
