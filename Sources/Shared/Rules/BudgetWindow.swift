/// How often a budget starts anew.
///
/// Numbers are part of the wire format: append only.
package enum BudgetPeriod: UInt8, Sendable, CaseIterable {
    case minute = 1
    case hour = 2
    case day = 3
    /// From Monday to Sunday (ISO 8601).
    case week = 4
    case month = 5
    case quarter = 6
    case year = 7
    /// Never: one amount for as long as the budget exists.
    case total = 8

    package var name: String {
        switch self {
        case .minute: "minute"
        case .hour: "hour"
        case .day: "day"
        case .week: "week"
        case .month: "month"
        case .quarter: "quarter"
        case .year: "year"
        case .total: "total"
        }
    }

    package init?(name: String) {
        guard let period = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = period
    }
}

/// What a time zone's clocks are set to over some span: all that finding a day's beginning takes, so that no program
/// that follows the rule needs a time zone database.
package struct ZoneOffsets: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        /// Seconds since 1970 from which on it holds.
        package let since: Int64
        /// Seconds that the zone's clocks are ahead of UTC.
        package let offset: Int32

        package init(since: Int64, offset: Int32) {
            self.since = since
            self.offset = offset
        }
    }

    /// Ascending; the first holds before its own instant too.
    package let entries: [Entry]

    package static let utc = ZoneOffsets(unchecked: [Entry(since: 0, offset: 0)])
    package static let entriesLimit = 64
    /// Most that any zone was ever ahead or behind.
    private static let offsets: ClosedRange<Int32> = -54_000...54_000

    /// Nil unless the entries ascend and can be offsets.
    package init?(_ entries: [Entry]) {
        guard (1...Self.entriesLimit).contains(entries.count),
            zip(entries, entries.dropFirst()).allSatisfy({ $0.since < $1.since }),
            entries.allSatisfy({ Self.offsets.contains($0.offset) && BudgetWindow.seconds.contains($0.since) })
        else { return nil }
        self.init(unchecked: entries)
    }

    private init(unchecked entries: [Entry]) { self.entries = entries }

    /// The offset at an instant, in seconds.
    func offset(at seconds: Int64) -> Int64 {
        var offset = Int64(self.entries[0].offset)
        for entry in self.entries where entry.since <= seconds { offset = Int64(entry.offset) }
        return offset
    }

    /// The instant at which the zone's clocks show `local` (seconds since 1970 of a clock without a zone).
    ///
    /// Where that is never, because clocks are put forward over it, it is taken by the clock before; where it is twice,
    /// because they are put back, the second time: as PostgreSQL's `at time zone` has it.
    func instant(ofLocal local: Int64) -> Int64 {
        var result = local - Int64(self.entries[0].offset)
        for (before, entry) in zip(self.entries, self.entries.dropFirst()) {
            let after = local - Int64(entry.offset)
            let isGap = after < entry.since && local - Int64(before.offset) >= entry.since
            if after >= entry.since {
                result = after
            } else if isGap {
                result = local - Int64(before.offset)
            }
        }
        return result
    }
}

/// The span in which one amount of a budget may be spent.
package struct BudgetWindow: Hashable, Sendable {
    /// Minutes since 1970 at which it begins: with the budget it names an account.
    package let startMinute: UInt32
    /// Microseconds since 1970 at which it ends; `.max` for never.
    package let end: Int64

    package init(startMinute: UInt32, end: Int64) {
        self.startMinute = startMinute
        self.end = end
    }

    package var start: Timestamp { Timestamp(microseconds: Int64(self.startMinute) * 60_000_000) }

    /// Seconds since 1970 that windows are found for: the years 1970 to 9999.
    package static let seconds: Range<Int64> = 0..<253_402_300_800

    /// The window of a period that an instant is in, by the clocks of a zone.
    ///
    /// Minutes and hours are those of UTC: where clocks are put back, an hour of theirs would be two. An instant outside
    /// of the years 1970 to 9999 counts as the nearest within.
    package static func containing(_ instant: Timestamp, _ period: BudgetPeriod, in zone: ZoneOffsets) -> BudgetWindow {
        let now = min(max(instant.seconds, Self.seconds.lowerBound), Self.seconds.upperBound - 1)
        switch period {
        case .total: return BudgetWindow(startMinute: 0, end: .max)
        case .minute: return Self.fixed(now, 60)
        case .hour: return Self.fixed(now, 3600)
        case .day, .week, .month, .quarter, .year:
            let today = Self.floorDivide(now + zone.offset(at: now), 86_400)
            // The day on the wall may be one off where clocks jump at midnight: the neighbours are looked at too.
            var start = zone.instant(ofLocal: Self.first(of: period, today, -1) * 86_400)
            for step in 0...2 {
                let next = zone.instant(ofLocal: Self.first(of: period, today, step) * 86_400)
                if next > now { return Self.between(start, next) }
                start = next
            }
            return Self.between(start, start + 86_400)
        }
    }

    private static func between(_ start: Int64, _ end: Int64) -> BudgetWindow {
        BudgetWindow(startMinute: UInt32(clamping: start / 60), end: end * 1_000_000)
    }

    private static func fixed(_ now: Int64, _ length: Int64) -> BudgetWindow {
        Self.between(now / length * length, (now / length + 1) * length)
    }

    /// The first day (since 1970) of the period `step` periods after the one that `day` is in.
    private static func first(of period: BudgetPeriod, _ day: Int64, _ step: Int) -> Int64 {
        switch period {
        case .week:
            // The first day of 1970 was a Thursday.
            return Self.floorDivide(day + 3, 7) * 7 - 3 + Int64(step) * 7
        case .month: return Self.firstOfMonth(day, length: 1, step)
        case .quarter: return Self.firstOfMonth(day, length: 3, step)
        case .year: return Self.firstOfMonth(day, length: 12, step)
        case .day, .minute, .hour, .total: return day + Int64(step)
        }
    }

    private static func firstOfMonth(_ day: Int64, length: Int64, _ step: Int) -> Int64 {
        let (year, month) = Self.civil(day)
        let months = Self.floorDivide(year * 12 + month - 1, length) * length + Int64(step) * length
        return Self.days(year: Self.floorDivide(months, 12), month: months - Self.floorDivide(months, 12) * 12 + 1)
    }

    /// The year and month (1 … 12) of a day since 1970, in the proleptic Gregorian calendar.
    ///
    /// Years begin in March, so that leap days are their last (Howard Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms", https://howardhinnant.github.io/date_algorithms.html).
    private static func civil(_ day: Int64) -> (year: Int64, month: Int64) {
        let shifted = day + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        return (era * 400 + year + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9)
    }

    /// The days since 1970 of the first of a month.
    private static func days(year: Int64, month: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = Self.floorDivide(shifted, 400)
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}
