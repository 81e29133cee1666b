import AsyncHTTPClient
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import UnixSignals
package import Shared

/// The gateway, put together: what it needs is made here and handed on.
///
/// Stopped in the order of DESIGN 4: the listener drains, then what was used is shipped, then the policy stops.
package struct GatewayApp: Sendable {
    private let config: GatewayConfig
    private let time: TimeSource
    private let logger: Logger

    package init(config: GatewayConfig, time: TimeSource, logger: Logger) {
        self.config = config
        self.time = time
        self.logger = logger
    }

    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: self.config.loops)
        // The control plane's calls, the mock and the private port do not take turns with requests.
        let background = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let http = try ControlPlaneClient.makeHTTPClient(
            authorities: self.config.controlAuthorities, group: background
        )
        do {
            try await self.run(group: group, background: background, http: http)
        } catch {
            try? await http.shutdown()
            try? await group.shutdownGracefully()
            try? await background.shutdownGracefully()
            throw error
        }
        try? await http.shutdown()
        try? await group.shutdownGracefully()
        try? await background.shutdownGracefully()
    }

    private func run(
        group: MultiThreadedEventLoopGroup, background: MultiThreadedEventLoopGroup, http: HTTPClient
    ) async throws {
        let client = ControlPlaneClient(http: http, baseURL: self.config.controlURL, time: self.time)
        let store = try SnapshotStore(folder: "\(self.config.stateFolder)/control")
        let identity = try await self.identity(client, store)
        let spool = try UsageSpool(folder: "\(self.config.stateFolder)/usage", logger: self.logger)
        try spool.recover(now: self.time.now())
        let mock = try await MockServer.start(group: background)
        let loops = try await self.makeLoops(group, spool: spool, mockPort: mock.port)

        let cells = try await Self.onLoops(loops) { NIOLoopBound($0.policy, eventLoop: $0.eventLoop) }
        let policy = PolicyClient(
            client: client, identity: identity, store: store, publisher: PolicyPublisher(cells: cells), time: self.time,
            logger: self.logger
        )
        let shipper = UsageShipper(
            spool: spool, client: client, identity: identity, store: store, time: self.time, logger: self.logger,
            restoreSigns: { policy.status.restoreSigns }
        )
        let keeper = SpoolKeeper(spool: spool)
        let tls = try self.serverTLS()
        let listener = try await Listener.bind(self.config.listen, tls: tls, loops: loops)
        let time = self.time
        let privatePort = try await PrivatePort.bind(
            self.config.privateListen, group: background,
            source: .init(
                notReady: { policy.status.isServing ? nil : "no current snapshot is served" },
                metrics: { await Self.metrics(loops, policy: policy, shipper: shipper, time: time) }
            )
        )
        self.logger.info(
            "gateway listens",
            metadata: [
                "address": "\(self.config.listen.host):\(listener.port)", "private": "\(self.config.privateListen)",
                "gateway": "\(identity.gateway)", "loops": "\(loops.count)",
            ]
        )
        let drainer = ListenerService(
            listener: listener, loops: loops, drain: .seconds(self.config.timeouts.drain), logger: self.logger
        )
        let services = ServiceGroup(
            configuration: .init(
                services: ([policy, keeper, shipper, drainer] as [any Service]).map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger
            )
        )
        try await services.run()
        await privatePort.close()
        await mock.close()
        self.logger.info("gateway stopped")
    }

    /// Who this gateway is; enrols it when it is new.
    private func identity(_ client: ControlPlaneClient, _ store: SnapshotStore) async throws -> GatewayIdentity {
        if let identity = try store.loadIdentity() { return identity }
        guard let token = self.config.joinToken else {
            throw SettingsError(
                "this gateway is not enrolled: set GATEHOUSE_JOIN_TOKEN to a join token (POST /v1/join-tokens)"
            )
        }
        let identity = try await Enroller.enrol(
            token: token.reveal(), name: self.config.name, client: client, store: store
        )
        self.logger.info("enrolled", metadata: ["gateway": "\(identity.gateway)", "group": "\(identity.group)"])
        return identity
    }

    private func makeLoops(
        _ group: MultiThreadedEventLoopGroup, spool: UsageSpool, mockPort: Int
    ) async throws -> [NIOLoopBound<LoopState>] {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = self.config.upstreamAuthorities {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
        }
        tls.applicationProtocols = ["http/1.1"]
        let upstream = try NIOSSLContext(configuration: tls)
        let config = self.config
        let time = self.time
        var loops: [NIOLoopBound<LoopState>] = []
        for eventLoop in group.makeIterator() {
            let stream = try spool.newStream(time.newID())
            let loop = try await eventLoop.submit {
                guard let journal = UsageJournal(stream: stream) else {
                    throw FileError(path: config.stateFolder, operation: "open", code: 5)
                }
                let pool = UpstreamPool(
                    eventLoop: eventLoop, tls: upstream, connectTimeout: .seconds(Int64(config.timeouts.connect)),
                    mockPort: mockPort
                )
                let state = LoopState(
                    eventLoop: eventLoop, policy: PolicyCell(), journal: journal, pool: pool, time: time,
                    timeouts: config.timeouts, bodyBytesLimit: max(1, config.bodyMemory / config.loops),
                    connectionsLimit: max(1, config.maxConnections / config.loops)
                )
                let bound = NIOLoopBound(state, eventLoop: eventLoop)
                eventLoop.scheduleRepeatedTask(initialDelay: .seconds(5), delay: .seconds(5)) { _ in
                    bound.value.pool.sweep()
                }
                return bound
            }.get()
            loops.append(loop)
        }
        return loops
    }

    private func serverTLS() throws -> NIOSSLContext? {
        guard let files = self.config.tls else { return nil }
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        )
        tls.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: tls)
    }

    private static func onLoops<Value: Sendable>(
        _ loops: [NIOLoopBound<LoopState>], _ body: @escaping @Sendable (LoopState) -> Value
    ) async throws -> [Value] {
        var values: [Value] = []
        for loop in loops { values.append(try await loop.eventLoop.submit { body(loop.value) }.get()) }
        return values
    }

    private static func metrics(
        _ loops: [NIOLoopBound<LoopState>], policy: PolicyClient, shipper: UsageShipper, time: TimeSource
    ) async -> String {
        var sum = LoopCounters()
        var connections = 0
        var idle = 0
        let parts = try? await Self.onLoops(loops) { ($0.counters, $0.connectionCount, $0.pool.idleCount) }
        for part in parts ?? [] {
            sum.add(part.0)
            connections += part.1
            idle += part.2
        }
        return GatewayMetrics.render(
            sum, policy: policy.status, usage: shipper.figures, connections: connections, idleUpstream: idle,
            now: time.now()
        )
    }
}

extension PolicyClient: Service {}
extension UsageShipper: Service {}
