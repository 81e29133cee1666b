import NIOCore
import NIOPosix
package import NIOSSL
import Shared

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The sockets that clients connect to: one for each event loop, on the same address, so that a connection is accepted
/// on the loop that serves it.
package final class Listener: Sendable {
    private let channels: [any Channel]

    private init(channels: [any Channel]) { self.channels = channels }

    /// - Parameter loops: where connections are served; one socket is bound for each.
    package static func bind(
        _ address: ListenAddress, tls: NIOSSLContext?, loops: RequestLoops
    ) async throws -> Listener {
        var channels: [any Channel] = []
        // The first chooses the port when it was given as 0.
        var port = address.port
        for loop in loops.loops {
            let channel = try await ServerBootstrap(group: loop.eventLoop)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.socket(SocketOptionLevel(SOL_SOCKET), SO_REUSEPORT), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(
                    .recvAllocator,
                    value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 65_536)
                )
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                        }
                        try channel.pipeline.syncOperations.addHandler(DownstreamHandler(loop: loop.value))
                    }
                }
                .bind(host: address.host, port: port).get()
            port = channel.localAddress?.port ?? port
            channels.append(channel)
        }
        return Listener(channels: channels)
    }

    package var port: Int { self.channels.first?.localAddress?.port ?? 0 }

    package func close() async {
        for channel in self.channels { try? await channel.close() }
    }
}
