import ControlPlane
import Glibc
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct UsageRetentionTests {
    private let day: Int64 = 86_400

    private func set(_ fixture: ReportFixture, _ patch: JSONValue) async throws {
        let reply = try await fixture.fleet.plane.send("PATCH", "/v1/usage/retention", patch, ifMatch: "*")
        try #require(reply.status == 200, "\(reply.json.text)")
        #expect(reply.receipt != nil)
    }

    private func apply(_ fixture: ReportFixture) async throws -> [String: Int] {
        try await UsageKeeping.apply(fixture.fleet.plane.services.database, at: fixture.fleet.clock.now)
    }

    private func check(_ fixture: ReportFixture) async throws -> LedgerCheck {
        let now = fixture.fleet.clock.now
        return try await fixture.fleet.plane.services.database.transaction(.repeatableReadWrite) { tx in
            try LedgerCheck.run(&tx, now: now)
        }
    }

    /// Usage of ten days, as old as it says: 20 records a day.
    private func fill(_ fixture: ReportFixture) async throws {
        let now = fixture.fleet.clock.now
        try await fixture.store(
            (0..<200).map { fixture.record($0 % 2, at: now.adding(seconds: -self.day * Int64($0 / 20) - 60)) })
    }

    @Test func `sums that are not wanted go, the ledger still adds up, and reports say what is missing`() async throws {
        try await ReportFixture.with { fixture in
            try await self.fill(fixture)
            #expect(try await self.check(fixture).holds)
            #expect(try await self.apply(fixture).values.allSatisfy { $0 == 0 })
            try await self.set(fixture, ["minute_days": 2, "hour_days": 7])
            let gone = try await self.apply(fixture)
            // Of ten days, today and two are kept by minute; today and seven by hour: of 2 keys each.
            let (minutes, hours) = (gone["usage_minute"] ?? 0, gone["usage_hour"] ?? 0)
            #expect((14...16).contains(minutes) && minutes % 2 == 0, "\(gone)")
            #expect((4...6).contains(hours) && hours % 2 == 0, "\(gone)")
            #expect(gone["usage_day"] == nil && gone["usage_event"] == nil)
            #expect(try await fixture.fleet.plane.count("usage_day") == 20)
            // Whole and quick readings agree with what is left.
            #expect(try await self.check(fixture).holds)
            fixture.fleet.clock.advance(seconds: self.day + 10)
            let whole = try await self.check(fixture)
            #expect(whole.holds)
            #expect(whole.identities.levels[.minute]?.records == 200)

            let now = fixture.fleet.clock.now
            let from = Timestamp(microseconds: (now.seconds - 20 * self.day) / 60 * 60_000_000)
            let refused = try await fixture.get("from=\(from)")
            #expect(refused.status == 400 && refused.code == "not_kept")
            #expect(refused["detail"]?.string?.contains("kept since") == true)
            let days = try await fixture.get("from=\(from.description.prefix(10))")
            #expect(days["items"]?.array?.first?["requests"] == 200)
            #expect(try await fixture.get("").status == 200)
        }
    }

    @Test func `a partition goes when it is old enough and all of it is in the sums`() async throws {
        try await ReportFixture.with { fixture in
            let plane = fixture.fleet.plane
            try await self.fill(fixture)
            // What arrived five days ago, in a partition of its own; and some without one, older.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute("select usage_event_partition((now() at time zone 'UTC')::date - 5)")
                _ = try tx.execute(
                    """
                    update usage_event set ingested_at = date_trunc('day', now(), 'UTC') - interval '5 days'
                    where seq <= 150
                    """)
                _ = try tx.execute(
                    "update usage_event set ingested_at = now() - interval '30 days' where seq > 150 and seq <= 170")
            }
            #expect(try await self.check(fixture).holds)
            func drop() async throws -> (partitions: Int?, rows: Int?) {
                let gone = try await self.apply(fixture)
                return (gone["usage_event"], gone["usage_event_default"])
            }
            #expect(try await drop() == (nil, nil))
            try await self.set(fixture, ["raw_days": 6])
            #expect(try await drop() == (0, 20))
            try await self.set(fixture, ["raw_days": 3])
            // Not while a record of that day is in no sum.
            try await plane.database.database.transaction { tx in
                _ = try tx.execute(
                    """
                    insert into usage_unfolded values (gen_random_uuid(), 1, 1, date_trunc('day', now(), 'UTC')
                        - interval '4 days 1 hour', 1, 1)
                    """)
            }
            #expect(try await drop() == (0, 0))
            try await plane.database.database.transaction { tx in _ = try tx.execute("delete from usage_unfolded") }
            #expect(try await drop() == (1, 0))
            #expect(try await plane.count("usage_event") == 30)
            fixture.fleet.clock.advance(seconds: self.day + 10)
            let whole = try await self.check(fixture)
            #expect(whole.holds)
            #expect(whole.identities.events == 200)
            #expect(try await fixture.all("from=2020-01-01").first?["requests"] == 200)
        }
    }

    @Test func `settings are bounded, and changed by who has seen them`() async throws {
        try await TestControlPlane.with { plane in
            let read = try await plane.send("GET", "/v1/usage/retention")
            #expect(read["raw_days"] == .null && read["day_days"] == .null)
            for patch in [
                ["minute_days": 1], ["raw_days": 0], ["quarter_day_days": 6], ["day_days": 30], ["week_days": 7],
            ] as [JSONValue] {
                #expect(try await plane.send("PATCH", "/v1/usage/retention", patch, ifMatch: "*").status == 400)
            }
            #expect(try await plane.send("PATCH", "/v1/usage/retention", ["raw_days": 90]).status == 428)
            let changed = try await plane.send(
                "PATCH", "/v1/usage/retention", ["raw_days": 90, "quarter_day_days": 8], ifMatch: read.etag)
            #expect(changed["raw_days"] == 90 && changed["quarter_day_days"] == 8 && changed["hour_days"] == .null)
            #expect(try await plane.send("PATCH", "/v1/usage/retention", [:], ifMatch: read.etag).status == 412)
            let back = try await plane.send("PATCH", "/v1/usage/retention", ["raw_days": .null], ifMatch: changed.etag)
            #expect(back["raw_days"] == .null)
        }
    }

    @Test func `a day is exported as the API shows it, and no file is replaced`() async throws {
        try await ReportFixture.with { fixture in
            try await self.fill(fixture)
            let day = String(fixture.fleet.clock.now.description.prefix(10))
            let path = "/tmp/gatehouse-export-\(getpid())-\(UInt64.random(in: 0 ... .max)).ndjson"
            defer { Files.remove(path) }
            let database = fixture.fleet.plane.services.database
            #expect(try await UsageExport.write(database, day: day, to: path) == 200)
            let text = String(decoding: try Files.read(path, limit: 1 << 20), as: UTF8.self)
            let lines = try text.split(separator: "\n").map { try JSONParser.parse(Array($0.utf8)) }
            let listed = try await fixture.fleet.plane.send("GET", "/v1/usage/records?limit=200")["items"]?.array ?? []
            #expect(lines.count == 200)
            #expect(Set(lines) == Set(listed))
            await #expect(throws: UsageExport.Failure.self) {
                try await UsageExport.write(database, day: day, to: path)
            }
            await #expect(throws: UsageExport.Failure.self) {
                try await UsageExport.write(database, day: "2026-02-30", to: path + ".2")
            }
            #expect(access(path + ".partial", F_OK) != 0)
        }
    }
}
