import NIOCore
import NIOPosix
import NIOSSL
import Shared
import TLSIdentity

/// Where an upstream connection goes: connections of one endpoint serve every request for it.
struct UpstreamEndpoint: Hashable {
    let host: String
    let port: Int
    let isTLS: Bool
}

/// The connections of one event loop to one endpoint.
final class EndpointConnections {
    let endpoint: UpstreamEndpoint
    /// Between two requests; the one that was used last is used next.
    fileprivate(set) var idle: [UpstreamHandler] = []
    /// All of them, from when they are begun until they are gone.
    fileprivate var openCount = 0

    fileprivate init(_ endpoint: UpstreamEndpoint) { self.endpoint = endpoint }
}

/// The upstream connections of one event loop: idle ones are kept for the next request to the same endpoint.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private let tls: NIOSSLContext
    private let connectTimeout: TimeAmount
    /// Every connection, from when it is begun until it is gone.
    private var connections: [ObjectIdentifier: UpstreamHandler] = [:]
    private var groups: [UpstreamEndpoint: EndpointConnections] = [:]
    /// The group that was asked for last: most often it is the next one, too, and need not be looked up.
    private var recent: EndpointConnections?
    /// Where the built-in mock listens.
    let mockPort: Int

    /// Idle connections kept for one endpoint; a provider closes its own after a minute or more.
    static let idleLimit = 256
    static let idleTime = TimeAmount.seconds(30)
    /// For the rest of an answer that nobody wants.
    static let discardTime = TimeAmount.seconds(5)
    /// How often `sweep` is called.
    static let sweepTime = TimeAmount.seconds(5)

    init(eventLoop: any EventLoop, tls: NIOSSLContext, connectTimeout: TimeAmount, mockPort: Int) {
        self.eventLoop = eventLoop
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.mockPort = mockPort
    }

    var openCount: Int { self.connections.count }
    var busyCount: Int { self.connections.values.count { $0.isBusy } }
    var idleCount: Int { self.groups.values.reduce(0) { $0 + $1.idle.count } }

    /// Where a provider is reached.
    func endpoint(of provider: borrowing ProviderEntry) -> UpstreamEndpoint {
        guard let url = provider.url else {
            return UpstreamEndpoint(host: "127.0.0.1", port: self.mockPort, isTLS: false)
        }
        return UpstreamEndpoint(host: url.host, port: url.port, isTLS: url.isTLS)
    }

    // MARK: For requests

    /// Hands a connection to `owner`: an idle one at once, else a new one when it is made.
    ///
    /// - Parameter fresh: never an idle one: the last one had been closed by the other side.
    func acquire(_ endpoint: UpstreamEndpoint, for owner: DownstreamHandler, fresh: Bool) {
        let group = self.group(of: endpoint)
        while !fresh, let handler = group.idle.popLast() {
            guard handler.isUsable else { continue }
            owner.upstreamConnected(handler, reused: true)
            return
        }
        self.connect(group, owner)
    }

    private func group(of endpoint: UpstreamEndpoint) -> EndpointConnections {
        if let recent, recent.endpoint == endpoint { return recent }
        let group = self.groups[endpoint] ?? EndpointConnections(endpoint)
        self.groups[endpoint] = group
        self.recent = group
        return group
    }

    private func connect(_ group: EndpointConnections, _ owner: DownstreamHandler) {
        let endpoint = group.endpoint
        let attempt = owner.attemptNumber
        let tls = self.tls
        // Everything here runs on the loop that this pool belongs to.
        let bound = NIOLoopBound((self, group, owner), eventLoop: self.eventLoop)
        ClientBootstrap(group: self.eventLoop)
            .connectTimeout(self.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                // Called for each address that the name has: more than one channel may be begun.
                channel.eventLoop.makeCompletedFuture {
                    if endpoint.isTLS {
                        try channel.pipeline.syncOperations.addHandler(
                            try ServerIdentity(host: endpoint.host).handler(tls)
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        UpstreamHandler(group: bound.value.1, pool: bound.value.0)
                    )
                }
            }
            .connect(host: endpoint.host, port: endpoint.port)
            .assumeIsolated()
            .whenComplete { result in
                let (_, _, owner) = bound.value
                if case .success(let channel) = result,
                    let handler = try? channel.pipeline.syncOperations.handler(type: UpstreamHandler.self)
                {
                    handler.handOver(to: owner, attempt: attempt)
                } else if owner.isWaiting(for: attempt) {
                    owner.upstreamUnreachable()
                }
            }
    }

    /// Takes a connection back that is between two requests.
    func release(_ handler: UpstreamHandler) {
        guard handler.isUsable, handler.group.idle.count < Self.idleLimit else {
            handler.close()
            return
        }
        handler.group.idle.append(handler)
    }

    // MARK: Bookkeeping

    func add(_ handler: UpstreamHandler) {
        self.connections[ObjectIdentifier(handler)] = handler
        // The group may have gone while the connection was made.
        let endpoint = handler.group.endpoint
        handler.group = self.groups[endpoint] ?? handler.group
        self.groups[endpoint] = handler.group
        handler.group.openCount += 1
    }

    /// Forgets a connection that is gone, and its endpoint with the last one.
    func remove(_ handler: UpstreamHandler) {
        self.withdraw(handler)
        guard self.connections.removeValue(forKey: ObjectIdentifier(handler)) != nil else { return }
        let group = handler.group
        group.openCount -= 1
        guard group.openCount == 0, self.groups[group.endpoint] === group else { return }
        self.groups[group.endpoint] = nil
        if self.recent === group { self.recent = nil }
    }

    /// Hands a connection to nobody any more.
    func withdraw(_ handler: UpstreamHandler) {
        guard let index = handler.group.idle.firstIndex(where: { $0 === handler }) else { return }
        handler.group.idle.remove(at: index)
    }

    /// Closes what has waited for too long and has nobody who would notice.
    func sweep() {
        let now = NIODeadline.now()
        for handler in self.connections.values {
            let limit: TimeAmount
            switch handler.waiting {
            case .nothing: continue
            case .connection: limit = self.connectTimeout
            case .request: limit = Self.idleTime
            case .rest: limit = Self.discardTime
            }
            if handler.waitingSince + limit < now { handler.close() }
        }
    }

    func closeAll() {
        for handler in self.connections.values { handler.close() }
    }
}
