import ControlPlane
import Shared
import TestKit
import Testing

@Suite struct LeaseSharersTests {
    private static let start = Timestamp(microseconds: 1_800_000_000_000_000)

    private func lease(_ phase: LeaseState.Phase = .open, sequence: Int64 = 1) -> LeaseState {
        var lease = LeaseState()
        (lease.phase, lease.sequence) = (phase, sequence)
        return lease
    }

    @Test func `one that is known is not counted again, and one that comes is`() {
        let now = Self.start
        var sharers = LeaseSharers()
        sharers.renew(self.lease(sequence: 0), renewedAt: now, now: now)
        #expect(sharers.count == 1 && !sharers.isDue(now: now.adding(seconds: 86_400)))
        sharers.renew(self.lease(), renewedAt: now, now: now.adding(seconds: 20))
        #expect(sharers.count == 1)
        // A lease that usage made, one that was silent, and one that was closed.
        for lease in [
            (self.lease(sequence: 0), now), (self.lease(), now.adding(seconds: -120)),
            (self.lease(.closed), now), (self.lease(.suspense), now),
        ] {
            sharers.renew(lease.0, renewedAt: lease.1, now: now)
            #expect(!sharers.isDue(now: now.adding(seconds: 59)) && sharers.isDue(now: now.adding(seconds: 60)))
        }
        // Counted never: as soon as can be.
        #expect(LeaseSharers(count: 2).isDue(now: now))
        #expect(sharers.count == 5)
        sharers.counted(others: 2, now: now)
        #expect(sharers.count == 3 && sharers.countedAt == now)
        #expect(!sharers.isDue(now: now.adding(seconds: 59)) && sharers.isDue(now: now.adding(seconds: 60)))
    }

    @Test func `never too few are counted`() {
        var random = SeededRandom("sharers")
        for _ in 0..<200 {
            var sharers = LeaseSharers()
            var renewed: [Int: (lease: LeaseState, at: Timestamp)] = [:]
            var now = Self.start
            for step in 1...200 {
                now = now.adding(seconds: Int64.random(in: 0...(step % 9 == 0 ? 150 : 10), using: &random))
                let gateway = Int.random(in: 0..<6, using: &random)
                let known = renewed[gateway] ?? (self.lease(sequence: 0), now)
                sharers.renew(known.lease, renewedAt: known.at, now: now)
                let since = now.adding(seconds: -LeaseRules.sharingSeconds)
                let others = renewed.filter {
                    $0.key != gateway && $0.value.lease.phase == .open && $0.value.at > since
                }
                .count
                // Not each time that it is due.
                let isCounted = sharers.isDue(now: now) && Bool.random(using: &random)
                if isCounted { sharers.counted(others: others, now: now) }
                #expect(isCounted ? sharers.count == others + 1 : sharers.count > others)
                let isFinal = Int.random(in: 0..<10, using: &random) == 0
                renewed[gateway] = (self.lease(isFinal ? .closed : .open, sequence: Int64(step)), now)
            }
        }
    }
}
