import Logging
package import Postgres
import ServiceLifecycle
package import Shared
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
        try await Self.checkDeployment(database, keys: keys)
        let services = ControlPlaneServices(database: database, keys: keys, time: self.time)
        let publisher = Publisher(
            database: database,
            listener: Listener(config: direct, channels: ["gatehouse_snapshot"], logger: self.logger),
            lock: AdvisoryLock(config: direct, logger: self.logger), keys: keys, time: self.time, logger: self.logger
        )
        let feed = TimestampFeed(
            database: database,
            listener: Listener(config: direct, channels: [TimestampFeed.channel], logger: self.logger)
        )
        let probes = ProbeRoutes.endpoints(
            database: database, metrics: services.metrics,
            isSchemaRight: { (try? await migrator.check(direct)) != nil }, figures: { publisher.figures.text }
        )
        // The calls of gateways are joined in here, with their authenticator.
        let api = services.api(probes, logger: self.logger, authenticateGateway: ControlPlaneServices.noGateways)
        let server = HTTPServer(
            api: api, host: self.config.host, port: self.config.port, tls: self.config.tls, logger: self.logger,
            onPort: onPort
        )
        // Stopped in reverse order: the server drains, then nobody waits for timestamps, then publishing ends.
        var group = ServiceGroupConfiguration(
            services: [
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

    package func migrator() throws -> Migrator {
        try Migrator(
            directory: self.config.migrations, remedy: "gatehouse-control migrate", logger: self.logger
        )
    }

    /// Refuses to serve a database that is no deployment, or whose keys the key file does not open.
    private static func checkDeployment(_ database: Database, keys: KeyEncryptionKeys) async throws {
        do {
            _ = try await database.transaction(.readOnly) { tx in try SigningKeys.load(&tx, keys: keys).rootPin }
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

extension Publisher.Figures {
    /// Prometheus text.
    var text: String {
        func figure(_ name: String, _ kind: String, _ help: String, _ value: Int) -> String {
            "# HELP gatehouse_\(name) \(help)\n# TYPE gatehouse_\(name) \(kind)\ngatehouse_\(name) \(value)\n"
        }
        return figure("publisher_leader", "gauge", "Whether this replica publishes.", self.isLeader ? 1 : 0)
            + figure("snapshots_published_total", "counter", "Snapshots published.", self.published)
            + figure("publishing_failures_total", "counter", "Failures to publish.", self.failures)
            + figure("publish_microseconds", "gauge", "How long the last one took.", self.lastMicroseconds)
    }
}
