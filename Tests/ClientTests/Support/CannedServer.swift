import AdminClient
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on the loopback interface that answers what a test says, and remembers what it was asked.
final class CannedServer: Sendable {
    struct Request: Sendable {
        let method: String
        let target: String
        let headers: HTTPHeaders
        let body: String
    }

    struct Reply: Sendable {
        var status = 200
        var headers: [(String, String)] = [("content-type", "application/json")]
        var body: [UInt8] = []

        static func json(_ text: String, status: Int = 200, headers: [(String, String)] = []) -> Reply {
            Reply(status: status, headers: [("content-type", "application/json")] + headers, body: Array(text.utf8))
        }
    }

    private let received = Mutex<[Request]>([])
    private let channel: any Channel
    let port: Int

    private init(_ channel: any Channel, port: Int, _ box: Box) {
        self.channel = channel
        self.port = port
        box.server.withLock { $0 = self }
    }

    /// Where handlers find the server, which exists only after its channel.
    private final class Box: Sendable {
        let server = Mutex<CannedServer?>(nil)
    }

    var requests: [Request] { self.received.withLock { $0 } }
    var address: ServerAddress { get throws { try ServerAddress("http://127.0.0.1:\(self.port)") } }

    static func with(
        _ answer: @escaping @Sendable (Request) -> Reply, _ body: (CannedServer) async throws -> Void
    ) async throws {
        let box = Box()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { request in
                            box.server.withLock { $0 }?.received.withLock { $0.append(request) }
                            return answer(request)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = CannedServer(channel, port: channel.localAddress?.port ?? 0, box)
        do {
            try await body(server)
        } catch {
            try? await channel.close()
            throw error
        }
        box.server.withLock { $0 = nil }
        try await channel.close()
    }

    /// A session with the server, whose console is recorded.
    func session(
        _ recording: Recording, _ folder: TemporaryFolder, format: OutputFormat = .json,
        _ body: (Session) async throws(ClientError) -> Void
    ) async throws {
        var context = ServerContext(server: try self.address)
        context.token = try ServerContext.token("gh_sa_secret")
        let environment = ClientEnvironment(["HOME": folder.path])
        try await Session.with(
            context, environment: environment, console: recording.console(), format: format, timeout: .seconds(20), body
        )
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: (Request) -> Reply
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(_ answer: @escaping (Request) -> Reply) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head): (self.head, self.body) = (head, ByteBuffer())
            case .body(var part): self.body.writeBuffer(&part)
            case .end:
                guard let head = self.head else { return }
                let request = Request(
                    method: head.method.rawValue, target: head.uri, headers: head.headers,
                    body: String(buffer: self.body))
                let reply = self.answer(request)
                var headers = HTTPHeaders(reply.headers)
                headers.add(name: "content-length", value: "\(reply.body.count)")
                let answered = HTTPResponseHead(
                    version: .http1_1, status: HTTPResponseStatus(statusCode: reply.status), headers: headers)
                context.write(self.wrapOutboundOut(.head(answered)), promise: nil)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.body)))), promise: nil)
                context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
