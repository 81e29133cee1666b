import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct UsagePartitionTests {
    private func add(_ plane: TestControlPlane, days: Int64) async throws {
        try await plane.database.database.transaction { tx in
            try LedgerFixture.add(&tx, 1, at: TimeSource.system.now().adding(seconds: days * 86_400))
        }
    }

    private func partitions(_ plane: TestControlPlane) async throws -> Int {
        try await plane.count("pg_inherits where inhparent = 'usage_event'::regclass")
    }

    @Test func `days ahead have a partition, and take what comes then`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await UsagePartitions.prepare(plane.services.database) == 2)
            #expect(try await UsagePartitions.prepare(plane.services.database) == 2)
            #expect(try await self.partitions(plane) == 4)
            for day in 0...2 { try await self.add(plane, days: Int64(day)) }
            #expect(try await plane.count("usage_event_default") == 0)
            // Days that have none are caught by the default partition.
            try await self.add(plane, days: 30)
            try await self.add(plane, days: -30)
            #expect(try await plane.count("usage_event_default") == 2)
            #expect(try await plane.count("usage_event") == 5)
            // Block ranges only: nothing slows the insert down.
            let indexes = try await plane.count(
                """
                pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
                where i.indrelid in (select inhrelid from pg_inherits where inhparent = 'usage_event'::regclass)
                    and a.amname <> 'brin'
                """
            )
            #expect(indexes == 0)
        }
    }

    @Test func `rows that are in the default partition already stay there`() async throws {
        try await TestControlPlane.with { plane in
            try await self.add(plane, days: 0)
            #expect(try await UsagePartitions.prepare(plane.services.database) == 2)
            try await self.add(plane, days: 0)
            #expect(try await plane.count("usage_event_default") == 2)
            #expect(try await plane.count("usage_event") == 2)
            #expect(try await self.partitions(plane) == 3)
        }
    }

    @Test func `an ingest that is under way is not disturbed, and the partition is made later`() async throws {
        try await TestControlPlane.with { plane in
            let database = plane.services.database
            let session = try Connection(plane.database.config)
            try session.runScript("begin; lock table usage_event_default in row exclusive mode")
            // The function has a short lock time-out of its own: the session's would be a minute here.
            let refusal = await #expect(throws: PostgresError.self) { try await UsagePartitions.prepare(database) }
            #expect(refusal?.sqlState == .lockNotAvailable)
            try session.runScript("rollback")
            #expect(try await UsagePartitions.prepare(database) == 2)
        }
    }
}
