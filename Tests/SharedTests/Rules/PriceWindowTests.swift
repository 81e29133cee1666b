import Shared
import Testing

@Suite struct PriceWindowTests {
    private static func instant(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    /// A window, and instants with whether it is open then.
    static let cases: [(start: Int, end: Int, days: UInt8, at: String, isOpen: Bool)] = [
        // 2026-11-23 is a Monday.
        (60, 120, 0x7F, "2026-11-23T00:59:59.999999Z", false), (60, 120, 0x7F, "2026-11-23T01:00:00Z", true),
        (60, 120, 0x7F, "2026-11-23T01:59:59.999999Z", true), (60, 120, 0x7F, "2026-11-23T02:00:00Z", false),
        (990, 30, 0x7F, "2026-11-23T16:29:59Z", false), (990, 30, 0x7F, "2026-11-23T16:30:00Z", true),
        (990, 30, 0x7F, "2026-11-23T23:59:59Z", true), (990, 30, 0x7F, "2026-11-24T00:00:00Z", true),
        (990, 30, 0x7F, "2026-11-24T00:29:59Z", true), (990, 30, 0x7F, "2026-11-24T00:30:00Z", false),
        // Opens on Sundays: into Monday, not on Saturday's night into Sunday.
        (990, 30, 0x40, "2026-11-22T16:30:00Z", true), (990, 30, 0x40, "2026-11-23T00:29:00Z", true),
        (990, 30, 0x40, "2026-11-22T00:29:00Z", false), (990, 30, 0x40, "2026-11-23T16:30:00Z", false),
        // Weekends, all day.
        (0, 1440, 0x60, "2026-11-20T23:59:59Z", false), (0, 1440, 0x60, "2026-11-21T00:00:00Z", true),
        (0, 1440, 0x60, "2026-11-22T23:59:59Z", true), (0, 1440, 0x60, "2026-11-23T00:00:00Z", false),
        // Before 1970, which began on a Thursday.
        (0, 1440, 0x04, "1969-12-31T23:59:59.999999Z", true), (0, 1440, 0x08, "1970-01-01T00:00:00Z", true),
        (0, 1440, 0x08, "1969-12-31T23:59:59Z", false),
    ]

    @Test(arguments: Self.cases.indices)
    func `a window is open from its start until before its end`(_ index: Int) throws {
        let (start, end, days, at, isOpen) = Self.cases[index]
        let window = try #require(PriceWindow(start: start, end: end, weekdays: days))
        #expect(window.isOpen(at: WeekMinute(try Self.instant(at))) == isOpen)
    }

    @Test func `what is no window is none`() {
        for (start, end, days) in [
            (0, 0, 1), (5, 5, 1), (-1, 5, 1), (1440, 5, 1), (0, 1441, 1), (0, 5, 0), (0, 5, 128),
        ] {
            #expect(PriceWindow(start: start, end: end, weekdays: UInt8(days)) == nil)
        }
    }
}

@Suite struct PriceAdjustmentTests {
    @Test func `the nearest of random adjustments is that of the documentation`() {
        var sampler = Sampler("adjustments")
        for _ in 0..<2000 {
            let providers: [ProviderID] = [sampler.id(), sampler.id()]
            let models: [ModelID] = [sampler.id(), sampler.id()]
            let organization: NodeID = sampler.id()
            let all = sampler.many(0...8) { sampler in
                let narrowing = sampler.below(3)
                return PriceAdjustment(
                    id: sampler.id(), organization: organization,
                    provider: narrowing == 1 ? sampler.pick(providers) : nil,
                    model: narrowing == 2 ? sampler.pick(models) : nil, factor: sampler.factor(),
                    effective: Timestamp(microseconds: Int64(sampler.below(6))))
            }
            let now = Timestamp(microseconds: Int64(sampler.below(6)))
            let effective = all.filter { $0.effective <= now }
            let levels = [
                effective.filter { $0.model == models[0] }, effective.filter { $0.provider == providers[0] },
                effective.filter { $0.model == nil && $0.provider == nil },
            ]
            let level = levels.first { !$0.isEmpty } ?? []
            let latest = level.map(\.effective).max()
            let expected = level.filter { $0.effective == latest }.max { $0.id < $1.id }
            let sorted = all.sorted { $0.precedes($1) }
            let found = PriceAdjustment.nearest(
                in: sorted, sorted.indices, provider: providers[0], model: models[0], at: now)
            #expect(found.map { sorted[$0] } == expected)
        }
    }
}
