import Shared
import Testing

@Suite struct PricingTests {
    /// `ceil(a * b / 1,000,000)` by hand, digit by digit in base ten; nil beyond Int64.
    private static func reference(_ a: Int64, _ b: Int64) -> Int64 {
        guard a > 0, b > 0 else { return 0 }
        let left = String(a).utf8.reversed().map { Int($0) - 48 }
        let right = String(b).utf8.reversed().map { Int($0) - 48 }
        var digits = [Int](repeating: 0, count: left.count + right.count)
        for (i, x) in left.enumerated() {
            for (j, y) in right.enumerated() { digits[i + j] += x * y }
        }
        for i in digits.indices.dropLast() {
            digits[i + 1] += digits[i] / 10
            digits[i] %= 10
        }
        let roundsUp = digits.prefix(6).contains { $0 != 0 }
        var whole = Array(digits.dropFirst(6))
        if roundsUp {
            var i = 0
            while i < whole.count, whole[i] == 9 {
                whole[i] = 0
                i += 1
            }
            if i == whole.count { whole.append(1) } else { whole[i] += 1 }
        }
        let text = String(whole.reversed().map { Character(UnicodeScalar(UInt8($0 + 48))) })
        return text.isEmpty ? 0 : Int64(text) ?? .max
    }

    static let charges: [(Int64, Int64, Int64)] = [
        (0, 5, 0), (5, 0, 0), (-5, 5, 0), (5, -5, 0), (1, 1, 1), (1, 1_000_000, 1), (1, 1_000_001, 2),
        (1_000_000, 1, 1), (999_999, 1, 1), (1_000_001, 1, 2), (1000, 3_000_000_000, 3_000_000),
        (.max, 1_000_000, .max), (.max, 1_000_001, .max), (.max, 999_999, 9_223_362_813_482_738_953),
        (.max, .max, .max), (.max, 1, 9_223_372_036_855), (.max, 2_000_000, .max),
        // Quotient UInt64.max with a remainder: rounding it up once wrapped to nothing.
        (9_223_367_425_171_063_222, 2_000_001, .max),
    ]

    @Test func `the numbers of meters are those of all meters`() {
        #expect(Meter.allCases.map(\.rawValue) == Array(Meter.numbers))
    }

    @Test(arguments: Self.charges)
    func `a charge is units times price, rounded up, saturating`(_ units: Int64, _ price: Int64, _ expected: Int64) {
        #expect(Pricing.charge(units: units, nanoUSDPerMillion: price).amount == expected)
        #expect(Self.reference(units, price) == expected)
    }

    @Test func `random charges are those of long multiplication`() {
        var sampler = Sampler("charges")
        for _ in 0..<3000 {
            let units = Int64(bitPattern: sampler.random.next()) >> Int64(sampler.below(64))
            let price = Int64(bitPattern: sampler.random.next()) >> Int64(sampler.below(64))
            #expect(Pricing.charge(units: units, nanoUSDPerMillion: price).amount == Self.reference(units, price))
        }
        for _ in 0..<2000 {
            // Around the edges of 63 and 64 bits.
            let price = Int64(sampler.integer(1_000_000...4_000_000))
            let edge = sampler.chance() ? UInt64(1) << 63 : .max
            let (units, _) =
                price > 1_000_000
                ? UInt64(price).dividingFullWidth(edge.multipliedFullWidth(by: 1_000_000)) : (edge, 0)
            let near = Int64(clamping: units).addingSaturating(Int64(sampler.below(7)) - 3)
            #expect(Pricing.charge(units: near, nanoUSDPerMillion: price).amount == Self.reference(near, price))
        }
    }

    /// The price by the sentence of the documentation, not by the loop of the code: what counts is what is left when
    /// each condition in turn has kept the best.
    private static func price(
        _ meter: Meter, _ prompt: Int64, _ items: [PriceItem], _ tier: ServiceTier, _ at: Timestamp
    ) -> Int64? {
        var left = items.filter {
            $0.meter == meter && ($0.abovePromptTokens == 0 || $0.abovePromptTokens < prompt)
                && [tier, .standard].contains($0.tier) && $0.window.map { Self.isOpen($0, at) } != false
        }
        for condition: (PriceItem) -> Bool in [{ $0.window != nil }, { $0.tier == tier }]
        where left.contains(where: condition) {
            left = left.filter(condition)
        }
        let highest = left.map(\.abovePromptTokens).max()
        if let dearest = left.filter({ $0.abovePromptTokens == highest }).map(\.nanoUSDPerMillion).max() {
            return dearest
        }
        let fallbacks: [Meter: Meter] = [
            .cachedInput: .input, .cacheWrite5m: .input, .audioInput: .input, .imageInput: .input,
            .cacheWrite1h: .cacheWrite5m, .reasoning: .output, .audioOutput: .output, .imageOutput: .output,
        ]
        return fallbacks[meter].flatMap { Self.price($0, prompt, items, tier, at) }
    }

    /// Whether one of the openings of the last eight days is not over.
    private static func isOpen(_ window: PriceWindow, _ at: Timestamp) -> Bool {
        let minutes = at.seconds >= 0 ? at.seconds / 60 : -((59 - at.seconds) / 60)
        // Monday, 1969-12-29, is three days before the epoch.
        let sinceMonday = minutes + 3 * 1440
        let today = (sinceMonday - ((sinceMonday % 1440) + 1440) % 1440) / 1440
        for day in today - 8...today where window.weekdays >> UInt8(((day % 7) + 7) % 7) & 1 == 1 {
            let opens = day * 1440 + Int64(window.start)
            let length = (Int64(window.end) - Int64(window.start) + 1440) % 1440
            if (opens..<opens + (length == 0 ? 1440 : length)).contains(sinceMonday) { return true }
        }
        return false
    }

    @Test func `the cost of random usage under random books is that of the reference`() {
        var sampler = Sampler("costs")
        for _ in 0..<3000 {
            let items = sampler.many(0...14) { sampler in
                PriceItem(
                    meter: sampler.pick(Meter.allCases),
                    nanoUSDPerMillion: sampler.below(10) == 0 ? .max : Int64(sampler.below(20_000_000_000)),
                    abovePromptTokens: sampler.pick([0, 0, 100, 128_000, 200_000]),
                    tier: sampler.pick(ServiceTier.allCases), window: sampler.below(3) == 0 ? sampler.window() : nil)
            }
            var usage = UsageCounters()
            var prompt: Int64 = 0
            for meter in Meter.allCases {
                usage[meter] =
                    sampler.below(20) == 0
                    ? sampler.pick([.max, .min, -1]) : Int64(sampler.pick([0, 1, 100, 101, 128_000, 300_000]))
                guard
                    [.input, .cachedInput, .cacheWrite5m, .cacheWrite1h, .audioInput, .imageInput].contains(meter)
                else { continue }
                prompt = prompt.addingSaturating(max(0, usage[meter]))
            }
            #expect(usage.promptTokens == prompt)
            let tier = sampler.pick(ServiceTier.allCases)
            let at = Timestamp(microseconds: Int64(sampler.integer(-4_000_000_000_000...4_000_000_000_000_000)))
            var expected: Int64 = 0
            for meter in Meter.allCases {
                guard let price = Self.price(meter, prompt, items, tier, at) else { continue }
                expected = expected.addingSaturating(Self.reference(usage[meter], price))
            }
            #expect(Self.cost(usage, items, tier, at: at) == expected)
            #expect(Self.cost(usage, items.reversed(), tier, at: at) == expected)
        }
    }

    private static func cost(
        _ usage: UsageCounters, _ items: [PriceItem], _ tier: ServiceTier = .standard,
        at instant: Timestamp = Timestamp(microseconds: 0)
    ) -> Int64 {
        Pricing.cost(of: usage, items: items, tier: tier, at: instant, uplift: .one, adjustment: .one).amount
    }

    @Test func `factors multiply the whole and round up once`() {
        var sampler = Sampler("factors")
        for _ in 0..<3000 {
            let amount = Int64(bitPattern: sampler.random.next() >> UInt64(1 + sampler.below(63)))
            let (a, b) = (sampler.factor(), sampler.factor())
            // a and b are at most 27 bits each: one after the other without rounding in between.
            let product = UInt64(a.partsPerMillion * b.partsPerMillion)
            let wide = UInt64(amount).multipliedFullWidth(by: product)
            var expected = Int64.max
            if wide.high < 1_000_000_000_000, amount != .max {
                let (quotient, rest) = UInt64(1_000_000_000_000).dividingFullWidth(wide)
                expected = quotient >= UInt64(Int64.max) ? .max : Int64(quotient) + (rest > 0 ? 1 : 0)
            }
            #expect(Pricing.multiply(NanoUSD(amount), a, b).amount == expected, "\(amount) \(a) \(b)")
            #expect(Pricing.multiply(NanoUSD(amount), b, a).amount == expected)
        }
        let tenth = PriceFactor(partsPerMillion: 1_100_000) ?? .one
        #expect(Pricing.multiply(NanoUSD(10), tenth, .one).amount == 11)
        #expect(Pricing.multiply(NanoUSD(1), tenth, .one).amount == 2)
        #expect(Pricing.multiply(NanoUSD(1), tenth, tenth).amount == 2)
        #expect(Pricing.multiply(.max, PriceFactor(partsPerMillion: 1) ?? .one, .one) == .max)
        #expect(Pricing.multiply(NanoUSD(5), PriceFactor(partsPerMillion: 0) ?? .one, .one) == .zero)
        #expect(PriceFactor(partsPerMillion: -1) == nil && PriceFactor(partsPerMillion: 100_000_001) == nil)
    }

    @Test func `a prompt tier prices every unit, and only above its bound`() {
        let book = [
            PriceItem(meter: .input, nanoUSDPerMillion: 1_000_000),
            PriceItem(meter: .input, nanoUSDPerMillion: 2_000_000, abovePromptTokens: 200_000),
            PriceItem(meter: .output, nanoUSDPerMillion: 10_000_000),
            PriceItem(meter: .output, nanoUSDPerMillion: 5_000_000, tier: .batch),
        ]
        var usage = UsageCounters()
        usage.input = 200_000
        usage.reasoning = 10
        #expect(Self.cost(usage, book) == 200_100)
        usage.cachedInput = 1
        #expect(Self.cost(usage, book) == 400_102)
        #expect(Self.cost(usage, book, .batch) == 400_052)
        #expect(Self.cost(usage, []) == 0)
        #expect(Self.cost(usage, book, .flex) == Self.cost(usage, book))
    }

    @Test func `names and numbers of meters, tiers and kinds are each their own`() {
        #expect(Set(Meter.allCases.map(\.name)).count == Meter.allCases.count)
        for meter in Meter.allCases {
            #expect(Meter(name: meter.name) == meter)
            var counters = UsageCounters()
            counters[meter] = 5
            #expect(Meter.allCases.filter { counters[$0] != 0 } == [meter])
        }
        for tier in ServiceTier.allCases { #expect(ServiceTier(name: tier.name) == tier) }
        for kind in ProviderKind.allCases { #expect(ProviderKind(name: kind.name) == kind) }
        #expect(Meter(name: "Input") == nil && ServiceTier(name: "") == nil && ProviderKind(name: "OpenAI") == nil)
        #expect(Set(RequestOutcome.allCases.map(\.name)).count == RequestOutcome.allCases.count)
    }
}
