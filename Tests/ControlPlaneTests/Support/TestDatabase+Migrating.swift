import ControlPlane
import Postgres
import TestKit

extension TestDatabase {
    /// A database with what a script put into it when it was at a version, migrated to the newest one.
    static func withMigrated<Value>(
        to version: Int, holding script: String, _ body: (TestDatabase) async throws -> Value
    ) async throws -> Value {
        try await Self.withEmpty { database in
            let all = try Migrator(directory: RepositoryPaths.migrations, remedy: "", logger: database.logger)
            let before = try Migrator(
                files: all.files.filter { $0.version <= version }, remedy: "", logger: database.logger)
            _ = try await before.apply(to: database.config)
            try await Connection.withSession(database.config) {
                try $0.runScript("begin; set local session_replication_role = replica; \(script); commit")
            }
            _ = try await all.apply(to: database.config)
            return try await body(database)
        }
    }
}
