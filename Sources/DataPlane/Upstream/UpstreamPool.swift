import NIOCore
import NIOPosix
import NIOSSL
import Shared

/// Where an upstream connection goes: connections of one endpoint serve every request for it.
struct UpstreamEndpoint: Hashable {
    let host: String
    let port: Int
    let isTLS: Bool
}

/// The upstream connections of one event loop: idle ones are kept for the next request to the same endpoint.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private let tls: NIOSSLContext
    private let connectTimeout: TimeAmount
    private var idle: [UpstreamEndpoint: [UpstreamHandler]] = [:]
    /// Where the built-in mock listens.
    let mockPort: Int

    /// Idle connections kept for one endpoint; a provider closes its own after a minute or more.
    static let idleLimit = 256
    static let idleSeconds: Int64 = 30

    init(eventLoop: any EventLoop, tls: NIOSSLContext, connectTimeout: TimeAmount, mockPort: Int) {
        self.eventLoop = eventLoop
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.mockPort = mockPort
    }

    /// Where a provider is reached.
    func endpoint(of provider: borrowing ProviderEntry) -> UpstreamEndpoint {
        guard let url = provider.url else { return UpstreamEndpoint(host: "127.0.0.1", port: self.mockPort, isTLS: false) }
        return UpstreamEndpoint(host: url.host, port: url.port, isTLS: url.isTLS)
    }

    /// Hands a connection to `owner`: an idle one at once, else a new one when it is made.
    ///
    /// - Parameter fresh: never an idle one: the last one had been closed by the other side.
    func acquire(_ endpoint: UpstreamEndpoint, for owner: DownstreamHandler, fresh: Bool) {
        while !fresh, let handler = self.idle[endpoint]?.popLast() {
            guard handler.isUsable else { continue }
            owner.upstreamConnected(handler, reused: true)
            return
        }
        self.connect(endpoint, owner)
    }

    private func connect(_ endpoint: UpstreamEndpoint, _ owner: DownstreamHandler) {
        let handler = UpstreamHandler(endpoint: endpoint, pool: self)
        let attempt = owner.attemptNumber
        let tls = self.tls
        // Everything here runs on the loop that this pool belongs to.
        let bound = NIOLoopBound((handler, owner), eventLoop: self.eventLoop)
        ClientBootstrap(group: self.eventLoop)
            .connectTimeout(self.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if endpoint.isTLS {
                        // RFC 6066: no server name for an address.
                        let name = IPAddress(endpoint.host) == nil ? endpoint.host : nil
                        try channel.pipeline.syncOperations.addHandler(
                            try NIOSSLClientHandler(context: tls, serverHostname: name)
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value.0)
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .assumeIsolated()
            .whenComplete { result in
                let (handler, owner) = bound.value
                switch result {
                case .success(let channel):
                    guard owner.isWaiting(for: attempt) else {
                        // The client went away or the time was up: keep the connection for somebody else.
                        handler.connected(channel)
                        self.release(handler)
                        return
                    }
                    handler.connected(channel)
                    owner.upstreamConnected(handler, reused: false)
                case .failure:
                    if owner.isWaiting(for: attempt) { owner.upstreamUnreachable() }
                }
            }
    }

    /// Takes a connection back that is between two requests.
    func release(_ handler: UpstreamHandler) {
        guard handler.isUsable, self.idle[handler.endpoint, default: []].count < Self.idleLimit else {
            handler.close()
            return
        }
        handler.idleSince = .now()
        self.idle[handler.endpoint, default: []].append(handler)
    }

    /// Forgets a connection that was closed.
    func remove(_ handler: UpstreamHandler) { self.idle[handler.endpoint]?.removeAll { $0 === handler } }

    /// Closes what has been idle for too long. Called every few seconds.
    func sweep() {
        let limit = NIODeadline.now() - .seconds(Self.idleSeconds)
        for (endpoint, handlers) in self.idle {
            let (old, kept) = (handlers.filter { $0.idleSince < limit }, handlers.filter { $0.idleSince >= limit })
            self.idle[endpoint] = kept.isEmpty ? nil : kept
            for handler in old { handler.close() }
        }
    }

    var idleCount: Int { self.idle.values.reduce(0) { $0 + $1.count } }

    func closeAll() {
        let all = self.idle.values.flatMap { $0 }
        self.idle = [:]
        for handler in all { handler.close() }
    }
}
