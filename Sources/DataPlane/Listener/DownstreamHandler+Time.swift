import NIOCore
import Shared

// One timer for each connection: a deadline that moves is not a new timer, it is looked at when the timer fires.
extension DownstreamHandler: NIOScheduledCallbackHandler {
    /// Sets when the connection has waited long enough for what it waits for.
    ///
    /// - Parameter onlyEarlier: keeps an earlier deadline: a head has its time as a whole, not for each byte.
    func setDeadline(after time: TimeAmount, onlyEarlier: Bool = false) {
        let now = NIODeadline.now()
        var deadline = now + time
        if let exchange = self.exchange {
            // All of a request has an end, whatever it does.
            let limit = exchange.policy.limits.requestSeconds
            let uptime = self.loop.time.uptime()
            let spent = uptime > exchange.beganUptime ? Int64(clamping: (uptime - exchange.beganUptime) / 1_000_000) : 0
            deadline = min(deadline, now + .milliseconds(max(0, Int64(limit) * 1000 - spent)))
        }
        if onlyEarlier { deadline = min(deadline, self.deadline) }
        self.deadline = deadline
        guard self.timer == nil || self.timerAt > deadline else { return }
        self.timer?.cancel()
        self.timerAt = deadline
        self.timer = try? self.loop.eventLoop.assumeIsolated().scheduleCallback(at: deadline, handler: self)
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.timer = nil
        guard self.phase != .closed else { return }
        guard NIODeadline.now() >= self.deadline else {
            self.timerAt = self.deadline
            self.timer = try? self.loop.eventLoop.assumeIsolated().scheduleCallback(at: self.deadline, handler: self)
            return
        }
        self.timeIsUp()
    }

    private func timeIsUp() {
        switch self.phase {
        case .head:
            if (self.input?.readableBytes ?? 0) > 0 {
                self.input = nil
                self.refuse(GatewayError(.requestTimeout), closes: true)
            } else {
                self.close()
            }
        case .body: self.refuse(GatewayError(.requestTimeout), closes: true)
        case .waiting:
            let wasConnected = self.upstream != nil
            self.upstream?.cancel()
            self.upstream = nil
            if wasConnected {
                // The provider may be working on it: asking another one could be paid for twice.
                self.isAnswered = self.wasSent
                self.fail(GatewayError(.upstreamTimeout, source: .upstream))
            } else {
                self.tryNext(after: GatewayError(.upstreamTimeout, source: .upstream))
            }
        case .relaying: self.cut(GatewayError(.upstreamTimeout, source: .upstream))
        case .closing, .closed: self.context?.close(promise: nil)
        }
    }
}
