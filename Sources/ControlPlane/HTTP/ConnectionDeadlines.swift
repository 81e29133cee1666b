import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Which deadline a connection has, as its requests and answers pass.
///
/// Knows no channel; a time comes with every input.
struct ConnectionDeadlines {
    private let limits: ConnectionLimits
    /// By when the client must have sent the head or body that is awaited.
    private(set) var read: NIODeadline?
    /// By when it must have taken the answer.
    private(set) var write: NIODeadline?
    /// Requests whose head came and whose answer has not ended.
    private var requests = 0
    /// Whether the last of them is still being sent.
    private var isReading = false
    /// Whether an answer has begun and not ended.
    private var isAnswering = false
    /// Answers that have ended and were not taken whole.
    private var untaken = 0

    init(_ limits: ConnectionLimits, now: NIODeadline) {
        self.limits = limits
        self.read = now + limits.head
    }

    /// The next one; nil while it is our turn.
    var next: NIODeadline? {
        guard let read, let write else { return self.read ?? self.write }
        return min(read, write)
    }

    mutating func headCame(now: NIODeadline) {
        self.requests += 1
        self.isReading = true
        // A request behind another one is not read before that is answered.
        self.read = self.requests == 1 ? now + self.limits.body : nil
    }

    mutating func bodyEnded(now: NIODeadline) {
        self.isReading = false
        // Answered and taken before it was read: the client may go on.
        self.read = self.requests == 0 && self.untaken == 0 ? now + self.limits.idle : nil
    }

    mutating func answerBegan(now: NIODeadline) {
        self.isAnswering = true
        if self.write == nil { self.write = now + self.limits.answer }
    }

    mutating func answerEnded(now: NIODeadline) {
        self.isAnswering = false
        self.untaken += 1
        self.requests = max(0, self.requests - 1)
        if self.isReading, self.read == nil { self.read = now + self.limits.body }
    }

    mutating func answerTaken(now: NIODeadline) {
        self.untaken = max(0, self.untaken - 1)
        guard self.untaken == 0 else { return }
        self.write = self.isAnswering ? now + self.limits.answer : nil
        // The client's time begins when it has what it asked for.
        if self.requests == 0, !self.isReading { self.read = now + self.limits.idle }
    }
}

/// Ends connections that do not keep their deadlines.
final class ConnectionDeadlinesHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var deadlines: ConnectionDeadlines
    private var timer: Scheduled<Void>?
    /// When the timer fires; a deadline that moved on is seen then.
    private var timerAt: NIODeadline?

    init(_ limits: ConnectionLimits) { self.deadlines = ConnectionDeadlines(limits, now: .now()) }

    func handlerAdded(context: ChannelHandlerContext) { self.schedule(context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head: self.deadlines.headCame(now: .now())
        case .body: break
        case .end: self.deadlines.bodyEnded(now: .now())
        }
        self.schedule(context)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.deadlines.answerBegan(now: .now())
        guard case .end = self.unwrapOutboundIn(data) else {
            self.schedule(context)
            context.write(data, promise: promise)
            return
        }
        self.deadlines.answerEnded(now: .now())
        self.schedule(context)
        let promise = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess {
            let (handler, context) = bound.value
            handler.deadlines.answerTaken(now: .now())
            handler.schedule(context)
        }
        context.write(data, promise: promise)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        guard let next = self.deadlines.next else { return }
        if let timerAt, timerAt <= next { return }
        self.timer?.cancel()
        self.timerAt = next
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleTask(deadline: next) {
            let (handler, context) = bound.value
            handler.timerAt = nil
            handler.timer = nil
            if let next = handler.deadlines.next, next <= .now() {
                context.close(promise: nil)
            } else {
                handler.schedule(context)
            }
        }
    }
}
