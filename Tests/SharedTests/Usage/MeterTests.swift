import Shared
import Testing

@Suite struct MeterTests {
    @Test(arguments: Meter.allCases)
    func `a meter's tokens are counted on the side it is listed on`(_ meter: Meter) {
        var counters = UsageCounters()
        counters[meter] = 7
        #expect(counters.promptTokens == (Meter.promptTokens.contains(meter) ? 7 : 0))
        #expect(counters.outputTokens == (Meter.outputTokens.contains(meter) ? 7 : 0))
        // What falls back to a token's price is a token.
        if let fallback = meter.fallback {
            #expect(Meter.promptTokens.contains(meter) == Meter.promptTokens.contains(fallback))
        }
    }
}
