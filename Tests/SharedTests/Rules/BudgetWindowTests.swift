import Shared
import Testing

@Suite struct BudgetWindowTests {
    private static func instant(_ text: String) -> Timestamp { Timestamp(text) ?? Timestamp(microseconds: -1) }

    /// Berlin around its change to summer time and back in 2026.
    private static let berlin = ZoneOffsets([
        .init(since: 1_761_440_400, offset: 3600), .init(since: 1_774_746_000, offset: 7200),
        .init(since: 1_792_890_000, offset: 3600),
    ])

    static let cases: [(String, BudgetPeriod, start: String, end: String)] = [
        ("2026-03-29T12:00:00Z", .day, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-10-25T12:00:00Z", .day, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-11-26T22:59:59.999999Z", .day, "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z"),
        ("2026-11-26T23:00:00Z", .day, "2026-11-26T23:00:00Z", "2026-11-27T23:00:00Z"),
        // A Thursday: the week is from Monday on.
        ("2026-11-26T12:00:00Z", .week, "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"),
        ("2026-03-30T12:00:00Z", .week, "2026-03-29T22:00:00Z", "2026-04-05T22:00:00Z"),
        ("2026-11-26T12:00:00Z", .month, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-10-31T23:30:00Z", .month, "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-02-10T00:00:00Z", .quarter, "2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-12-31T23:30:00Z", .quarter, "2026-12-31T23:00:00Z", "2027-03-31T23:00:00Z"),
        ("2026-06-01T00:00:00Z", .year, "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-11-26T12:34:56Z", .hour, "2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z"),
        ("2026-11-26T12:34:56Z", .minute, "2026-11-26T12:34:00Z", "2026-11-26T12:35:00Z"),
    ]

    @Test(arguments: Self.cases)
    func `windows are where the clocks of the zone say`(
        _ text: String, _ period: BudgetPeriod, _ start: String, _ end: String
    )
        throws
    {
        let zone = try #require(Self.berlin)
        let window = BudgetWindow.containing(Self.instant(text), period, in: zone)
        #expect(window.start == Self.instant(start))
        #expect(window.end == Self.instant(end).microseconds)
    }

    @Test func `a total has one window`() {
        for microseconds in [Int64.min, 0, 1_800_000_000_000_000, .max] {
            let window = BudgetWindow.containing(Timestamp(microseconds: microseconds), .total, in: .utc)
            #expect(window == BudgetWindow(startMinute: 0, end: .max))
        }
    }

    @Test func `windows follow each other without a gap, in any zone`() {
        var sampler = Sampler("budget windows")
        for _ in 0..<3000 {
            let zone = sampler.zone()
            let period = sampler.pick([BudgetPeriod.minute, .hour, .day, .week, .month, .quarter, .year])
            let seconds = Int64(sampler.integer(200_000_000...4_000_000_000))
            let at = Timestamp(microseconds: seconds * 1_000_000 + Int64(sampler.below(1_000_000)))
            let window = BudgetWindow.containing(at, period, in: zone)
            #expect(window.start <= at && at.microseconds < window.end)
            // Every instant of it finds the same one, and the end is the next one's start.
            let last = BudgetWindow.containing(Timestamp(microseconds: window.end - 1), period, in: zone)
            let first = BudgetWindow.containing(window.start, period, in: zone)
            let next = BudgetWindow.containing(Timestamp(microseconds: window.end), period, in: zone)
            #expect(last == window && first == window, "\(zone) \(period) \(at)")
            #expect(next.start.microseconds == window.end, "\(zone) \(period) \(at)")
        }
    }

    @Test func `instants that no calendar has do not trap`() {
        var sampler = Sampler("far instants")
        for period in BudgetPeriod.allCases {
            for microseconds in [Int64.min, -1, 0, 253_402_300_800_000_000, .max] {
                let window = BudgetWindow.containing(Timestamp(microseconds: microseconds), period, in: sampler.zone())
                #expect(window.end > 0)
            }
        }
    }

    @Test func `offsets that cannot be are refused`() {
        #expect(ZoneOffsets([]) == nil)
        #expect(ZoneOffsets([.init(since: 5, offset: 0), .init(since: 5, offset: 1)]) == nil)
        #expect(ZoneOffsets([.init(since: 0, offset: 54_001)]) == nil)
        #expect(ZoneOffsets([.init(since: -1, offset: 0)]) == nil)
        #expect(ZoneOffsets((0..<65).map { .init(since: Int64($0), offset: 0) }) == nil)
    }
}
