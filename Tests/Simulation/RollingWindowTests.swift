import ControlPlane
import Shared
import TestKit
import Testing

/// Windows that roll, by the rule alone: gateways that spend at once whatever they are granted, and replicas of the control
/// plane whose clocks are off as much as they may be.
@Suite struct RollingWindowTests {
    private static let start: Int64 = 1_800_000_000_000_000

    /// - Parameter off: microseconds that a replica's clock may be behind or ahead.
    /// - Returns: the most that was spent in any window, and all that was.
    private func spend(_ random: inout SeededRandom, off: Int64) -> (most: Int64, all: Int64) {
        let window = RollingWindow(stored: 60)
        var bank = SimulatedBank()
        bank.budgets[1] = (1000, true)
        bank.rolling[1] = window
        let charge = Charge(budget: 1, startMinute: 0)
        let gateways = (0..<2).map { _ in
            GatewayID(UUIDValue(high: random.next() | 1, low: random.next()))
        }
        var asks = gateways.map { _ in LeaseAsk(account: charge) }
        var spent: [(at: Int64, cost: Int64)] = []
        var (most, all): (Int64, Int64) = (0, 0)
        var now = Self.start
        var stored: [Int] = [0, 0]
        for step in 1...3000 {
            now += Int64.random(in: 1...150_000, using: &random)
            func clock() -> Timestamp {
                Timestamp(microseconds: now + Int64.random(in: -off...off, using: &random))
            }
            let index = Int.random(in: 0...1, using: &random)
            if Int.random(in: 0..<3, using: &random) == 0 { bank.look(now: clock()) }
            asks[index].need = Int64.random(in: 1...400, using: &random)
            asks[index].want = asks[index].need
            let request = LeaseRequest(gateway: gateways[index], sequence: Int64(step), asks: [asks[index]])
            guard let grant = bank.renew(request, process: 1, now: clock()).grants.first else { continue }
            let more = grant.granted - asks[index].granted
            asks[index].granted = grant.granted
            asks[index].posted = grant.granted
            if more > 0 {
                spent.append((now, more))
                all += more
                stored[index] = bank.ingest(
                    [([charge], more)], from: stored[index] + 1, stream: UInt64(index + 1), gateway: gateways[index],
                    process: 1, now: Timestamp(microseconds: now))
            }
            spent.removeAll { $0.at <= now - window.seconds * 1_000_000 }
            most = max(most, spent.reduce(0) { $0 + $1.cost })
        }
        return (most, all)
    }

    @Test func `no window has more than the amount, whichever replica's clock it goes by`() {
        var random = SeededRandom("rolling windows")
        for _ in 0..<20 {
            let (most, all) = self.spend(&random, off: RollingWindow.clockMargin * 500_000)
            #expect(most == 1000)
            // In some four windows, of which each is full as soon as it may be.
            #expect(all >= 3000)
        }
    }

    /// It is the margin that does it, and what is beyond it costs a part of a window.
    @Test func `clocks that are further apart than they may be shorten windows`() {
        var random = SeededRandom("clocks far apart")
        let most = (0..<20).map { _ in self.spend(&random, off: 10_000_000).most }.max() ?? 0
        #expect(most > 1000)
    }

    @Test func `every length goes in sixty steps of whole microseconds`() {
        for period in BudgetPeriod.allCases {
            guard let window = RollingWindow(period) else {
                #expect(period == .total)
                continue
            }
            #expect(window.stepLength * RollingWindow.steps == window.seconds * 1_000_000)
            let now = Timestamp(microseconds: Self.start)
            #expect(window.cutoff(at: now).seconds == now.seconds - window.seconds - 1)
            #expect(window.step(of: now) - window.step(of: window.keptSince(at: now)) <= RollingWindow.steps + 2)
        }
    }
}
