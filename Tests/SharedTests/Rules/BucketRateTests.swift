import Shared
import TestKit
import Testing

@Suite struct BucketRateTests {
    @Test func `amounts beyond what can be counted are none`() {
        #expect(BucketRate(amount: 0, per: .second, burst: 1) == nil)
        #expect(BucketRate(amount: 1, per: .second, burst: 0) == nil)
        #expect(BucketRate(amount: BucketRate.amountLimit + 1, per: .day, burst: 1) == nil)
        #expect(BucketRate(amount: 7, per: nil, burst: 0)?.burst == 7)
    }

    /// Against whole numbers of 128 bits: nothing flows before its time, and nothing that is due is kept back.
    @Test func `granules flow exactly as fast as the rate says`() throws {
        var random = SeededRandom("bucket rate")
        for _ in 0..<20_000 {
            let bits = Int64.random(in: 0...39, using: &random)
            let amount = min(BucketRate.amountLimit, Int64.random(in: 1...(1 << bits), using: &random))
            let period = RateLimitPeriod.allCases.randomElement(using: &random) ?? .second
            let rate = try #require(BucketRate(amount: amount, per: period, burst: amount))
            let share = Int64.random(in: 0...BucketRate.parts, using: &random)
            let time = UInt64.random(in: 0...(1 << UInt64.random(in: 0...44, using: &random)), using: &random)
            let (flowed, spent) = rate.granules(flowingInto: share, in: time)
            let whole = Int128(BucketRate.parts) * Int128(period.seconds) * 1_000_000_000
            let flow = Int128(amount) * Int128(BucketRate.granules) * Int128(share)
            let most = Int128(BucketRate.amountLimit * BucketRate.granules)
            #expect(Int128(flowed) == min(most, flow * Int128(time) / whole), "\(rate) \(share) \(time)")
            #expect(spent <= time)
            if flowed > 0, Int128(flowed) < most {
                #expect(flow * Int128(spent) >= Int128(flowed) * whole)
                #expect(flow * (Int128(spent) - 1) < Int128(flowed) * whole)
                #expect(rate.nanoseconds(for: flowed, into: share) == spent)
            }
            let capacity = Int128(amount) * Int128(BucketRate.granules) * Int128(share) / Int128(BucketRate.parts)
            #expect(Int128(rate.capacity(of: share)) == capacity)
        }
    }

    @Test func `parts never let through more than the whole`() throws {
        var random = SeededRandom("bucket parts")
        for _ in 0..<500 {
            let rate = try #require(
                BucketRate(amount: Int64.random(in: 1...100_000, using: &random), per: .minute, burst: 1))
            var left = BucketRate.parts
            var shares: [Int64] = []
            while left > 0 {
                shares.append(Int64.random(in: 1...left, using: &random))
                left -= shares[shares.count - 1]
            }
            // Looked at ever so often, each keeping what its units did not take of the time.
            var filled = shares.map { _ in UInt64(0) }
            var flowed: Int64 = 0
            var now: UInt64 = 0
            for _ in 0..<50 {
                now += UInt64.random(in: 0...3_000_000_000, using: &random)
                for (index, share) in shares.enumerated() {
                    let (more, time) = rate.granules(flowingInto: share, in: now - filled[index])
                    flowed += more
                    filled[index] += time
                }
                #expect(Int128(flowed) * 60_000_000 <= Int128(rate.amount) * Int128(now))
            }
        }
    }
}
