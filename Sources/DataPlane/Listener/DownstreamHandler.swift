import NIOCore
import Shared

/// The shell around one client connection: takes bytes, asks the values what they mean, does what they answer.
///
/// One request at a time; what a pipelining client sends meanwhile waits, bounded. The files beside this one are its
/// parts: receiving, sending upstream, relaying, ending, time.
final class DownstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests, or inside a head.
        case head
        case body
        /// For money of a budget, or units of a rate limit.
        case parked
        /// For a connection to a provider, or the head of its answer.
        case waiting
        case relaying
        /// The last answer is written; nothing more is read.
        case closing
        case closed
    }

    let loop: LoopState
    var context: ChannelHandlerContext?
    var phase = Phase.head
    var peer: IPAddress?

    // Receiving.
    /// Bytes that are not taken yet.
    var input: ByteBuffer?
    private var isDriving = false
    var parser = RequestHeadParser()
    var head = RequestHead()
    /// The bytes that `head` is offsets into.
    var headBytes = ByteBuffer()
    var decoder = BodyDecoder()
    var intentReader = IntentReader()
    var memo = KeyMemo()
    /// The body in the pieces it came in.
    var segments: [ByteBuffer] = []
    var segmentLengths: [Int] = []
    /// The last piece is made of small ones and may grow.
    var isGathering = false
    var heldBytes = 0
    private var wantsRead = false
    /// A head has begun to arrive; its time runs.
    var hasBegun = false

    // The request.
    var exchange: Exchange?
    /// What it has reserved of budgets.
    var reservation = Reservation()
    /// How what it has reserved goes with its stream.
    var growth = StreamGrowth.none
    /// What it has reserved of rate limits.
    var rates = RateReservation()
    /// The uptime until which it waits for money; 0 when it has not begun to.
    var parkedUntil: UInt64 = 0
    /// The uptime until which its stream is held back for money; 0 while it flows.
    var heldUntil: UInt64 = 0
    var closesAfterAnswer = false

    // Upstream.
    var upstream: UpstreamHandler?
    var isUpstreamReused = false
    /// Counts attempts of this connection, so that a late connect is recognised.
    var attemptNumber = 0
    /// The request's bytes were handed to a provider.
    var wasSent = false
    var splice = BodySplice()

    // Relaying.
    var relay = ResponseRelay()
    var framing = ResponseWriter.Framing.none
    var isAnswered = false
    var output: ByteBuffer?
    private var outputScratch = ByteBuffer()
    /// Something was written since the last flush.
    var needsFlush = false
    /// The client takes what is written: kept here, because asking the channel costs more than a read does.
    var isWritable = true
    /// The unfinished event.
    var partial = ByteBuffer()

    // Time.
    var deadline = NIODeadline.distantFuture
    /// When the request must be over, whatever it does.
    var requestEnd = NIODeadline.distantFuture
    var timer: NIOScheduledCallback?
    var timerAt = NIODeadline.distantFuture

    init(loop: LoopState) { self.loop = loop }

    // MARK: Life of the connection

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard self.loop.add(self) else {
            context.close(promise: nil)
            return
        }
        self.peer = context.remoteAddress.flatMap(IPAddress.init(socketAddress:))
        self.setDeadline(after: self.loop.waits.idle)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.phase = .closed
        self.loop.remove(self)
        self.timer?.cancel()
        if self.exchange != nil { self.clientGone() }
        self.upstream = nil
        self.input = nil
        self.output = nil
        self.releaseBuffers()
        self.context = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: Reading

    /// Bytes of later requests that are taken while one is served.
    static let pipelineLimit = 64 << 10

    private var isReadingPaused: Bool {
        switch self.phase {
        case .head, .body, .closing, .closed: false
        case .parked, .waiting, .relaying: (self.input?.readableBytes ?? 0) >= Self.pipelineLimit
        }
    }

    func read(context: ChannelHandlerContext) {
        if self.isReadingPaused {
            self.wantsRead = true
        } else {
            context.read()
        }
    }

    func resumeReading() {
        guard self.wantsRead, !self.isReadingPaused else { return }
        self.wantsRead = false
        self.context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        self.loop.counters.bytesIn += buffer.readableBytes
        guard self.phase != .closing, self.phase != .closed else { return }
        if var input = self.input.take() {
            // What was taken of it must not pile up before what was not.
            input.discardReadBytes()
            input.writeBuffer(&buffer)
            self.input = input
        } else {
            self.input = buffer
        }
        self.drive()
    }

    /// Takes what can be taken of the input.
    ///
    /// Requests that are answered at once do not nest.
    func drive() {
        guard !self.isDriving else { return }
        self.isDriving = true
        while let buffer = self.input, buffer.readableBytes > 0 {
            switch self.phase {
            case .head:
                guard self.takeHead(buffer) else { break }
                continue
            case .body:
                self.input = nil
                self.takeBody(buffer)
                continue
            case .parked, .waiting, .relaying, .closing, .closed: break
            }
            break
        }
        self.isDriving = false
        self.resumeReading()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        self.upstream?.setPaused(!self.isWritable || self.heldUntil > 0)
        if self.isWritable && self.phase == .relaying && self.heldUntil == 0 {
            self.setDeadline(after: self.loop.waits.write)
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Writing

    /// The buffer that output is gathered in until the next flush.
    func withOutput(_ body: (inout ByteBuffer) -> Void) {
        if self.output == nil {
            // Reused as long as nothing else holds it: what was flushed is gone.
            self.outputScratch.clear()
            self.output = self.outputScratch
            self.outputScratch = ByteBuffer()
        }
        if var buffer = self.output.take() {
            body(&buffer)
            self.output = buffer
        }
    }

    /// Hands gathered output to the channel.
    func writeOutput() {
        guard let buffer = self.output, buffer.readableBytes > 0 else { return }
        self.output = nil
        self.outputScratch = buffer
        self.write(buffer)
    }

    /// Hands bytes to the channel, behind what was gathered before.
    func write(_ buffer: ByteBuffer) {
        self.loop.counters.bytesOut += buffer.readableBytes
        self.needsFlush = true
        self.context?.write(Self.wrapOutboundOut(buffer), promise: nil)
    }

    func flush() {
        self.writeOutput()
        self.needsFlush = false
        self.context?.flush()
    }

    /// Lets go of what a connection need not hold between requests.
    func releaseBuffers() {
        self.headBytes = ByteBuffer()
        if self.outputScratch.storageCapacity > Self.keptCapacity { self.outputScratch = ByteBuffer() }
        if self.partial.storageCapacity > Self.keptCapacity { self.partial = ByteBuffer() }
        if self.segments.capacity > 64 { (self.segments, self.segmentLengths) = ([], []) }
    }

    /// Buffers up to this size stay with their connection.
    private static let keptCapacity = 4096
}

extension IPAddress {
    /// The address of a peer; nil for a local socket.
    init?(socketAddress: SocketAddress) {
        guard let text = socketAddress.ipAddress else { return nil }
        // A version 4 peer on a version 6 socket.
        self.init(text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text)
    }
}
