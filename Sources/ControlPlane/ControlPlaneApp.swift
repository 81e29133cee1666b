import Logging
package import Postgres
import ServiceLifecycle
package import Shared
import Synchronization
import UnixSignals

/// The control plane as a process: what it is made of, in which order it starts and stops.
package struct ControlPlaneApp: Sendable {
    /// Why the process cannot start.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    private let config: ControlPlaneConfig
    private let time: TimeSource
    private let logger: Logger

    package init(config: ControlPlaneConfig, time: TimeSource = .system) {
        self.config = config
        self.time = time
        self.logger = JSONLogHandler.logger("gatehouse.control", level: config.logLevel, time: time)
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// - Parameter onPort: told the port once requests are accepted.
    package func run(onPort: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let keys = try KeyEncryptionKeys(file: self.config.kekFile)
        let direct = self.config.directDatabase
        let migrator = try self.migrator()
        try await migrator.check(direct)

        let database = Database(config: self.config.database, logger: self.logger)
        let deployment = try await Self.deployment(database, keys: keys)
        let nodes = NodeAuthentication(database: database, deployment: deployment, time: self.time)
        let services = ControlPlaneServices(
            database: database, keys: keys, time: self.time, logger: self.logger
        )
        let publisher = Publisher(
            database: database,
            listener: Listener(config: direct, channels: ["gatehouse_snapshot"], logger: self.logger),
            lock: AdvisoryLock(config: direct, logger: self.logger), keys: keys, time: self.time, logger: self.logger
        )
        let jobs = Jobs(
            database: database, lock: AdvisoryLock(config: direct, logger: self.logger), time: self.time,
            logger: self.logger
        )
        let rollups = Rollups(database: database, logger: self.logger)
        let thresholds = ThresholdWatch(database: database, time: self.time, logger: self.logger)
        let deliverer = WebhookDeliverer(
            database: database, keys: keys,
            sender: try WebhookSender(
                targets: self.config.webhookTargets, authorities: self.config.webhookAuthorities),
            time: self.time, logger: self.logger
        )
        let feed = TimestampFeed(
            database: database,
            listener: Listener(config: direct, channels: [TimestampFeed.channel], logger: self.logger)
        )
        let signing = SigningKeyCache(database: database, keys: keys, time: self.time)
        let dataPlane = DataPlaneRoutes(
            database: database, changes: services.changes, feed: feed,
            enrolment: Enrolment(database: database, changes: services.changes, signing: signing, time: self.time),
            signing: signing, time: self.time, logger: self.logger
        )
        let probes = ProbeRoutes.endpoints(
            database: database, metrics: services.metrics,
            isSchemaRight: SchemaCheck(migrator, direct).isRight,
            figures: {
                publisher.figures.text + jobs.figures.text + rollups.figures.text(at: self.time.now())
                    + thresholds.figures.text + deliverer.figures.text(at: self.time.now())
                    + services.denials.figures.text
                    + Figure.text(of: database) + dataPlane.figures.current.text
                    + dataPlane.renewalFigures.text
                    + Figure.text(
                        "gateway_processes_fenced_total", "counter", "Processes shut out for sharing an identity.",
                        dataPlane.fencedCount)
            }
        )
        let api = services.api(
            probes + dataPlane.endpoints, logger: self.logger,
            authenticateGateway: { header, method, target, body in
                try await nodes.authenticate(header: header, method: method, path: target, body: body)
            }
        )
        let server = HTTPServer(
            api: api, host: self.config.host, port: self.config.port, tls: self.config.tls, limits: self.limits(),
            logger: self.logger, onPort: onPort
        )
        // Stopped in reverse order: the server drains, then nobody waits for timestamps, then publishing ends, and
        // what was denied, and which tokens were used, until then is recorded.
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: Loop { await services.denials.run() }),
                .init(service: Loop { await services.uses.run(database, logger: self.logger) }),
                .init(service: Loop { await jobs.run() }),
                .init(service: Loop { await rollups.run() }),
                .init(service: Loop { await thresholds.run() }),
                .init(service: Loop { await deliverer.run() }),
                .init(service: Loop { try await publisher.run() }),
                .init(service: Loop { await feed.run() }),
                .init(service: server),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger
        )
        group.maximumGracefulShutdownDuration = .seconds(35)
        try await ServiceGroup(configuration: group).run()
        await database.shutdown()
    }

    private func limits() -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits.connections = self.config.connections
        limits.fitDescriptors()
        if limits.connections < self.config.connections {
            self.logger.warning(
                "fewer connections than set: the process may not open as many files",
                metadata: ["connections": "\(limits.connections)"]
            )
        }
        return limits
    }

    package func migrator() throws -> Migrator {
        try Migrator(
            directory: self.config.migrations, remedy: "gatehouse-control migrate", logger: self.logger
        )
    }

    /// Refuses to serve a database that is no deployment, or whose keys the key file does not open.
    private static func deployment(_ database: Database, keys: KeyEncryptionKeys) async throws -> DeploymentID {
        do {
            return try await database.transaction(.readOnly) { tx in try SigningKeys.load(&tx, keys: keys).deployment }
        } catch let error as SigningKeys.Failure {
            throw Failure(description: error.description)
        } catch let error as KeyEncryptionKeys.Failure {
            throw Failure(description: error.description)
        }
    }

    /// A loop that ends when the process is asked to.
    private struct Loop: Service {
        let body: @Sendable () async throws -> Void

        func run() async throws {
            try await cancelWhenGracefulShutdown { try await self.body() }
        }
    }
}

extension ControlPlaneConfig {
    /// For requests; behind a pooler when there is a direct way besides.
    package var database: DatabaseConfig {
        var config = DatabaseConfig(url: self.databaseURL.reveal())
        config.poolSize = self.databasePool
        config.applicationName = "gatehouse-control"
        config.preparedStatements = self.directURL == nil
        return config
    }

    /// For listening, locks and migrations.
    package var directDatabase: DatabaseConfig {
        var config = DatabaseConfig(url: (self.directURL ?? self.databaseURL).reveal())
        config.applicationName = "gatehouse-control"
        return config
    }
}

/// Whether the schema is this build's; looked up once in a while, since anybody may ask.
private final class SchemaCheck: Sendable {
    private let migrator: Migrator
    private let config: DatabaseConfig
    private let last = Mutex<(isRight: Bool, until: ContinuousClock.Instant)?>(nil)

    init(_ migrator: Migrator, _ config: DatabaseConfig) {
        self.migrator = migrator
        self.config = config
    }

    @Sendable func isRight() async -> Bool {
        if let last = self.last.withLock({ $0 }), last.until > .now { return last.isRight }
        let isRight = (try? await self.migrator.check(self.config)) != nil
        self.last.withLock { $0 = (isRight, .now.advanced(by: .seconds(10))) }
        return isRight
    }
}
