import NIOCore
import Shared

// How a connection ends: with its answer, in a drain, or at once.
extension DownstreamHandler {
    /// The process stops: end this connection now when it is idle, else with its answer.
    func drain() {
        self.closesAfterAnswer = true
        if self.phase == .head && self.exchange == nil && (self.input?.readableBytes ?? 0) == 0 {
            self.closeAfterFlush()
        }
    }

    /// The process has waited long enough: whatever is under way ends here.
    func abort() {
        let error = GatewayError(.draining, source: .gateway, retryAfter: 1)
        switch self.phase {
        case .body, .parked: self.refuse(error, closes: true)
        case .waiting:
            self.upstream?.cancel()
            self.upstream = nil
            self.isAnswered = self.wasSent
            self.refuse(error, closes: true)
        case .relaying: self.cut(error)
        case .head: self.closeAfterFlush()
        case .closing, .closed: break
        }
    }

    /// Ends the connection at once; what was not sent is lost.
    func close() {
        guard self.phase != .closed else { return }
        self.phase = .closing
        self.context?.close(promise: nil)
    }

    /// Ends the connection when what was written is gone.
    ///
    /// A client that still sends would lose the answer to a reset, so its input is read and dropped until it closes, or for a moment.
    func closeAfterFlush() {
        guard let context = self.context, self.phase != .closed, self.phase != .closing else { return }
        self.phase = .closing
        self.input = nil
        self.setDeadline(after: self.loop.waits.write)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.setDeadline(after: Self.lingerTime) }
        context.close(mode: .output, promise: promise)
        self.resumeReading()
    }

    private static let lingerTime = TimeAmount.seconds(2)
}
