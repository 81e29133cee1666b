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

    /// The price by the sentence of the documentation, not by the loop of the code.
    private static func price(_ meter: Meter, _ prompt: Int64, _ items: [PriceItem], _ tier: ServiceTier) -> Int64? {
        let usable = items.filter {
            $0.meter == meter && ($0.abovePromptTokens == 0 || $0.abovePromptTokens < prompt)
        }
        for candidate in [tier, .standard] {
            let own = usable.filter { $0.tier == candidate }
            if let threshold = own.map(\.abovePromptTokens).max() {
                return own.first { $0.abovePromptTokens == threshold }?.nanoUSDPerMillion
            }
        }
        let fallbacks: [Meter: Meter] = [
            .cachedInput: .input, .cacheWrite5m: .input, .audioInput: .input, .cacheWrite1h: .cacheWrite5m,
            .reasoning: .output, .audioOutput: .output,
        ]
        return fallbacks[meter].flatMap { Self.price($0, prompt, items, tier) }
    }

    @Test func `the cost of random usage under random books is that of the reference`() {
        var sampler = Sampler("costs")
        for _ in 0..<3000 {
            let items = sampler.many(0...14) { sampler in
                PriceItem(
                    meter: sampler.pick(Meter.allCases),
                    nanoUSDPerMillion: sampler.below(10) == 0 ? .max : Int64(sampler.below(20_000_000_000)),
                    abovePromptTokens: sampler.pick([0, 0, 100, 128_000, 200_000]),
                    tier: sampler.pick(ServiceTier.allCases))
            }
            var usage = UsageCounters()
            var prompt: Int64 = 0
            for meter in Meter.allCases {
                usage[meter] =
                    sampler.below(20) == 0
                    ? sampler.pick([.max, .min, -1]) : Int64(sampler.pick([0, 1, 100, 101, 128_000, 300_000]))
                guard [.input, .cachedInput, .cacheWrite5m, .cacheWrite1h, .audioInput].contains(meter) else {
                    continue
                }
                prompt = prompt.addingSaturating(max(0, usage[meter]))
            }
            #expect(usage.promptTokens == prompt)
            let tier = sampler.pick(ServiceTier.allCases)
            var expected: Int64 = 0
            for meter in Meter.allCases {
                guard let price = Self.price(meter, prompt, items, tier) else { continue }
                expected = expected.addingSaturating(Self.reference(usage[meter], price))
            }
            #expect(Pricing.cost(of: usage, items: items, tier: tier).amount == expected)
        }
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
        #expect(Pricing.cost(of: usage, items: book, tier: .standard).amount == 200_100)
        usage.cachedInput = 1
        #expect(Pricing.cost(of: usage, items: book, tier: .standard).amount == 400_102)
        #expect(Pricing.cost(of: usage, items: book, tier: .batch).amount == 400_052)
        #expect(Pricing.cost(of: usage, items: [], tier: .standard).amount == 0)
        #expect(
            Pricing.cost(of: usage, items: book, tier: .flex) == Pricing.cost(of: usage, items: book, tier: .standard))
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
