import DataPlane
import Shared
import TestKit
import Testing

@Suite struct CostBoundTests {
    /// Whatever the provider counts within the bounds, under whichever tier and window: it never costs more.
    @Test func `no counts within the bounds cost more than the bound`() {
        var random = SeededRandom("cost bounds")
        func below(_ bound: Int64) -> Int64 { Int64.random(in: 0...max(0, bound), using: &random) }
        var tight = 0
        for _ in 0..<20_000 {
            let items = (0..<Int(below(8))).map { _ in
                PriceItem(
                    meter: Meter.allCases.randomElement(using: &random) ?? .input,
                    nanoUSDPerMillion: below(20_000_000_000), abovePromptTokens: below(3) == 0 ? below(2000) : 0,
                    tier: ServiceTier.allCases.randomElement(using: &random) ?? .standard,
                    window: below(3) == 0 ? PriceWindow(start: Int(below(1439)), end: 1440) : nil)
            }
            var bound = CostBound(prompt: below(3000), output: below(3000))
            bound.images = below(4)
            bound.characters = below(3000)
            let factors = [PriceFactor.one, PriceFactor(partsPerMillion: below(3_000_000)) ?? .one]
            let uplift = factors.randomElement(using: &random) ?? .one
            let adjustment = factors.randomElement(using: &random) ?? .one
            guard let limit = bound.cost(items: items, uplift: uplift, adjustment: adjustment) else {
                Issue.record("everything here has a bound")
                continue
            }
            // Split what there is in any way over the meters.
            var counters = UsageCounters()
            var prompt = below(5) == 0 ? bound.prompt : below(bound.prompt)
            for meter in Meter.promptTokens.shuffled(using: &random) {
                let part = below(prompt)
                counters[meter] = part
                prompt -= part
            }
            var output = below(5) == 0 ? bound.output : below(bound.output)
            for meter in Meter.outputTokens.shuffled(using: &random) {
                let part = below(output)
                counters[meter] = part
                output -= part
            }
            counters.images = below(bound.images)
            counters.characters = below(bound.characters)
            counters.requests = 1
            let cost = Pricing.cost(
                of: counters, items: items, tier: ServiceTier.allCases.randomElement(using: &random) ?? .standard,
                at: Timestamp(microseconds: below(1_000_000_000_000_000)), uplift: uplift, adjustment: adjustment)
            #expect(cost <= limit, "\(items) \(counters) cost \(cost), bound \(limit)")
            if cost.amount * 2 > limit.amount, cost > .zero { tight += 1 }
        }
        // The bound is one that is reached, not the largest number.
        #expect(tight > 100)
    }

    @Test func `what has no bound has none`() {
        let output = [PriceItem(meter: .output, nanoUSDPerMillion: 1)]
        let input = [PriceItem(meter: .cachedInput, nanoUSDPerMillion: 1)]
        let free = [PriceItem(meter: .output, nanoUSDPerMillion: 0)]
        func cost(_ bound: CostBound, _ items: [PriceItem]) -> NanoUSD? {
            bound.cost(items: items, uplift: .one, adjustment: .one)
        }
        #expect(cost(CostBound(prompt: 5, output: .max), output) == nil)
        #expect(cost(CostBound(prompt: .max, output: 5), input) == nil)
        // What costs nothing needs no bound.
        #expect(cost(CostBound(prompt: .max, output: .max), free) != nil)
        var searching = CostBound(prompt: 1, output: 1)
        searching.searches = true
        #expect(cost(searching, [PriceItem(meter: .search, nanoUSDPerMillion: 1)]) == nil)
        #expect(cost(searching, output) != nil)
    }
}
