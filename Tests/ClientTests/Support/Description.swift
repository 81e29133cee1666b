import AdminClient
import ControlPlane
import Glibc
import Logging
import Postgres
import Shared
import TestKit

/// What the control plane of this repository says of its API, as the client reads it.
enum Description {
    /// The bytes of `/openapi.json`; nothing is connected to for them.
    static let bytes: [UInt8] = {
        do {
            let file = "/tmp/gatehouse-kek-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            try KeyEncryptionKeys.create(file: file, id: "test")
            defer { Files.remove(file) }
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let services = ControlPlaneServices(
                database: Database(config: DatabaseConfig(url: "postgresql://nowhere"), logger: logger),
                keys: try KeyEncryptionKeys(file: file), time: .system, logger: logger)
            let probes = ProbeRoutes.endpoints(
                database: services.database, metrics: services.metrics, isSchemaRight: { true }, figures: { "" })
            return OpenAPI.document(services.endpoints + probes).utf8
        } catch {
            return Array("\(error)".utf8)
        }
    }()

    static func catalogue() throws -> APICatalogue { try APICatalogue(try JSON(parsing: Self.bytes)) }

    /// An identifier of a kind, which names nothing.
    static func id(_ prefix: String) -> String { prefix + "_01jd3x0r7ze4qbt0xq4v6m2k5n" }
}
