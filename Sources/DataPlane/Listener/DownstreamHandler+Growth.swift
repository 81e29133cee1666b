import NIOCore
import Shared
import Synchronization

// What a request has reserved goes with its stream, and what it had is learned.
extension DownstreamHandler {
    /// A stream has brought more text than what is reserved was meant for: reserves more, or ends it when nothing is left.
    func growReservation() {
        guard self.reservation.learns, let request = self.exchange?.accounted else { return }
        let text = self.relay.text.bytes
        let next = self.growth.next(text)
        let uptime = self.loop.time.uptime()
        let away = self.loop.leases.isAway.load(ordering: .relaxed)
        let failure = Admission.grow(
            to: request.cost(next) ?? .zero, of: BudgetPath(request), in: self.loop.leases, uptime: uptime,
            away: away, &self.reservation)
        guard let failure else {
            self.growth.grow(to: next)
            self.letFlow()
            return
        }
        if !self.growth.stay(at: text) {
            if !away { self.loop.askForMoney() }
        } else if away || !self.hold(uptime) {
            self.cut(failure)
        }
    }

    /// Takes no more of the answer until there is word of money, for a moment.
    ///
    /// - Returns: false when the moment is over, or too many wait.
    private func hold(_ uptime: UInt64) -> Bool {
        if self.heldUntil == 0 {
            self.heldUntil = uptime + Self.parkTime
            self.upstream?.setPaused(true)
        }
        guard uptime < self.heldUntil, self.loop.park(self, asks: true) else { return false }
        // Again, too, when the timer was a moment early.
        self.setDeadline(after: .nanoseconds(Int64(self.heldUntil - uptime)))
        return true
    }

    private func letFlow() {
        guard self.heldUntil > 0 else { return }
        self.heldUntil = 0
        self.setDeadline(after: self.loop.waits.write)
        self.upstream?.setPaused(!self.isWritable)
    }

    /// Takes in what a finished request had, for those like it.
    func learn(_ exchange: borrowing Exchange, _ counters: UsageCounters) {
        guard self.reservation.learns, self.relay.usage.usage != nil, let request = exchange.accounted else { return }
        let use = RateUse(counters)
        self.loop.learned.note(
            LearnedUse.Sample(
                output: use.outputTokens, input: use.inputTokens, bodyBytes: request.promptBytes ?? 0,
                textBytes: self.relay.text.bytes),
            request.key, request.modelID)
    }
}
