import AsyncHTTPClient
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
package import Shared
import Synchronization
import UnixSignals

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
            for: try UpstreamURL(self.config.controlURL), authorities: self.config.controlAuthorities,
            group: background
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
        let clock = GatewayClock(machine: self.time)
        let time = clock.time
        let client = ControlPlaneClient(http: http, baseURL: self.config.controlURL, clock: clock)
        let store = try SnapshotStore(folder: "\(self.config.stateFolder)/control")
        let identity = try await self.identity(client, store)
        let clockSync = self.clockSync(clock, client, identity, store)
        await clockSync.start()
        let spool = try UsageSpool(
            folder: "\(self.config.stateFolder)/usage", process: client.process, logger: self.logger)
        spool.recover(now: time.now())
        let mock = try await MockServer.start(group: background)
        let leases = LeaseTable()
        let shipments = ShipperLink()
        let leaseKeeper = self.leaseKeeper(leases, spool, client, identity, store, shipments, time)
        let loops = try await RequestLoops.start(
            on: group, self.loopSettings(mockPort: mock.port), spool: spool, leases: leases,
            askForMoney: { leaseKeeper.askSoon() }, time: time
        )
        leaseKeeper.serve(loops)
        let policy = PolicyClient(
            client: client, identity: identity, store: store, publisher: loops.publisher, leases: leases, time: time,
            logger: self.logger
        )
        let shipper = self.shipper(spool, client, identity, store, policy, time)
        shipments.set(shipper)
        let spoolKeeper = SpoolKeeper(spool: spool, time: time)
        let tls = try self.serverTLS()
        let listener = try await Listener.bind(self.config.listen, tls: tls, loops: loops)
        let privatePort = try await PrivatePort.bind(
            self.config.privateListen, group: background,
            source: .init(
                notReady: { policy.status.notReady },
                metrics: {
                    await Self.metrics(
                        loops, policy: policy, shipper: shipper, leases: leaseKeeper.figures, clock: clock)
                }
            )
        )
        self.logger.info(
            "gateway listens",
            metadata: [
                "address": "\(self.config.listen.host):\(listener.port)", "private": "\(self.config.privateListen)",
                "gateway": "\(identity.gateway)", "loops": "\(self.config.loops)",
            ]
        )
        let drainer = ListenerService(
            listener: listener, loops: loops, drain: self.config.timeouts.drain, logger: self.logger,
            onDrain: {
                policy.beginDraining()
                leaseKeeper.beginDraining()
            }
        )
        let services = ServiceGroup(
            configuration: .init(
                services: ([clockSync, policy, spoolKeeper, leaseKeeper, shipper, drainer] as [any Service]).map {
                    .init(service: $0)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger
            )
        )
        try await services.run()
        await privatePort.close()
        await mock.close()
        self.logger.info("gateway stopped")
    }

    private func clockSync(
        _ clock: GatewayClock, _ client: ControlPlaneClient, _ identity: GatewayIdentity, _ store: SnapshotStore
    ) -> ClockSync {
        ClockSync(
            clock: clock,
            source: .init(
                deployment: identity.deployment, root: { try store.loadRoot() },
                nextRoot: { try await client.root(version: $0) }, time: { try await client.time(nonce: $0) }
            ), logger: self.logger
        )
    }

    private func shipper(
        _ spool: UsageSpool, _ client: ControlPlaneClient, _ identity: GatewayIdentity, _ store: SnapshotStore,
        _ policy: PolicyClient, _ time: TimeSource
    ) -> UsageShipper {
        let logger = self.logger
        return UsageShipper(spool: spool, restoreSigns: { policy.status.restoreSigns }) {
            UsageDelivery(
                spool: spool, gateway: identity.gateway, time: time, logger: logger,
                root: { try store.loadRoot() }, send: { try await client.usage(as: identity, $0) }
            )
        }
    }

    private func leaseKeeper(
        _ leases: LeaseTable, _ spool: UsageSpool, _ client: ControlPlaneClient, _ identity: GatewayIdentity,
        _ store: SnapshotStore, _ shipments: ShipperLink, _ time: TimeSource
    ) -> LeaseKeeper {
        LeaseKeeper(
            table: leases, spool: spool, gateway: identity.gateway, time: time, logger: self.logger,
            root: { try store.loadRoot() }, delivering: { shipments.delivering },
            send: { try await client.renewLeases(as: identity, $0) }
        )
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

    /// The clocks, bounds and trust that requests are carried with.
    private func loopSettings(mockPort: Int) throws -> RequestLoops.Settings {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = self.config.upstreamAuthorities {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(file))
        }
        return RequestLoops.Settings(
            timeouts: self.config.timeouts, bodyMemory: self.config.bodyMemory,
            maxConnections: self.config.maxConnections, upstreamTLS: tls, mockPort: mockPort
        )
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

    private static func metrics(
        _ loops: RequestLoops, policy: PolicyClient, shipper: UsageShipper, leases: LeaseKeeper.Figures,
        clock: GatewayClock
    ) async -> String {
        GatewayMetrics.render(
            await loops.figures(), policy: policy.status, usage: shipper.figures, leases: leases, clock: clock
        )
    }
}

extension ClockSync: Service {}

/// Lets the keeper of leases know what the shipper delivers, which is made after it.
private final class ShipperLink: Sendable {
    private let shipper = Mutex<UsageShipper?>(nil)

    func set(_ shipper: UsageShipper) { self.shipper.withLock { $0 = shipper } }

    /// Processes of which usage is not acknowledged yet; nil before the first look.
    var delivering: Set<UInt64>? { self.shipper.withLock { $0 }?.figures.delivering }
}
