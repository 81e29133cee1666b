import DataPlane
import Shared
import Testing

@Suite struct RateUseTests {
    @Test func `every meter of tokens counts once, whatever a provider says`() {
        var all = UsageCounters()
        for meter in Meter.allCases {
            var counters = UsageCounters()
            counters[meter] = 7
            all[meter] = .max
            let use = RateUse(counters)
            let isInput = [.input, .cachedInput, .cacheWrite5m, .cacheWrite1h, .audioInput, .imageInput].contains(meter)
            let isOutput = [.output, .reasoning, .audioOutput, .imageOutput].contains(meter)
            #expect(
                use == RateUse(requests: 1, inputTokens: isInput ? 7 : 0, outputTokens: isOutput ? 7 : 0), "\(meter)")
            counters[meter] = .min
            #expect(RateUse(counters) == RateUse(requests: 1), "\(meter)")
        }
        let most = BucketRate.amountLimit
        #expect(RateUse(all) == RateUse(requests: 1, inputTokens: most, outputTokens: most))
    }
}
