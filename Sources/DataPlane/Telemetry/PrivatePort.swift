import NIOCore
import NIOPosix
import Shared

/// The port for operators: `/healthz`, `/readyz`, `/metrics`.
///
/// Not for clients: it knows no keys.
final class PrivatePort: Sendable {
    /// What there is to tell.
    ///
    /// Asked on any thread.
    struct Source: Sendable {
        /// Nil when ready, else why not.
        let notReady: @Sendable () -> String?
        let metrics: @Sendable () async -> String
    }

    private let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    static func bind(_ address: ListenAddress, group: any EventLoopGroup, source: Source) async throws -> PrivatePort {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PrivateHandler(source: source))
                }
            }
            .bind(host: address.host, port: address.port).get()
        return PrivatePort(channel: channel)
    }

    func close() async { try? await self.channel.close() }
}

/// Answers one request, then closes.
private final class PrivateHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let source: PrivatePort.Source
    private var input = ByteBuffer()
    private var parser = RequestHeadParser()
    private var head = RequestHead()
    private var isAnswered = false

    init(source: PrivatePort.Source) { self.source = source }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .seconds(30)) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        guard !self.isAnswered else { return }
        self.input.writeBuffer(&buffer)
        let input = self.input
        switch self.parser.parse(input.readableBytesUInt8Span, into: &self.head) {
        case .needMore: break
        case .failed(let failure): self.answer(context, failure.status, "\(failure.reason)\n")
        case .complete: self.route(context)
        }
    }

    private func route(_ context: ChannelHandlerContext) {
        guard self.head.method == .get || self.head.method == .head else {
            self.answer(context, 405, "GET only\n")
            return
        }
        let path = String(
            decoding: self.input.readableBytesView.dropFirst(self.head.path.lowerBound).prefix(self.head.path.count),
            as: UTF8.self)
        switch path {
        case "/healthz": self.answer(context, 200, "ok\n")
        case "/readyz":
            if let reason = self.source.notReady() {
                self.answer(context, 503, "\(reason)\n")
            } else {
                self.answer(context, 200, "ready\n")
            }
        case "/metrics":
            self.isAnswered = true
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let source = self.source
            let promise = context.eventLoop.makePromise(of: String.self)
            promise.completeWithTask { await source.metrics() }
            promise.futureResult.whenSuccess { text in
                let (handler, context) = bound.value
                handler.isAnswered = false
                handler.answer(context, 200, text, type: "text/plain; version=0.0.4; charset=utf-8")
            }
        default: self.answer(context, 404, "there is /healthz, /readyz and /metrics\n")
        }
    }

    private func answer(
        _ context: ChannelHandlerContext, _ status: Int, _ body: String,
        type: StaticString = "text/plain; charset=utf-8"
    ) {
        self.isAnswered = true
        var output = context.channel.allocator.buffer(capacity: body.utf8.count + 160)
        output.writeStatusLine(status)
        output.writeField("content-type", type)
        output.writeField("content-length", decimal: body.utf8.count)
        output.writeField("connection", "close")
        output.endHead()
        if self.head.method != .head { output.writeString(body) }
        let channel = context.channel
        context.writeAndFlush(Self.wrapOutboundOut(output)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
