import ControlPlane
import Shared
import TestKit
import Testing

struct ReportPlanTests {
    private func at(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func plan(_ boundaries: [String], to: String, byDay: Bool = true) throws -> ReportPlan {
        let starts = try boundaries.map(self.at)
        return ReportPlan(
            boundaries: starts, from: try #require(starts.first), to: try self.at(to), byDay: byDay)
    }

    @Test func `days of UTC are read by day`() throws {
        let plan = try self.plan(["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"], to: "2026-11-03T00:00:00Z")
        #expect(Array(plan.segments.keys) == [.day])
        #expect(plan.segments[.day]?.map(\.gains) == [1, 2])
    }

    @Test func `a day of a zone that is off by hours is a day, with those hours moved`() throws {
        // Berlin, where the clock is put back: the second of these days has 25 hours.
        let plan = try self.plan(
            ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"], to: "2026-10-26T23:00:00Z")
        #expect(plan.segments.keys.count == 2)
        #expect(plan.segments[.day]?.count == 3)
        #expect(
            plan.segments[.hour] == [
                .init(from: try self.at("2026-10-23T22:00:00Z"), to: try self.at("2026-10-24T00:00:00Z"), gains: 1),
                .init(
                    from: try self.at("2026-10-24T22:00:00Z"), to: try self.at("2026-10-25T00:00:00Z"), gains: 2,
                    loses: 1),
                .init(
                    from: try self.at("2026-10-25T23:00:00Z"), to: try self.at("2026-10-26T00:00:00Z"), gains: 3,
                    loses: 2),
                .init(
                    from: try self.at("2026-10-26T23:00:00Z"), to: try self.at("2026-10-27T00:00:00Z"), gains: 0,
                    loses: 3),
            ])
    }

    @Test func `in a zone that is off by quarters minutes are moved too`() throws {
        // Kathmandu: UTC+5:45.
        let plan = try self.plan(["2026-11-01T18:15:00Z"], to: "2026-11-02T18:15:00Z")
        #expect(
            plan.segments[.minute]?.first
                == .init(
                    from: try self.at("2026-11-01T18:00:00Z"), to: try self.at("2026-11-01T18:15:00Z"), gains: 0,
                    loses: 1))
        #expect(
            plan.segments[.quarterDay]?.first
                == .init(from: try self.at("2026-11-01T18:00:00Z"), to: try self.at("2026-11-02T00:00:00Z"), gains: 1))
        #expect(plan.segments[.hour] == nil)
    }

    @Test func `no day of any zone needs more than two quarters of a day, three hours and half an hour`() throws {
        for quarter in 0..<96 as Range<Int64> {
            let day = try self.at("2026-11-02T00:00:00Z").adding(seconds: quarter * 900)
            let plan = ReportPlan(boundaries: [day], from: day, to: day.adding(seconds: 31 * 86_400), byDay: true)
            #expect(plan.segments[.day]?.count == 1)
            for (level, limit) in [(.quarterDay, 2), (.hour, 3), (.minute, 30)] as [(UsageLevel, Int64)] {
                for segment in plan.segments[level] ?? [] {
                    #expect((segment.to.seconds - segment.from.seconds) / level.seconds <= limit, "\(quarter) \(level)")
                }
            }
        }
    }

    @Test func `hours are read by hour where they are whole ones of UTC, else by minute`() throws {
        let whole = try self.plan(
            ["2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z"], to: "2026-11-01T12:00:00Z", byDay: false)
        #expect(Array(whole.segments.keys) == [.hour])
        let half = try self.plan(
            ["2026-11-01T10:30:00Z", "2026-11-01T11:30:00Z"], to: "2026-11-01T12:30:00Z", byDay: false)
        #expect(Array(half.segments.keys) == [.minute])
    }

    @Test func `every minute of a period is in its bucket once, and no other is in any`() throws {
        var random = SeededRandom("report plans")
        for _ in 0..<1000 {
            let unit = [1, 15, 60, 1440][Int.random(in: 0..<4, using: &random)] as Int64
            let cuts = Set(
                (0..<Int.random(in: 1...6, using: &random)).map { _ in
                    Int64.random(in: 0..<9000, using: &random) / unit * unit
                })
            let boundaries = cuts.sorted().map { Timestamp(microseconds: $0 * 60_000_000) }
            let first = try #require(boundaries.first)
            let from = first.adding(seconds: 60 * Int64.random(in: 0..<100, using: &random))
            let to = from.adding(seconds: 60 * Int64.random(in: 1..<9000, using: &random))
            let plan = ReportPlan(
                boundaries: boundaries, from: from, to: to, byDay: Bool.random(using: &random))
            // By minute and bucket, how often it is counted.
            var counts: [[Int64]: Int] = [:]
            for (level, segments) in plan.segments {
                for segment in segments {
                    #expect(segment.from.seconds % level.seconds == 0 && segment.to.seconds % level.seconds == 0)
                    for second in stride(from: segment.from.seconds, to: segment.to.seconds, by: 60) {
                        counts[[second / 60, segment.gains], default: 0] += 1
                        counts[[second / 60, segment.loses], default: 0] -= 1
                    }
                }
            }
            counts = counts.filter { $0.key[1] > 0 && $0.value != 0 }
            #expect(counts.count == Int((to.seconds - from.seconds) / 60))
            for (key, count) in counts {
                let minute = Timestamp(microseconds: key[0] * 60_000_000)
                #expect(count == 1 && minute >= from && minute < to)
                #expect(Int64(boundaries.lastIndex { $0 <= minute } ?? -2) + 1 == key[1])
            }
        }
    }
}
