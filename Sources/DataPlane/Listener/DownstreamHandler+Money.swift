import NIOCore
import Shared
import Synchronization

// Money of budgets for the request, between the choice of a target and its sending.
extension DownstreamHandler {
    /// Nanoseconds that a request waits for money at most.
    static let parkTime: UInt64 = 500_000_000

    /// Reserves what the request can cost at its target; what an earlier target had reserved is let go first.
    ///
    /// - Returns: false when it waits for money: `lookForMoneyAgain` goes on.
    func reserve() throws(GatewayError) -> Bool {
        // Where no budget applies nothing is looked at, and the exchange is not copied.
        guard let path = self.budgetPath, !path.isEmpty else { return true }
        if !self.reservation.isEmpty { self.reservation.settle(.zero, in: self.loop.leases) }
        let uptime = self.loop.time.uptime()
        let isLate = self.parkedUntil > 0 && uptime >= self.parkedUntil
        guard
            let verdict = self.verdict(
                path, uptime: uptime, away: isLate || self.loop.leases.isAway.load(ordering: .relaxed))
        else { return false }
        switch verdict {
        case .admitted: return true
        case .refused(let error): throw error
        case .wait(let asks):
            if self.parkedUntil == 0 { self.parkedUntil = uptime + Self.parkTime }
            self.phase = .parked
            guard self.loop.park(self, asks: asks) else {
                throw GatewayError(.overloaded, source: .gateway, retryAfter: 1)
            }
            self.setDeadline(after: .nanoseconds(Int64(clamping: self.parkedUntil - min(uptime, self.parkedUntil))))
            return false
        }
    }

    private var budgetPath: BudgetPath? {
        guard let policy = self.exchange?.policy, let node = self.exchange?.caller.node,
            let own = self.exchange?.caller.budgets, let model = self.exchange?.model
        else { return nil }
        return BudgetPath(policy, node: node, own: own, model: model)
    }

    private func verdict(_ path: BudgetPath, uptime: UInt64, away: Bool) -> Admission.Verdict? {
        guard let exchange = self.exchange else { return nil }
        return Admission.reserve(
            Admission.bound(exchange), of: path, in: self.loop.leases, now: self.loop.now(), uptime: uptime,
            away: away, &self.reservation)
    }

    /// There is word of money, or the time to wait for it is over.
    func lookForMoneyAgain() {
        guard self.phase == .parked else { return }
        do throws(GatewayError) {
            if try self.reserve() { try self.sendToTarget() }
        } catch {
            self.refuse(error, closes: false)
        }
    }
}
