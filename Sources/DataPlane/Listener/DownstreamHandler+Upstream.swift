import NIOCore
import Shared

// From the decision to the head of the provider's answer.
extension DownstreamHandler {
    /// Tries the next target. The first attempt opens the request in the journal.
    func attempt() throws(GatewayError) {
        guard var exchange = self.exchange.take() else { return }
        defer { self.exchange = exchange }
        let policy = exchange.policy
        guard
            let target = exchange.target.next(of: policy.routes[Int(exchange.route)], random: self.loop.nextRandom())
        else { throw GatewayError(.noTarget, source: .gateway, retryAfter: 1) }
        exchange.model = target.model
        if !exchange.isOpen {
            guard self.loop.journal.open(Settle.bound(exchange, policy: policy, now: exchange.began)) else {
                throw GatewayError(.noUsageSpace, source: .gateway, retryAfter: 5)
            }
            exchange.isOpen = true
        }
        exchange.attempts += 1
        self.loop.counters.attempts += 1
        self.connect(exchange, fresh: false)
    }

    private func connect(_ exchange: borrowing Exchange, fresh: Bool) {
        self.attemptNumber += 1
        self.phase = .waiting
        self.upstream = nil
        self.setDeadline(seconds: self.loop.timeouts.connect)
        let policy = exchange.policy
        let provider = policy.providers[Int(policy.models[Int(exchange.model)].provider)]
        let number = self.attemptNumber
        let endpoint = self.loop.pool.endpoint(of: provider)
        // On the next turn of the loop when it could answer at once: the exchange is being written.
        self.pendingAcquire = (endpoint, fresh, number)
        self.acquirePending()
    }

    func isWaiting(for attempt: Int) -> Bool {
        self.phase == .waiting && self.attemptNumber == attempt && self.upstream == nil
    }
}
