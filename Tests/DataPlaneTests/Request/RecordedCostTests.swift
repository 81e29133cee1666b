import DataPlane
import Shared
import Testing

/// What recorded exchanges cost, from the figures of an independent span.
@Suite(.enabled(if: Fixtures.isPresent, "needs ../shared/fixtures"))
struct RecordedCostTests {
    /// Nano-USD a million, none of which divides evenly; short and long prompts.
    private static let rates: [(meter: Meter, base: Int64, long: Int64)] = [
        (.input, 1_250_000_007, 2_500_000_013), (.cachedInput, 125_000_003, 250_000_001),
        (.output, 10_000_000_019, 15_000_000_017), (.reasoning, 7_000_000_003, 9_000_000_011),
        (.audioOutput, 20_000_000_003, 21_000_000_001),
    ]
    private static let threshold: Int64 = 30

    @Test func `a recorded exchange costs what its span's figures make, to the nano-dollar`() throws {
        let items = Self.rates.flatMap {
            [
                PriceItem(meter: $0.meter, nanoUSDPerMillion: $0.base),
                PriceItem(meter: $0.meter, nanoUSDPerMillion: $0.long, abovePromptTokens: Self.threshold),
            ]
        }
        var priced = (short: 0, long: 0)
        for entry in Fixtures.manifest where entry["compare"]?.string == "usage" {
            let output = try #require(entry["output"]?.string)
            let extracted = try #require(entry["extracted"]?.string)
            let span = try #require(NaiveParser.parse(Fixtures.bytes(extracted)))
            func count(_ name: String) -> Int64? { span["llm.token_count." + name]?.string.flatMap { Int64($0) } }
            guard let prompt = count("prompt") else { continue }
            let bytes = Fixtures.bytes(output)
            let told = output.hasSuffix(".sse") ? tellStream([bytes]) : tellDocument([bytes])
            let usage = try #require(told.usage)
            // Cache writes and audio in the prompt are not in the spans, and would be priced otherwise.
            guard usage.cacheWrite == 0, usage.audioInput == 0 else { continue }
            let cost = Pricing.cost(
                of: Settle.counters(usage), items: items, tier: .standard, at: Timestamp(microseconds: 0),
                uplift: .one, adjustment: .one
            )
            let isLong = prompt > Self.threshold
            let cached = count("prompt_details.cache_read") ?? 0
            let reasoning = count("completion_details.reasoning") ?? 0
            let audio = count("completion_details.audio") ?? 0
            let units = [
                prompt - cached, cached, (count("completion") ?? 0) - reasoning - audio, reasoning, audio,
            ]
            var expected: Int64 = 0
            for (rate, units) in zip(Self.rates, units) {
                expected += (units * (isLong ? rate.long : rate.base) + 999_999) / 1_000_000
            }
            #expect(cost.amount == expected, "\(output)")
            if isLong { priced.long += 1 } else { priced.short += 1 }
        }
        print("recorded exchanges priced: \(priced)")
        #expect(priced.short > 5 && priced.long > 5)
    }
}
