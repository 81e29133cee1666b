import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Tags of usage as they are stored: each set once for an organization.
@Suite(.timeLimit(.minutes(10))) struct UsageTagTests {
    private static func set(_ text: String) throws -> TagSet { try #require(TagSet(utf8: Array(text.utf8))) }

    /// The text of each stored record's tags, by number.
    private func stored(_ fleet: TestFleet, _ stream: UsageStreamID) async throws -> [String] {
        try await fleet.plane.database.database.transaction { tx in
            try tx.query(
                """
                select coalesce(t.text, '') as text from usage_event e left join usage_tag_set t on t.id = e.tag_set_id
                    and t.organization_id = e.organization_id where e.stream_id = $1 order by e.seq
                """, stream
            ).map { try $0.get("text", as: String.self) }
        }
    }

    @Test func `a set is stored once, whichever batch and stream it comes with`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let streams: [UsageStreamID] = [TimeSource.system.newID(), TimeSource.system.newID()]
            for stream in streams {
                for from in [1, 4] {
                    var batch = try fleet.batch(gateway, stream, from: from, count: 3)
                    batch.tagSets = [try Self.set("env=a,team=x"), try Self.set("team=\(from)")]
                    for (index, tags) in [2, 0, 1].enumerated() { batch.records[index].tags = tags }
                    #expect(try await fleet.deliver(gateway, batch) == (200, from + 2))
                    // A batch that comes again changes nothing.
                    #expect(try await fleet.deliver(gateway, batch) == (200, from + 2))
                }
                let expected = ["team=1", "", "env=a,team=x", "team=4", "", "env=a,team=x"]
                #expect(try await self.stored(fleet, stream) == expected)
            }
            #expect(try await fleet.plane.count("usage_tag_set") == 3)
            #expect(try await fleet.plane.count("usage_tag_count where sets = 3") == 1)
            // In the sums, and the ledger adds up.
            let rollups = Rollups(database: fleet.plane.services.database, logger: TestPostgres.logger)
            try await rollups.foldAll()
            #expect(rollups.figures.folded == 12)
            #expect(try await fleet.plane.count("usage_series") == 4 * 3)
            #expect(try await fleet.plane.count("usage_unfolded") == 0)
        }
    }

    @Test func `two gateways bring the same new sets at once`() async throws {
        try await TestFleet.with { fleet in
            let gateways = [try await fleet.enrol(), try await fleet.enrol(), try await fleet.enrol()]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for gateway in gateways {
                    group.addTask {
                        let stream: UsageStreamID = TimeSource.system.newID()
                        for round in 0..<10 {
                            var batch = try fleet.batch(gateway, stream, from: round * 5 + 1, count: 5)
                            batch.tagSets = try (0..<5).map { try Self.set("team=\(round)-\($0)") }
                            for index in 0..<5 { batch.records[index].tags = 5 - index }
                            #expect(try await fleet.deliver(gateway, batch) == (200, round * 5 + 5))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fleet.plane.count("usage_tag_set") == 50)
            #expect(try await fleet.plane.count("usage_tag_count where sets = 50") == 1)
            #expect(try await fleet.plane.count("usage_event where tag_set_id = 0") == 0)
        }
    }

    @Test func `sets beyond an organization's bound are counted as one, and said`() async throws {
        try await TestFleet.with { fleet in
            let organization = try #require(OrganizationID(fleet.organization))
            // All but two are there already.
            try await fleet.plane.database.database.transaction { tx in
                _ = try tx.execute(
                    "insert into usage_tag_count (organization_id, sets) values ($1, 99998)", organization)
            }
            let (gateway, stream) = (try await fleet.enrol(), TimeSource.system.newID() as UsageStreamID)
            var batch = try fleet.batch(gateway, stream, from: 1, count: 5)
            batch.tagSets = try ["team=a", "team=b", "team=c", "team=d", "team=a"].map { try Self.set($0) }
            for index in 0..<5 { batch.records[index].tags = index + 1 }
            #expect(try await fleet.deliver(gateway, batch) == (200, 5))
            #expect(try await self.stored(fleet, stream) == ["team=a", "team=b", "(other)", "(other)", "team=a"])
            #expect(fleet.routes.figures.current.otherTags == 2)
            // What is known stays told apart.
            var next = try fleet.batch(gateway, stream, from: 6, count: 2)
            next.tagSets = try ["team=b", "team=e"].map { try Self.set($0) }
            for index in 0..<2 { next.records[index].tags = index + 1 }
            #expect(try await fleet.deliver(gateway, next) == (200, 7))
            #expect(try await self.stored(fleet, stream).suffix(2) == ["team=b", "(other)"])
            #expect(try await fleet.plane.count("usage_tag_set") == 3)
            #expect(try await fleet.plane.count("usage_tag_count where sets = 100000") == 1)
        }
    }

    @Test func `a record of another organization brings no set`() async throws {
        try await TestFleet.with { fleet in
            let (_, stranger) = try await fleet.plane.makeProject("stranger")
            let (gateway, stream) = (try await fleet.enrol(), TimeSource.system.newID() as UsageStreamID)
            var batch = try fleet.batch(gateway, stream, from: 1, count: 2)
            batch.records[0].project = try #require(ProjectID(stranger)).node
            batch.tagSets = [try Self.set("team=secret"), try Self.set("team=own")]
            for index in 0..<2 { batch.records[index].tags = index + 1 }
            #expect(try await fleet.deliver(gateway, batch) == (200, 2))
            #expect(try await fleet.plane.count("usage_tag_set") == 1)
            #expect(try await fleet.plane.count("usage_rejected") == 1)
        }
    }
}
