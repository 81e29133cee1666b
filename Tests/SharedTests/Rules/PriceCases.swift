import Shared
import TestKit
import Testing

/// Costs that were computed by somebody else: `scripts/prices/cases.py` writes the lines, with fractions in Python and from
/// the providers' rules, not from our code.
///
/// A line has eight fields, apart by `|`: name, service tier, start, uplift and adjustment in parts per million, items,
/// units, expected nano-USD. An item is `meter[@tier][>tokens][HH:MM-HH:MM/weekdays as bits]=nano-USD a million`.
struct PriceCase: Sendable {
    let name: String
    let items: [PriceItem]
    let units: UsageCounters
    let tier: ServiceTier
    let at: Timestamp
    let uplift: PriceFactor
    let adjustment: PriceFactor
    let expected: Int64

    init?(_ line: Substring) {
        let fields = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 8, let tier = ServiceTier(name: fields[1]), let at = Timestamp(fields[2]),
            let uplift = Int64(fields[3]).flatMap({ PriceFactor(partsPerMillion: $0) }),
            let adjustment = Int64(fields[4]).flatMap({ PriceFactor(partsPerMillion: $0) }),
            let expected = Int64(fields[7])
        else { return nil }
        self.name = fields[0]
        self.tier = tier
        self.at = at
        self.uplift = uplift
        self.adjustment = adjustment
        self.expected = expected
        var items: [PriceItem] = []
        for text in fields[5].split(separator: " ") {
            guard let item = Self.item(text) else { return nil }
            items.append(item)
        }
        self.items = items
        var units = UsageCounters()
        for text in fields[6].split(separator: " ") {
            let parts = text.split(separator: "=").map(String.init)
            guard parts.count == 2, let meter = Meter(name: parts[0]), let count = Int64(parts[1]) else { return nil }
            units[meter] = count
        }
        self.units = units
    }

    private static func item(_ text: Substring) -> PriceItem? {
        let sides = text.split(separator: "=")
        guard sides.count == 2, let price = Int64(sides[1]) else { return nil }
        var rest = sides[0]
        var window: PriceWindow?
        if let open = rest.firstIndex(of: "[") {
            let parts = rest[rest.index(after: open)...].dropLast().split { "-:/".contains($0) }.compactMap { Int($0) }
            guard parts.count == 5, let days = UInt8(exactly: parts[4]) else { return nil }
            window = PriceWindow(start: parts[0] * 60 + parts[1], end: parts[2] * 60 + parts[3], weekdays: days)
            guard window != nil else { return nil }
            rest = rest[..<open]
        }
        var above: Int64 = 0
        if let greater = rest.firstIndex(of: ">") {
            guard let tokens = Int64(rest[rest.index(after: greater)...]) else { return nil }
            above = tokens
            rest = rest[..<greater]
        }
        let names = rest.split(separator: "@").map(String.init)
        guard let meter = names.first.flatMap({ Meter(name: $0) }),
            let tier = ServiceTier(name: names.count == 2 ? names[1] : "standard")
        else { return nil }
        return PriceItem(
            meter: meter, nanoUSDPerMillion: price, abovePromptTokens: above, tier: tier, window: window)
    }

    /// The cases of a file; a line that is none is an error, not one case fewer.
    static func read(_ path: String) throws -> [PriceCase] {
        let text = String(decoding: try Files.read(path, limit: 4 << 20), as: UTF8.self)
        return try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            try #require(PriceCase(line), "not a case: \(line)")
        }
    }
}

@Suite struct PriceCaseTests {
    @Test func `the cost is that of an independent calculation, to the nano-dollar`() throws {
        let cases = try PriceCase.read(RepositoryPaths.root + "/Tests/SharedTests/Rules/price-cases.txt")
        #expect(cases.count >= 400)
        #expect(cases.count { $0.name.hasPrefix("list: ") } >= 100)
        for item in cases {
            let cost = Pricing.cost(
                of: item.units, items: item.items, tier: item.tier, at: item.at, uplift: item.uplift,
                adjustment: item.adjustment
            )
            #expect(cost.amount == item.expected, "\(item.name)")
        }
    }
}
