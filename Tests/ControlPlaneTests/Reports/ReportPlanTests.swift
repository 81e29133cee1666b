import ControlPlane
import Shared
import TestKit
import Testing

struct ReportPlanTests {
    private func at(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func plan(_ boundaries: [String], to: String) throws -> ReportPlan {
        let starts = try boundaries.map(self.at)
        return ReportPlan(boundaries: starts, from: try #require(starts.first), to: try self.at(to))
    }

    @Test func `days of UTC are read by day`() throws {
        let plan = try self.plan(["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"], to: "2026-11-03T00:00:00Z")
        #expect(plan.segments.keys.sorted { $0.seconds < $1.seconds } == [.day])
        #expect(plan.segments[.day]?.count == 1)
    }

    @Test func `days of a zone that is off by hours are read by hour`() throws {
        // Berlin, where the clock is put back: the second of these days has 25 hours.
        let plan = try self.plan(
            ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"], to: "2026-10-26T23:00:00Z")
        #expect(Array(plan.segments.keys) == [.hour])
        #expect(plan.segments[.hour]?.count == 1)
    }

    @Test func `days of a zone that is off by quarters are read by hour and, at their ends, by minute`() throws {
        // Kathmandu: UTC+5:45.
        let plan = try self.plan(
            ["2026-11-01T18:15:00Z", "2026-11-02T18:15:00Z"], to: "2026-11-03T18:15:00Z")
        #expect(plan.segments[.day] == nil)
        #expect(plan.segments[.hour]?.count == 2)
        #expect(plan.segments[.minute]?.count == 3)
        #expect(
            plan.segments[.minute]?[1]
                == .init(from: try self.at("2026-11-02T18:00:00Z"), to: try self.at("2026-11-02T19:00:00Z")))
    }

    @Test func `a month is read by day but for its ends`() throws {
        let plan = try self.plan(["2026-10-31T23:00:00Z"], to: "2026-11-30T23:00:00Z")
        #expect(
            plan.segments[.day]
                == [.init(from: try self.at("2026-11-01T00:00:00Z"), to: try self.at("2026-11-30T00:00:00Z"))])
        #expect(plan.segments[.hour]?.count == 2)
        #expect(plan.segments[.minute] == nil)
    }

    @Test func `any period is covered once, by whole rows that lie in one bucket`() throws {
        var random = SeededRandom("report plans")
        for _ in 0..<2000 {
            let minutes = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                Int64.random(in: 0..<6000, using: &random)
            }
            let cuts = Set(minutes).sorted()
            let unit = [1, 15, 60, 1440][Int.random(in: 0..<4, using: &random)] as Int64
            let boundaries = cuts.map { Timestamp(microseconds: $0 / unit * unit * 60_000_000) }
            let first = try #require(boundaries.first)
            let from = first.adding(seconds: 60 * Int64.random(in: 0..<100, using: &random))
            let to = from.adding(seconds: 60 * Int64.random(in: 1..<9000, using: &random))
            let plan = ReportPlan(boundaries: boundaries, from: from, to: to)
            var covered: [Int64: Int] = [:]
            for (level, segments) in plan.segments {
                for segment in segments {
                    #expect(segment.from.seconds % level.seconds == 0 && segment.to.seconds % level.seconds == 0)
                    for start in stride(from: segment.from.seconds, to: segment.to.seconds, by: Int(level.seconds)) {
                        let inside = boundaries.filter { $0.seconds > start && $0.seconds < start + level.seconds }
                        #expect(inside.filter { $0 > from && $0 < to }.isEmpty, "a row of two buckets")
                        for minute in 0..<level.seconds / 60 { covered[start / 60 + minute, default: 0] += 1 }
                    }
                }
            }
            #expect(covered.count == Int((to.seconds - from.seconds) / 60))
            #expect(covered.allSatisfy { $0.value == 1 })
            #expect(covered.keys.allSatisfy { $0 >= from.seconds / 60 && $0 < to.seconds / 60 })
        }
    }
}
