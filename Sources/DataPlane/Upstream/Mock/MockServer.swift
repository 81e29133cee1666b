import FoundationEssentials
import NIOCore
import NIOPosix

/// The built-in provider: an HTTP server on the loopback interface, so that a request to it takes the way of every other.
///
/// A request may say in its member `mock` how the provider should misbehave; see `MockRequest.Behaviour`.
final class MockServer: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    static func start(group: any EventLoopGroup) async throws -> MockServer {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(MockHandler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return MockServer(channel: channel)
    }

    var port: Int { self.channel.localAddress?.port ?? 0 }

    func close() async { try? await self.channel.close() }
}

private final class MockHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var input = ByteBuffer()
    private var parser = RequestHeadParser()
    private var head = RequestHead()
    private var decoder = BodyDecoder()
    private var path = ""
    private var body: [UInt8] = []
    private var isReadingBody = false
    private var isBusy = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        self.input.writeBuffer(&buffer)
        self.advance(context)
    }

    private func advance(_ context: ChannelHandlerContext) {
        guard !self.isBusy else { return }
        if !self.isReadingBody {
            let input = self.input
            switch self.parser.parse(input.readableBytesUInt8Span, into: &self.head) {
            case .needMore: return
            case .failed:
                context.close(promise: nil)
                return
            case .complete(let length):
                self.path = String(
                    decoding: self.input.readableBytesView.dropFirst(self.head.path.lowerBound).prefix(
                        self.head.path.count),
                    as: UTF8.self
                )
                self.decoder.reset(self.head.framing, limit: 256 << 20)
                self.input.moveReaderIndex(forwardBy: length)
                self.parser.reset()
                self.body = []
                self.isReadingBody = true
            }
        }
        var index = 0
        let input = self.input
        let span = input.readableBytesUInt8Span
        while true {
            switch self.decoder.next(span, &index) {
            case .body(let range): self.body.write(span.extracting(range))
            case .needMore:
                self.input.clear()
                return
            case .failed:
                context.close(promise: nil)
                return
            case .complete:
                self.input.moveReaderIndex(forwardBy: index)
                self.isReadingBody = false
                self.isBusy = true
                self.answer(context)
                return
            }
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        let request: MockRequest
        do {
            request = try JSONDecoder().decode(MockRequest.self, from: Data(self.body))
        } catch {
            self.respond(context, 400, Self.error("the mock cannot read this request", "invalid_request_error"))
            return
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let delay = TimeAmount.milliseconds(Int64(min(max(request.mock?.delayMilliseconds ?? 0, 0), 600_000)))
        let path = self.path
        let act: @Sendable () -> Void = {
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            handler.perform(context, MockAnswer(request: request, path: path))
        }
        if delay > .zero {
            context.eventLoop.scheduleTask(in: delay, act)
        } else {
            act()
        }
    }

    private func perform(_ context: ChannelHandlerContext, _ answer: MockAnswer) {
        if answer.request.mock?.hangUp == true {
            context.close(promise: nil)
            return
        }
        if let status = answer.request.mock?.status {
            self.respond(context, min(max(status, 200), 599), Self.error("the mock was asked for this", "mock_error"))
            return
        }
        if answer.request.stream == true && self.path != "/v1/embeddings" {
            var output = context.channel.allocator.buffer(capacity: 256)
            output.writeStatusLine(200)
            output.write("content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n")
            context.write(Self.wrapOutboundOut(output), promise: nil)
            self.stream(context, answer.events[...], sent: 0, answer.request.mock)
            return
        }
        guard let document = answer.document else {
            self.respond(context, 404, Self.error("the mock does not have this path", "not_found_error"))
            return
        }
        self.respond(context, 200, document)
    }

    /// Sends events, all at once or with the time between them that was asked for.
    private func stream(
        _ context: ChannelHandlerContext, _ events: ArraySlice<String>, sent: Int, _ behaviour: MockRequest.Behaviour?
    ) {
        guard context.channel.isActive else { return }
        let pause = TimeAmount.milliseconds(Int64(min(max(behaviour?.eventDelayMilliseconds ?? 0, 0), 60_000)))
        var rest = events
        var sent = sent
        while let event = rest.first {
            if let limit = behaviour?.cutAfterEvents, sent >= limit {
                let channel = context.channel
                context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer())).whenComplete { _ in
                    channel.close(promise: nil)
                }
                return
            }
            var output = context.channel.allocator.buffer(capacity: event.utf8.count + 16)
            output.beginChunk(event.utf8.count)
            output.writeString(event)
            output.endChunk()
            context.write(Self.wrapOutboundOut(output), promise: nil)
            rest = rest.dropFirst()
            sent += 1
            if pause > .zero && !rest.isEmpty {
                context.flush()
                let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                let (left, count) = (rest, sent)
                context.eventLoop.scheduleTask(in: pause) {
                    let (handler, context) = bound.value
                    handler.stream(context, left, sent: count, behaviour)
                }
                return
            }
        }
        var output = context.channel.allocator.buffer(capacity: 8)
        output.writeLastChunk()
        context.writeAndFlush(Self.wrapOutboundOut(output), promise: nil)
        self.finish(context)
    }

    private func respond(_ context: ChannelHandlerContext, _ status: Int, _ body: String) {
        var output = context.channel.allocator.buffer(capacity: body.utf8.count + 160)
        output.writeStatusLine(status)
        output.write("content-type: application/json\r\nx-request-id: mock\r\n")
        if status == 429 { output.write("retry-after: 1\r\n") }
        output.writeField("content-length", decimal: body.utf8.count)
        output.endHead()
        output.writeString(body)
        context.writeAndFlush(Self.wrapOutboundOut(output), promise: nil)
        self.finish(context)
    }

    private func finish(_ context: ChannelHandlerContext) {
        self.isBusy = false
        if self.input.readableBytes > 0 { self.advance(context) }
    }

    private static func error(_ message: String, _ type: String) -> String {
        "{\"error\":{\"message\":\"\(message)\",\"type\":\"\(type)\",\"param\":null,\"code\":\"\(type)\"}}"
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
