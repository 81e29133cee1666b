import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Stands between a gateway and the control plane and changes what comes back: an attacker on the wire without TLS, or
/// a control plane that has gone wrong.
final class TamperingProxy: Sendable {
    /// Given the path and the answer's body, the body to send instead.
    typealias Tamper = @Sendable (_ path: String, _ body: [UInt8]) -> [UInt8]

    private let channel: any Channel
    private let state: Shared

    private init(channel: any Channel, state: Shared) {
        self.channel = channel
        self.state = state
    }

    var url: String { "http://127.0.0.1:\(self.channel.localAddress?.port ?? 0)" }

    /// What is done from now on; nil for nothing.
    func set(_ tamper: Tamper?) { self.state.value.withLock { $0 = tamper } }

    private final class Shared: Sendable {
        let value = Mutex<Tamper?>(nil)
    }

    static func start(to target: String, http: HTTPClient) async throws -> TamperingProxy {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(target: target, http: http, shared: shared)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TamperingProxy(channel: channel, state: shared)
    }

    func close() async { try? await self.channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let target: String
        private let http: HTTPClient
        private let shared: Shared
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(target: String, http: HTTPClient, shared: Shared) {
            self.target = target
            self.http = http
            self.shared = shared
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch Self.unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                self.body.clear()
            case .body(var part): self.body.writeBuffer(&part)
            case .end:
                guard let head = self.head else { return }
                self.forward(context, head, self.body)
            }
        }

        private func forward(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ body: ByteBuffer) {
            var request = HTTPClientRequest(url: self.target + head.uri)
            request.method = head.method
            for name in ["authorization", "content-type"] {
                if let value = head.headers.first(name: name) { request.headers.add(name: name, value: value) }
            }
            if body.readableBytes > 0 { request.body = .bytes(body) }
            let (http, shared, ready) = (self.http, self.shared, request)
            let promise = context.eventLoop.makePromise(of: (HTTPResponseStatus, [UInt8]).self)
            promise.completeWithTask {
                let response = try await http.execute(ready, timeout: .seconds(90))
                let bytes = try await response.body.collect(upTo: 64 << 20)
                let original = Array(bytes.readableBytesView)
                let changed = shared.value.withLock { $0 }?(head.uri, original) ?? original
                return (response.status, changed)
            }
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            promise.futureResult.whenComplete { result in
                let context = bound.value
                guard context.channel.isActive else { return }
                let (status, bytes) = (try? result.get()) ?? (.badGateway, [])
                var head = HTTPResponseHead(version: .http1_1, status: status)
                if status != .notModified && status != .noContent {
                    head.headers.add(name: "content-length", value: String(bytes.count))
                }
                context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
                if status != .notModified && status != .noContent {
                    context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
                }
                context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
