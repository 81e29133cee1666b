package import Postgres
package import Shared

/// The line items of prices, as the API and SQL have them.
package enum PriceItems {
    package static let meters = Meter.allCases.map(\.name)
    package static let tiers = ServiceTier.allCases.map(\.name)
    package static let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    package static let limit = 100

    // MARK: API

    /// Of items that the schema accepts, in the order of listing.
    ///
    /// - Parameter pointer: where they stand, for errors.
    package static func read(_ value: JSONValue?, at pointer: String = "/items") throws(ControlError) -> [PriceItem] {
        var items: [PriceItem] = []
        for (index, value) in (value?.array ?? []).enumerated() {
            let item = try Self.item(value, at: "\(pointer)/\(index)")
            if let other = items.first(where: { Self.collides(item, $0) }) {
                throw .invalid(
                    other.window == item.window
                        ? "There is such an item already." : "Its window overlaps another one of its kind.",
                    at: "\(pointer)/\(index)"
                )
            }
            items.append(item)
        }
        return Self.sorted(items)
    }

    package static func sorted(_ items: [PriceItem]) -> [PriceItem] {
        items.sorted { left, right in
            let (a, b) = (Self.order(left.window), Self.order(right.window))
            return (left.meter.name, left.tier.name, left.abovePromptTokens, a.0, a.1, a.2)
                < (right.meter.name, right.tier.name, right.abovePromptTokens, b.0, b.1, b.2)
        }
    }

    private static func order(_ window: PriceWindow?) -> (UInt16, UInt16, UInt8) {
        window.map { ($0.start, $0.end, $0.weekdays) } ?? (0, 0, 0)
    }

    /// Of one item, which gives its price in one of two forms and its prompt tier in one of two.
    private static func item(_ item: JSONValue, at pointer: String) throws(ControlError) -> PriceItem {
        let nano = item["nano_usd_per_million"]?.string.flatMap { Int64($0) }
        let dollars = item["usd_per_million"]?.string.flatMap { NanoUSD(usd: $0)?.amount }
        guard let amount = nano ?? dollars, nano == nil || dollars == nil || nano == dollars else {
            throw .invalid(
                "The item must have nano_usd_per_million or usd_per_million, and the same when both.", at: pointer)
        }
        let above = item["above_prompt_tokens"]?.integer
        let from = item["from_prompt_tokens"]?.integer
        guard above == nil || from == nil else {
            throw .invalid("The item has above_prompt_tokens or from_prompt_tokens, not both.", at: pointer)
        }
        guard let meter = item["meter"]?.string.flatMap({ Meter(name: $0) }) else {
            throw .invalid("There is no such meter.", at: pointer + "/meter")
        }
        return PriceItem(
            meter: meter, nanoUSDPerMillion: amount, abovePromptTokens: above ?? from.map { $0 - 1 } ?? 0,
            tier: item["tier"]?.string.flatMap { ServiceTier(name: $0) } ?? .standard,
            window: try Self.window(item["window"], at: pointer + "/window")
        )
    }

    private static func window(_ value: JSONValue?, at pointer: String) throws(ControlError) -> PriceWindow? {
        guard let value, !value.isNull else { return nil }
        var days: UInt8 = 0
        for day in value["weekdays"]?.array ?? Self.weekdays.map({ .string($0) }) {
            if let index = day.string.flatMap({ Self.weekdays.firstIndex(of: $0) }) { days |= 1 << UInt8(index) }
        }
        let times = (value["start"]?.string.flatMap(Self.minute), value["end"]?.string.flatMap(Self.minute))
        guard let start = times.0, let end = times.1,
            let window = PriceWindow(start: start, end: end == 0 ? 1440 : end, weekdays: days)
        else {
            throw .invalid(
                "A window is from one HH:MM (UTC) to another one, up to 24:00, on at least one weekday.", at: pointer)
        }
        return window
    }

    /// The minute of the day that `HH:MM` names, 00:00 to 24:00.
    private static func minute(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [bytes[0], bytes[1], bytes[3], bytes[4]].map { Int($0) - 48 }
        guard digits.allSatisfy({ (0...9).contains($0) }), digits[2] < 6 else { return nil }
        let minute = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3]
        return minute <= 1440 ? minute : nil
    }

    private static func time(_ minute: UInt16) -> String {
        let (hour, rest) = (minute / 60, minute % 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(rest < 10 ? "0" : "")\(rest)"
    }

    /// Whether two items could both be the one that counts.
    private static func collides(_ a: PriceItem, _ b: PriceItem) -> Bool {
        guard a.meter == b.meter, a.tier == b.tier, a.abovePromptTokens == b.abovePromptTokens else { return false }
        guard let left = a.window, let right = b.window else { return (a.window == nil) == (b.window == nil) }
        // Windows open at their starts; two that overlap have one's start in the other.
        for day in UInt8(0)..<7 {
            let starts = [
                (WeekMinute(weekday: day, ofDay: left.start), left, right),
                (WeekMinute(weekday: day, ofDay: right.start), right, left),
            ]
            for (start, own, other) in starts where own.isOpen(at: start) && other.isOpen(at: start) { return true }
        }
        return false
    }

    package static func json(_ item: PriceItem) -> JSONValue {
        var members: [String: JSONValue] = [
            "meter": .string(item.meter.name), "nano_usd_per_million": .string(String(item.nanoUSDPerMillion)),
            "usd_per_million": JSONValue(NanoUSD(item.nanoUSDPerMillion)), "tier": .string(item.tier.name),
            "above_prompt_tokens": .integer(item.abovePromptTokens),
        ]
        if let window = item.window {
            let days = Self.weekdays.enumerated().filter { window.weekdays >> UInt8($0.offset) & 1 == 1 }
            members["window"] = [
                "start": .string(Self.time(window.start)), "end": .string(Self.time(window.end)),
                "weekdays": .array(days.map { .string($0.element) }),
            ]
        }
        return .object(members)
    }

    package static func schema(isAnswer: Bool) -> Schema {
        let amount = Schema.decimal.described("Nano-USD for a million units.")
        let dollars = Schema.string(.dollars).described("The same in dollars.")
        let time = Schema.string(.length(5...5))
        var members: [Schema.Member] = [
            .required("meter", .string(.oneOf(Self.meters))),
            isAnswer ? .required("nano_usd_per_million", amount) : .optional("nano_usd_per_million", amount),
            isAnswer ? .required("usd_per_million", dollars) : .optional("usd_per_million", dollars),
            .optional("tier", .string(.oneOf(Self.tiers))),
            .optional("above_prompt_tokens", Schema.count.described("For prompts longer than this; 0 when absent.")),
            .optional(
                "window",
                Schema.object([
                    .required("start", time.described("HH:MM in UTC, inclusive.")),
                    .required("end", time.described("HH:MM in UTC, exclusive; before the start: on the next day.")),
                    .optional(
                        "weekdays",
                        Schema.array(of: .string(.oneOf(Self.weekdays)), count: 1...7)
                            .described("Those on which it opens; all when absent.")),
                ]).described("Replaces items without one for requests that begin while it is open.")),
        ]
        if !isAnswer {
            members.append(
                .optional(
                    "from_prompt_tokens",
                    Schema.integer(2...Int64.max).described(
                        "For prompts of this length and longer: the same as above_prompt_tokens one lower.")))
        }
        return .object(members)
    }

    // MARK: SQL

    package static let columns: SQL =
        "price_id, meter, tier, above_prompt_tokens, nano_usd_per_million, window_start, window_end, weekdays"

    /// The item of a row with `columns`; nil when a newer release made it.
    package static func item(_ row: Row) throws -> PriceItem? {
        guard let meter = Meter(name: try row.get("meter")), let tier = ServiceTier(name: try row.get("tier")) else {
            return nil
        }
        let end = Int(try row.get("window_end", as: Int32.self))
        var window: PriceWindow?
        if end > 0 {
            let weekdays = UInt8(clamping: try row.get("weekdays", as: Int32.self))
            window = PriceWindow(
                start: Int(try row.get("window_start", as: Int32.self)), end: end, weekdays: weekdays)
            guard window != nil else { return nil }
        }
        return PriceItem(
            meter: meter, nanoUSDPerMillion: try row.get("nano_usd_per_million"),
            abovePromptTokens: try row.get("above_prompt_tokens"), tier: tier, window: window
        )
    }

    static func insert(_ items: [PriceItem], of price: PriceID, _ tx: inout Transaction, _: borrowing Permit) throws {
        for item in items {
            _ = try tx.execute(
                "insert into price_item (" + Self.columns + ") values ($1, $2, $3, $4, $5, $6, $7, $8)", price,
                item.meter.name, item.tier.name, item.abovePromptTokens, item.nanoUSDPerMillion,
                Int32(item.window?.start ?? 0), Int32(item.window?.end ?? 0), Int32(item.window?.weekdays ?? 0)
            )
        }
    }
}
