import ControlPlane
import Shared
import TestKit
import Testing

@Suite struct ShareRulesTests {
    /// Whatever processes say, also what none could: the sums stay numbers, and no part is given twice.
    @Test func `no words of a gateway break the rule`() throws {
        var random = SeededRandom("share rules")
        let extremes: [Int64] = [0, 1, 999, 1 << 40, ShareAsk.granulesLimit - 1, ShareAsk.granulesLimit]
        for _ in 0..<300 {
            let period = Bool.random(using: &random) ? RateLimitPeriod.allCases.randomElement(using: &random) : nil
            let amount =
                Bool.random(using: &random) ? BucketRate.amountLimit : Int64.random(in: 1...100, using: &random)
            let rate = try #require(BucketRate(amount: amount, per: period, burst: amount))
            var now = Timestamp(microseconds: 1_700_000_000_000_000)
            var pool = SharePool(granules: rate.capacity, filledAt: now)
            var states = [ShareState](repeating: ShareState(), count: 12)
            for round in 1...200 {
                now = now.adding(seconds: Int64.random(in: 0...(1 << 20), using: &random))
                let index = Int.random(in: states.indices, using: &random)
                func amount() -> Int64 { extremes.randomElement(using: &random) ?? 0 }
                var ask = ShareAsk(limit: 1)
                ask.generation = amount()
                ask.share = Int64.random(in: 0...BucketRate.parts, using: &random)
                (ask.granted, ask.returned, ask.borrowed) = (amount(), amount(), amount())
                (ask.need, ask.largest, ask.spare) = (amount(), amount(), amount())
                ask.want = Int64.random(in: 0...BucketRate.parts, using: &random)
                // As the database adds them up.
                var others = ShareOthers()
                for (other, state) in states.enumerated() where other != index {
                    others.shares += state.share
                    others.fresh = min(1_000_000_000_000_000_000, others.fresh + min(state.fresh, 1 << 56))
                    others.held = min(
                        1_000_000_000_000_000_000, others.held + min(1 << 56, max(0, state.granted - state.returned)))
                    others.wants.append(state.want)
                }
                states[index].isSilent = Bool.random(using: &random)
                let grant = ShareRules.renew(
                    &states[index], &pool, ask, sequence: Int64(round), of: rate, others: others,
                    isFrozen: Bool.random(using: &random), now: now)
                #expect(grant.left >= 0 && grant.left <= rate.capacity)
                #expect(grant.recall >= 0 && (0...BucketRate.parts).contains(grant.share))
                #expect(states.reduce(0) { $0 + $1.share } <= BucketRate.parts)
            }
        }
    }

    /// A process uses its part until nothing was heard of it for so long that it cannot: what flows into the pool before is
    /// by the others' parts.
    @Test func `what flowed while a silent process had its part is not given twice`() throws {
        let rate = try #require(BucketRate(amount: 60, per: .minute, burst: 60))
        let begin = Timestamp(microseconds: 1_700_000_000_000_000)
        for left in [0, 1, 100, BucketRate.parts / 2] {
            var pool = SharePool(granules: 0, filledAt: begin, left: left)
            var others = ShareOthers()
            others.silentSince = begin.adding(seconds: 120)
            var (state, ask) = (ShareState(), ShareAsk(limit: 1))
            (ask.want, ask.largest) = (BucketRate.parts, 1000)
            let grant = ShareRules.renew(
                &state, &pool, ask, sequence: 1, of: rate, others: others, isFrozen: false,
                now: begin.adding(seconds: 125))
            #expect(grant.share == BucketRate.parts)
            // A thousand granules a second: 120 seconds by what was left, five by all.
            let before = min(120_000 * left / BucketRate.parts, rate.capacity(of: left))
            #expect(abs(grant.granted - (before + 5000)) <= 1, "\(left)")
        }
    }

    /// Less than a granule is neither lost nor multiplied where parts change hands all the time.
    @Test func `parts that change hands keep what flows`() throws {
        let rate = try #require(BucketRate(amount: 1, per: .minute, burst: 1))
        var now = Timestamp(microseconds: 1_700_000_000_000_000)
        var pool = SharePool(granules: 0, filledAt: now, left: BucketRate.parts)
        var (state, expected) = (ShareState(), 0.0)
        for round in 1...2000 {
            now = now.adding(microseconds: 10_000)
            expected += Double(pool.left) / Double(BucketRate.parts) * 1000 * 0.01 / 60
            var ask = ShareAsk(limit: 1)
            (ask.generation, ask.share) = (state.generation, state.target)
            ask.granted = state.granted
            ask.want = round % 3 == 0 ? BucketRate.parts * 7 / 8 : BucketRate.parts / Int64(2 + round % 5)
            _ = ShareRules.renew(
                &state, &pool, ask, sequence: Int64(round), of: rate, others: ShareOthers(), isFrozen: false, now: now)
        }
        let there = pool.granules + state.granted
        #expect(expected > 20 && abs(Double(there) - expected) <= 2, "\(there) of \(expected)")
    }

    @Test func `an equal part is what everybody gets who wants more`() throws {
        var random = SeededRandom("fair parts")
        for _ in 0..<2000 {
            let wants = (0..<Int.random(in: 1...9, using: &random)).map { _ in
                Int64.random(in: 0...BucketRate.parts, using: &random)
            }
            var states: [ShareState] = []
            let rate = try #require(BucketRate(amount: 1_000_000, per: .second, burst: 1_000_000))
            var pool = SharePool(granules: rate.capacity, filledAt: Timestamp(microseconds: 0))
            states = wants.map { _ in ShareState() }
            // Several rounds: who has too much says so before another gets more.
            for round in 1...5 {
                for index in wants.indices {
                    var ask = ShareAsk(limit: 1)
                    (ask.generation, ask.share) = (states[index].generation, states[index].target)
                    ask.granted = states[index].granted
                    (ask.want, ask.largest) = (wants[index], 1000)
                    var others = ShareOthers()
                    for (other, state) in states.enumerated() where other != index {
                        others.shares += state.share
                        others.fresh += state.fresh
                        if other < index || round > 1 { others.wants.append(wants[other]) }
                    }
                    _ = ShareRules.renew(
                        &states[index], &pool, ask, sequence: Int64(round), of: rate, others: others, isFrozen: false,
                        now: Timestamp(microseconds: Int64(round) * 1_000_000))
                }
            }
            let least = BucketRate.parts / Int64(wants.count)
            for (state, want) in zip(states, wants) {
                // Up to what a message is not worth.
                let missed = Int64(wants.count) * BucketRate.parts / 512
                #expect(state.share >= min(want, least) * 7 / 8 - missed, "\(wants) \(states.map(\.share))")
            }
        }
    }
}
