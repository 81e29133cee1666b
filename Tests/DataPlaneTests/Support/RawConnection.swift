import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TestKit

/// One end of a connection whose every byte a test decides: what is sent, when it is read, how it ends.
final class RawConnection: Sendable {
    struct Inbox {
        var bytes: [UInt8] = []
        var isClosed = false
        /// Bytes that came in all, taken ones included.
        var total = 0
        /// Bytes are counted and not kept.
        var isCounting = false
    }

    /// Carries the tests' ends of all connections.
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    let channel: any Channel
    fileprivate let inbox = Mutex(Inbox())

    init(channel: any Channel) { self.channel = channel }

    static func connect(port: Int, tls: NIOSSLContext? = nil, serverName: String? = nil) async throws -> RawConnection {
        let channel = try await ClientBootstrap(group: Self.group)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: tls, serverHostname: serverName)
                        )
                    }
                    try RawConnection(channel: channel).install()
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: RawHandler.self).connection
        }.get()
    }

    /// Begins to take what comes; on the channel's loop.
    func install() throws {
        try self.channel.pipeline.syncOperations.addHandler(RawHandler(connection: self))
    }

    // MARK: Sending

    func send(_ bytes: [UInt8]) async throws { try await self.channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }
    func send(_ text: String) async throws { try await self.send(Array(text.utf8)) }

    /// Sends without waiting until the other side has room.
    func post(_ bytes: [UInt8]) { self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Sends in pieces that arrive one by one, as far as the kernel lets them.
    func send(_ bytes: [UInt8], inPiecesOf size: Int, pause: Duration = .zero) async throws {
        var at = 0
        while at < bytes.count {
            let end = min(at + size, bytes.count)
            try await self.send(Array(bytes[at..<end]))
            if pause > .zero { try await Task.sleep(for: pause) } else { await Task.yield() }
            at = end
        }
    }

    // MARK: Ending

    func close() { self.channel.close(promise: nil) }
    func halfClose() async throws { try await self.channel.close(mode: .output).get() }

    /// Closes with a reset instead of a proper end.
    func reset() async throws {
        if let socket = self.channel as? any SocketOptionProvider {
            try? await socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try? await self.channel.close().get()
    }

    /// Stops taking bytes from the kernel, or goes on.
    func setReading(_ reading: Bool) async throws { try await self.channel.setOption(.autoRead, value: reading).get() }

    // MARK: What came

    var received: [UInt8] { self.inbox.withLock { $0.bytes } }
    var receivedCount: Int { self.inbox.withLock { $0.total } }
    var isClosed: Bool { self.inbox.withLock { $0.isClosed } }

    /// Keeps only the number of bytes from now on.
    func countOnly() {
        self.inbox.withLock { inbox in
            inbox.isCounting = true
            inbox.bytes = []
        }
    }

    /// Takes `count` bytes off the front of what came.
    func take(_ count: Int) { self.inbox.withLock { $0.bytes.removeFirst(count) } }

    /// Waits until the other side has closed.
    func closed(within time: Duration = .seconds(20)) async throws {
        try await eventually("the connection is closed", within: time, looking: .milliseconds(1)) { self.isClosed }
    }

    /// Waits for the next message and takes it; `isAnswer` decides how a message without a length is read.
    func message(within time: Duration = .seconds(30), isAnswer: Bool, toHead: Bool = false) async throws -> RawMessage
    {
        var found: RawMessage?
        try await eventually("a whole message has come", within: time, looking: .milliseconds(1)) {
            self.inbox.withLock { inbox in
                found = RawMessage(inbox.bytes, isAnswer: isAnswer, toHead: toHead, isClosed: inbox.isClosed)
                if let found { inbox.bytes.removeFirst(found.length) }
                return found != nil || inbox.isClosed
            }
        }
        guard let found else { throw RawError.closedEarly(String(decoding: self.received, as: UTF8.self)) }
        return found
    }

    func answer(within time: Duration = .seconds(30)) async throws -> RawMessage {
        try await self.message(within: time, isAnswer: true)
    }

    func request(within time: Duration = .seconds(30)) async throws -> RawMessage {
        try await self.message(within: time, isAnswer: false)
    }
}

enum RawError: Error {
    case closedEarly(String)
}

/// Puts what a channel receives into its connection's inbox.
private final class RawHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let connection: RawConnection

    init(connection: RawConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = Self.unwrapInboundIn(data)
        self.connection.inbox.withLock { inbox in
            inbox.total += buffer.readableBytes
            if !inbox.isCounting { inbox.bytes += buffer.readableBytesView }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { self.connection.inbox.withLock { $0.isClosed = true } }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.connection.inbox.withLock { $0.isClosed = true }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
