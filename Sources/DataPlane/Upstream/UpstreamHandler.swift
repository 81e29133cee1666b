import NIOCore
import NIOTLS

/// The shell around one connection to a provider: bytes in, what they mean to its owner.
final class UpstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase { case connecting, idle, head, body, discarding, closed }

    /// What a connection without an owner waits for.
    enum Waiting { case nothing, connection, request, rest }

    /// The connections of its endpoint.
    var group: EndpointConnections
    let pool: UpstreamPool
    var context: ChannelHandlerContext?
    var phase = Phase.connecting
    /// Who gets this connection when it is ready, and for which attempt of theirs.
    private var candidate: (owner: DownstreamHandler, attempt: Int)?
    private var isReady: Bool
    var owner: DownstreamHandler?
    var headBytes: ByteBuffer?
    var parser = ResponseHeadParser()
    var head = ResponseHead()
    var decoder = BodyDecoder()
    var keepsAlive = true
    /// The connection ended otherwise than by its proper close.
    private var isBroken = false
    /// The provider takes what is written.
    var isWritable = true
    var isPaused = false
    var wantsRead = false
    var discarded = 0
    private(set) var waitingSince = NIODeadline.now()

    /// Bytes of an unwanted body that are read to keep the connection.
    static let discardLimit = 64 << 10

    init(group: EndpointConnections, pool: UpstreamPool) {
        self.group = group
        self.pool = pool
        self.isReady = !group.endpoint.isTLS
    }

    var waiting: Waiting {
        switch self.phase {
        case .connecting: .connection
        case .idle: .request
        case .discarding: .rest
        case .head, .body, .closed: .nothing
        }
    }

    var isBusy: Bool { self.owner != nil }

    var isUsable: Bool { self.phase == .idle && !self.isBroken }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.pool.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.candidate = nil
        self.pool.remove(self)
    }

    // MARK: Becoming usable

    /// The connection is there; `owner` gets it once TLS agrees, if that still waits for it.
    func handOver(to owner: DownstreamHandler, attempt: Int) {
        self.candidate = (owner, attempt)
        switch self.phase {
        case .connecting: if self.isReady { self.ready() }
        default: self.refuseCandidate()
        }
    }

    private func ready() {
        guard self.phase == .connecting, let (owner, attempt) = self.candidate.take() else { return }
        self.beIdle()
        if owner.isWaiting(for: attempt) {
            owner.upstreamConnected(self, reused: false)
        } else {
            // The client went away or the time was up: keep the connection for somebody else.
            self.pool.release(self)
        }
    }

    private func refuseCandidate() {
        guard let (owner, attempt) = self.candidate.take(), owner.isWaiting(for: attempt) else { return }
        owner.upstreamUnreachable()
    }

    func beIdle() {
        self.phase = .idle
        self.waitingSince = .now()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            self.isReady = true
            self.ready()
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: From the owner

    /// Begins a request; its bytes follow with `write`.
    func begin(for owner: DownstreamHandler) {
        self.owner = owner
        self.phase = .head
        self.headBytes = nil
        self.parser.reset()
        self.isPaused = false
    }

    func write(_ bytes: ByteBuffer) { self.context?.write(Self.wrapOutboundOut(bytes), promise: nil) }
    func flush() { self.context?.flush() }

    /// Stops or goes on taking the answer: the client's side is or is no longer full.
    func setPaused(_ paused: Bool) {
        guard paused != self.isPaused else { return }
        self.isPaused = paused
        if !paused && self.wantsRead {
            self.wantsRead = false
            self.context?.read()
        }
    }

    /// The owner does not want the rest of the answer.
    ///
    /// A short rest is read, so that the connection can be kept.
    func detach() {
        self.owner = nil
        switch self.phase {
        case .body:
            self.discarded = 0
            self.phase = .discarding
            self.waitingSince = .now()
            self.setPaused(false)
        case .head: self.close()
        case .connecting, .idle, .discarding, .closed: break
        }
    }

    /// The owner does not want to pay for the rest of the answer: closing tells the provider to stop.
    func cancel() {
        self.owner = nil
        self.close()
    }

    func close() {
        guard self.phase != .closed else { return }
        self.phase = .closed
        self.pool.withdraw(self)
        self.refuseCandidate()
        self.context?.close(promise: nil)
    }

    // MARK: From the channel

    func read(context: ChannelHandlerContext) {
        if self.isPaused {
            self.wantsRead = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        switch self.phase {
        case .connecting, .idle:
            // Nothing was asked: the connection is not in a state that we know.
            self.close()
        case .head: self.readHead(&buffer)
        case .body, .discarding: self.readBody(buffer, from: 0)
        case .closed: break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        context.fireChannelWritabilityChanged()
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.owner?.upstreamReadComplete() }

    func channelInactive(context: ChannelHandlerContext) {
        let before = self.phase
        self.phase = .closed
        self.pool.remove(self)
        self.refuseCandidate()
        if let owner = self.owner.take() {
            if before == .body && self.decoder.closed() == nil && !self.isBroken {
                owner.upstreamComplete()
            } else {
                owner.upstreamClosed(beforeAnswer: before == .head && self.headBytes == nil)
            }
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS failures and resets both end here; channelInactive tells the owner.
        self.isBroken = true
        context.close(promise: nil)
    }
}
