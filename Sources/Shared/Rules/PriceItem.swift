/// Which of a provider's price lists a request was served under.
///
/// Numbers are part of the wire format: append only.
package enum ServiceTier: UInt8, Sendable, CaseIterable {
    case standard = 0
    case flex = 1
    case priority = 2
    case batch = 3

    package var name: String {
        switch self {
        case .standard: "standard"
        case .flex: "flex"
        case .priority: "priority"
        case .batch: "batch"
        }
    }

    package init?(name: String) {
        guard let tier = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = tier
    }
}

/// Hours of the day (UTC) in which a price item replaces others, on some days of the week.
package struct PriceWindow: Hashable, Sendable {
    /// Minute of the day at which it opens, 0 … 1439.
    package let start: UInt16
    /// Minute of the day at which it is closed again, 1 … 1440 and not `start`; before `start` it is that of the next
    /// day.
    package let end: UInt16
    /// The days on which it opens: bit 0 is Monday, bit 6 is Sunday.
    ///
    /// One that wraps midnight ends on the day after.
    package let weekdays: UInt8

    package static let everyDay: UInt8 = 0x7F

    /// Nil for what is no window.
    package init?(start: Int, end: Int, weekdays: UInt8 = Self.everyDay) {
        guard (0..<1440).contains(start), (1...1440).contains(end), start != end, weekdays > 0,
            weekdays <= Self.everyDay
        else { return nil }
        self.start = UInt16(start)
        self.end = UInt16(end)
        self.weekdays = weekdays
    }

    package func isOpen(at minute: WeekMinute) -> Bool {
        let isAfterStart = minute.ofDay >= self.start
        let isBeforeEnd = minute.ofDay < self.end
        if self.start < self.end { return isAfterStart && isBeforeEnd && self.opens(on: minute.weekday) }
        if isAfterStart { return self.opens(on: minute.weekday) }
        return isBeforeEnd && self.opens(on: minute.weekday == 0 ? 6 : minute.weekday - 1)
    }

    private func opens(on weekday: UInt8) -> Bool { self.weekdays >> weekday & 1 == 1 }
}

/// A minute of the week, in UTC.
package struct WeekMinute: Hashable, Sendable {
    /// 0 for Monday … 6 for Sunday.
    package let weekday: UInt8
    /// 0 … 1439.
    package let ofDay: UInt16

    package init(weekday: UInt8, ofDay: UInt16) {
        self.weekday = weekday
        self.ofDay = ofDay
    }

    package init(_ instant: Timestamp) {
        let seconds = instant.seconds
        let (quotient, remainder) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let day = remainder < 0 ? quotient - 1 : quotient
        let ofDay = remainder < 0 ? remainder + 86_400 : remainder
        // The first day of 1970 was a Thursday.
        let weekday = (day + 3) % 7
        self.weekday = UInt8(truncatingIfNeeded: weekday < 0 ? weekday + 7 : weekday)
        self.ofDay = UInt16(truncatingIfNeeded: ofDay / 60)
    }
}

/// The price of one line item, and when it applies.
package struct PriceItem: Hashable, Sendable {
    package let meter: Meter
    /// Nano-USD for a million units; never negative.
    package let nanoUSDPerMillion: Int64
    /// The item applies to requests whose prompt is longer than this many tokens; 0 for the base price, which applies
    /// to every one.
    ///
    /// All-or-nothing: one tier prices every unit of the request. A provider's "from n tokens on" is "above n - 1".
    package let abovePromptTokens: Int64
    package let tier: ServiceTier
    /// The item applies to requests that begin while it is open; nil for always.
    package let window: PriceWindow?

    package init(
        meter: Meter, nanoUSDPerMillion: Int64, abovePromptTokens: Int64 = 0, tier: ServiceTier = .standard,
        window: PriceWindow? = nil
    ) {
        self.meter = meter
        self.nanoUSDPerMillion = nanoUSDPerMillion
        self.abovePromptTokens = abovePromptTokens
        self.tier = tier
        self.window = window
    }
}
