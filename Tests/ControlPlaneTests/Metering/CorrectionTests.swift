import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What re-ratings change is in the sums, once.
@Suite(.timeLimit(.minutes(10))) struct CorrectionTests {
    @Test func `corrections are in every level once, whatever arrives and folds beside them`() async throws {
        let seeded = SeededRandom("corrections")
        try await CorrectionFixture.with { fixture in
            var random = seeded
            var stored = 0
            var corrected: Int64 = 0
            for round in 0..<8 {
                let records = fixture.random(Int.random(in: 20...120, using: &random), &random)
                try await fixture.deliver(records, after: stored)
                stored += records.count
                if Bool.random(using: &random) { try await fixture.fold() }
                // Each from an instant of its own.
                let instant = Int64.random(in: fixture.range, using: &random) / 60 * 60 + Int64(round)
                try await fixture.setPrice("\(Int.random(in: 1...3000, using: &random))", at: instant)
                let from = Int64.random(in: fixture.range, using: &random) / 60 * 60
                let period = round == 3 ? fixture.range : from..<fixture.range.upperBound
                let (more, count) = (fixture.random(50, &random), stored)
                // Usage arrives and two replicas fold while it is re-rated.
                async let arrival: Void = fixture.deliver(more, after: count)
                async let one: Void = fixture.fold()
                async let other: Void = fixture.fold()
                corrected += try await fixture.rerate(period)["corrected"]?.integer ?? 0
                _ = try await (arrival, one, other)
                stored += more.count
                #expect(try await fixture.check(after: Int64(round) * 700).holds)
            }
            #expect(corrected > 0)
            try await fixture.fold()
            #expect(try await fixture.plane.count("rerating_unfolded") == 0)
            #expect(try await fixture.plane.count("usage_correction") == Int(corrected))
            for level in UsageLevel.allCases {
                #expect(try await fixture.differences(level) == 0, "\(level)")
            }
            let cost = try await fixture.naiveCost()
            let settled = try await fixture.number("select sum(cost_nano_usd) from usage_event")
            let check = try await fixture.check(after: 90_000)
            #expect(check.holds)
            #expect(check.identities.corrections == cost - settled && cost != settled)
            #expect(check.identities.unfolded == .init())
            // Reports of any kind have all of it, and say how much was corrected.
            for query in [
                "", "&bucket=hour", "&bucket=day&time_zone=America/Los_Angeles", "&group_by=key,status&bucket=month",
                "&group_by=user&bucket=day&time_zone=Pacific/Chatham",
            ] {
                let items = try await fixture.base.all("from=\(Self.days(fixture, -12))&limit=7\(query)")
                func sum(_ name: String) -> Int64 { items.reduce(0) { $0 + (Int64($1[name]?.string ?? "") ?? 0) } }
                #expect(sum("amount_nano_usd") == cost, "\(query)")
                #expect(sum("corrections_nano_usd") == cost - settled, "\(query)")
            }
        }
    }

    private static func days(_ fixture: CorrectionFixture, _ days: Int64) -> String {
        String(fixture.now.adding(seconds: days * CorrectionFixture.day).description.prefix(10))
    }

    private func round(_ fixture: CorrectionFixture, records: Int64) async throws -> [Int64]? {
        try await fixture.plane.services.database.transaction { tx in
            try Rollups.fold(&tx, records: records).map { [$0.records, $0.corrections] }
        }
    }

    @Test func `a correction is folded after its record, in the order of re-ratings, and so many at once`() async throws
    {
        try await CorrectionFixture.with { fixture in
            let start = fixture.range.upperBound - 7200
            try await fixture.deliver((0..<3).map { fixture.record($0 % 2, at: start) }, after: 0)
            fixture.base.fleet.clock.advance(seconds: 5)
            try await fixture.deliver((0..<4).map { fixture.record($0 % 2, at: start + 600) }, after: 3)
            // Of the four first, then of the three, which are in no sum either, then of all seven.
            try await fixture.setPrice("10", at: start + 300)
            #expect(try await fixture.rerate(start + 300..<start + 900)["corrected"] == 4)
            try await fixture.setPrice("20", at: start - 60)
            #expect(try await fixture.rerate(start - 60..<start + 300)["corrected"] == 3)
            try await fixture.setPrice("30", at: start + 301)
            #expect(try await fixture.rerate()["corrected"] == 4)
            #expect(try await fixture.check().holds)
            // The second could go with its records; but it is not the first one.
            #expect(try await self.round(fixture, records: 1) == [3, 0])
            #expect(try await fixture.check(after: 700).holds)
            #expect(try await self.round(fixture, records: 1) == [4, 4])
            #expect(try await self.round(fixture, records: 4) == [0, 7])
            #expect(try await self.round(fixture, records: 4) == nil)
            #expect(try await fixture.check(after: 1400).holds)
            #expect(try await fixture.differences(.minute) == 0)
        }
    }

    @Test func `a re-rating of as many records as there may be is folded in one round`() async throws {
        try await CorrectionFixture.with { fixture in
            // Half of them in the sums, half of them only stored.
            let half = Int64(Rerating.recordsLimit / 2)
            try await fixture.insert(half, after: 0)
            try await fixture.fold()
            try await fixture.insert(half, after: half)
            try await fixture.setPrice("999", at: fixture.range.lowerBound)
            #expect(try await fixture.rerate()["corrected"] == .integer(2 * half))
            #expect(try await self.round(fixture, records: Rollups.recordsLimit) == [half, 2 * half])
            #expect(try await fixture.check().holds)
            for level in UsageLevel.allCases { #expect(try await fixture.differences(level) == 0, "\(level)") }
            try await fixture.insert(1, after: 2 * half)
            let refused = try await fixture.send(fixture.range)
            #expect(refused.status == 409 && refused.code == "too_many")
        }
    }

    @Test func `what was corrected after its minutes went is in the levels that are kept`() async throws {
        try await CorrectionFixture.with { fixture in
            let start = fixture.range.upperBound - 5 * CorrectionFixture.day
            try await fixture.deliver((0..<4).map { fixture.record($0 % 2, at: start) }, after: 0)
            try await fixture.fold()
            let kept = try await fixture.plane.send(
                "PATCH", "/v1/usage/retention", ["minute_days": 2], ifMatch: "*")
            #expect(kept.status == 200)
            func apply() async throws -> Int? {
                try await UsageKeeping.apply(fixture.plane.services.database, at: fixture.now)["usage_minute"]
            }
            #expect(try await apply() == 2)
            try await fixture.setPrice("100", at: start - 60)
            #expect(try await fixture.rerate()["corrected"] == 4)
            try await fixture.fold()
            #expect(try await fixture.check().holds)
            // What the correction brought back goes like what was there.
            #expect(try await fixture.plane.count("usage_minute") == 2)
            #expect(try await apply() == 2)
            #expect(try await fixture.check(after: 700).holds)
            #expect(try await fixture.check(after: 90_000).holds)
            #expect(try await fixture.plane.count("usage_minute") == 0)
            for level in [UsageLevel.hour, .quarterDay, .day] { #expect(try await fixture.differences(level) == 0) }
            let days = try await fixture.base.all("from=\(Self.days(fixture, -8))&bucket=day")
            #expect(days.map { $0["amount_nano_usd"] } == ["2000000"])
            #expect(days.map { $0["corrections_nano_usd"] } == ["-18000000"])
        }
    }

    @Test func `a changed correction is seen wherever it is`() async throws {
        try await CorrectionFixture.with { fixture in
            try await fixture.deliver(
                (0..<6).map { fixture.record($0 % 2, at: fixture.range.lowerBound + 3600 * Int64($0)) }, after: 0)
            try await fixture.setPrice("900", at: fixture.range.lowerBound)
            _ = try await fixture.rerate()
            try await fixture.fold()
            try await fixture.setPrice("800", at: fixture.range.lowerBound + 1)
            _ = try await fixture.rerate()
            var at: Int64 = 0
            #expect(try await fixture.check().holds)
            let levels: [(SQL, SQL)] = UsageLevel.allCases.map { level in
                let set: SQL = "update " + level.table + " set corrections_nano_usd = corrections_nano_usd"
                return (set + " + 1", set + " - 1")
            }
            for (harm, remedy) in levels + [
                (
                    "update usage_correction set after_nano_usd = after_nano_usd + 1",
                    "update usage_correction set after_nano_usd = after_nano_usd - 1"
                ),
                (
                    "update rerating set after_nano_usd = after_nano_usd + 1",
                    "update rerating set after_nano_usd = after_nano_usd - 1"
                ),
                (
                    "update rerating_unfolded set difference_nano_usd = difference_nano_usd + 1",
                    "update rerating_unfolded set difference_nano_usd = difference_nano_usd - 1"
                ),
            ] {
                at += 100_000
                try await fixture.execute(harm)
                #expect(try await fixture.check(after: at).holds == false, "\(harm)")
                try await fixture.execute(remedy)
                #expect(try await fixture.check(after: at + 5000).holds)
            }
            // Between whole readings, what was folded is read too: without the whole day's records.
            let whole = try await fixture.check(after: at + 6000).wholeAt
            try await fixture.fold()
            let quick = try await fixture.check(after: at + 6600)
            #expect(quick.holds && quick.wholeAt == whole)
            #expect(quick.identities.corrections == quick.identities.levels[.hour]?.corrections)
            try await fixture.execute(levels[1].0)
            #expect(try await fixture.check(after: at + 6700).identities.holds == false)
        }
    }

    @Test func `a record shows what it costs now beside what it was settled at, and so do statements and FOCUS`()
        async throws
    {
        try await CorrectionFixture.with { fixture in
            let start = fixture.range.upperBound - 7200
            let records = [fixture.record(0, at: start), fixture.record(0, at: start - 600)]
            try await fixture.deliver(records, after: 0)
            try await fixture.setPrice("2000", at: start - 60)
            _ = try await fixture.rerate()
            try await fixture.setPrice("3000", at: start)
            let second = try await fixture.rerate()
            try await fixture.fold()
            let one = try await fixture.plane.send("GET", "/v1/usage/records/\(records[0].request)")
            #expect(one["amount_nano_usd"] == "5000000")
            #expect(one["correction"]?["amount_nano_usd"] == "15000000")
            #expect(one["correction"]?["rerating"]?.string == second.id)
            let items = try await fixture.plane.send("GET", "/v1/usage/records")["items"]?.array ?? []
            #expect(
                items == [
                    one.json, try await fixture.plane.send("GET", "/v1/usage/records/\(records[1].request)").json,
                ])
            #expect(items.last?["correction"] == .null)

            let period = "from=\(Self.days(fixture, -3))"
            let focus = try await fixture.base.get("format=focus&\(period)")
            let lines = String(decoding: focus.response.body, as: UTF8.self).split(separator: "\r\n").map {
                $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            let header = try #require(lines.first)
            func total(_ column: String, _ read: (String) -> Int64?) throws -> Int64 {
                let index = try #require(header.firstIndex(of: column))
                return lines.dropFirst().reduce(0) { $0 + (read($1[index]) ?? .min / 4) }
            }
            #expect(try total("BilledCost") { NanoUSD(usd: $0)?.amount } == 20_000_000)
            #expect(try total("x_corrections_nano_usd") { Int64($0) } == 10_000_000)

            let day = String(records[0].started.description.prefix(10))
            let file = "day,model,requests,amount_usd\n\(day),m-1,1,0.015\n"
            let made = try await fixture.plane.send(
                APIRequest(
                    "POST", "/v1/provider-statements?provider=\(fixture.base.provider)",
                    headers: ["authorization": "Bearer \(fixture.plane.root)", "content-type": "text/csv"],
                    body: Array(file.utf8)))
            let differences = try await fixture.plane.send("GET", "/v1/provider-statements/\(made.id)/differences")
            let sameDay = records[1].started.description.hasPrefix(day)
            #expect(
                differences["items"]?.array?.first?["recorded"]?["amount_nano_usd"]?.string
                    == (sameDay ? "20000000" : "15000000"))
        }
    }
}
