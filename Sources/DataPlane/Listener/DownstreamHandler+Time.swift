import NIOCore
import Shared

// One timer for each connection: a deadline that moves is not a new timer, it is looked at when the timer fires.
extension DownstreamHandler: NIOScheduledCallbackHandler {
    /// Sets when the connection has waited long enough for what it waits for.
    func setDeadline(after time: TimeAmount) {
        guard self.phase != .closed else { return }
        self.deadline = min(NIODeadline.now() + time, self.requestEnd)
        guard self.timer == nil || self.timerAt > self.deadline else { return }
        self.timer?.cancel()
        self.timerAt = self.deadline
        self.timer = try? self.loop.eventLoop.assumeIsolated().scheduleCallback(at: self.deadline, handler: self)
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
            if self.hasBegun {
                self.input = nil
                self.refuse(GatewayError(.requestTimeout), closes: true)
            } else {
                self.closeAfterFlush()
            }
        case .body: self.refuse(GatewayError(.requestTimeout), closes: true)
        case .parked: self.lookForMoneyAgain()
        case .waiting: self.answerIsLate()
        case .relaying:
            if self.heldUntil > 0 {
                self.growReservation()
            } else if !self.isWritable {
                self.clientStalled()
            } else {
                self.cut(GatewayError(.upstreamTimeout, source: .upstream))
            }
        case .closing, .closed: self.context?.close(promise: nil)
        }
    }

    private func answerIsLate() {
        let error = GatewayError(.upstreamTimeout, source: .upstream)
        let wasConnected = self.upstream != nil
        self.upstream?.cancel()
        self.upstream = nil
        if wasConnected || NIODeadline.now() >= self.requestEnd {
            // The provider may be working on it: asking another one could be paid for twice.
            self.isAnswered = self.wasSent
            self.fail(error)
        } else {
            self.tryNext(after: error)
        }
    }
}
