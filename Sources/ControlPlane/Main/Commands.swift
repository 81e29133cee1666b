import ArgumentParser
import ControlPlane
import Crypto
import Postgres
import Shared

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the API and publish snapshots.")

    func run() async throws {
        let config = try ControlPlaneConfig.ofProcess()
        do {
            try await ControlPlaneApp(config: config).run()
        } catch let error as KeyEncryptionKeys.Failure {
            throw SettingsError("GATEHOUSE_KEK_FILE: \(error)")
        } catch let error as FileError where error.path == config.kekFile {
            throw SettingsError("GATEHOUSE_KEK_FILE: \(error)")
        }
    }
}

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Bring the database to this build's schema.")

    @Flag(help: "Only say where the database stands.")
    var status = false

    @Option(help: "The folder of migrations.")
    var migrations: String?

    func run() async throws {
        var config = try ControlPlaneConfig.ofProcess()
        if let migrations { config.migrations = migrations }
        let migrator = try ControlPlaneApp(config: config).migrator()
        if self.status {
            for entry in try await migrator.status(of: config.directDatabase) {
                print("\(entry.version)\t\(entry.name)\t\(Self.text(entry.state))")
            }
            return
        }
        let applied = try await migrator.apply(to: config.directDatabase)
        print(applied.isEmpty ? "nothing to do" : "applied \(applied.count) migrations")
    }

    private static func text(_ state: MigrationStatus.State) -> String {
        switch state {
        case .applied: "applied"
        case .pending: "pending"
        case .changed: "changed since it was applied"
        case .missing: "not in this build"
        }
    }
}

struct Initialize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make the database a deployment, with its signing keys and its trust root."
    )

    @Option(help: "Where the root's private key is written. It is needed to change the root; keep it offline.")
    var rootKeyFile: String

    func run() async throws {
        let config = try ControlPlaneConfig.ofProcess()
        let keys = try KeyEncryptionKeys(file: config.kekFile)
        let rootKey = try RootKeyFile.create(self.rootKeyFile)
        let deployment: DeploymentID?
        do {
            deployment = try await withDatabase(config) { database in
                try await database.transaction { tx in
                    try DeploymentSetup.initialize(&tx, rootKey: rootKey, keys: keys, time: .system)
                }
            }
        } catch {
            Files.remove(self.rootKeyFile)
            throw error
        }
        guard let deployment else {
            Files.remove(self.rootKeyFile)
            throw Refusal(description: "the database is a deployment already; nothing was changed")
        }
        print("\(deployment)")
    }
}

struct KeyFile: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kek", abstract: "The key-encryption keys.", subcommands: [Create.self]
    )

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a file with one new key; never replaces one.")

        @Argument(help: "The file.")
        var file: String

        @Option(help: "The key's name.")
        var id = "kek-1"

        func run() throws {
            try KeyEncryptionKeys.create(file: self.file, id: self.id)
        }
    }
}

struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "API tokens.", subcommands: [Create.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Create a service account of the instance with a role and a token, or a user's personal token; prints the token this once."
        )

        @Option(help: "What it is for.")
        var name: String

        @Option(help: "What it may do in the whole instance: a built-in role.")
        var role: BuiltInRole = .owner

        @Option(help: "A user (usr_…) for whom it is, instead of a new service account: he may what he may.")
        var user: String?

        @Option(help: "Days until it ends; never when absent, for a user 30, and 366 at most.")
        var expiresDays: Int?

        func run() async throws {
            guard (1...200).contains(self.name.unicodeScalars.count), (1...36_500).contains(self.expiresDays ?? 1)
            else {
                throw Refusal(description: "--name: 1 to 200 characters; --expires-days: 1 to 36500", code: 64)
            }
            let config = try ControlPlaneConfig.ofProcess()
            let keys = try KeyEncryptionKeys(file: config.kekFile)
            let days = self.expiresDays
            if let user = self.user {
                guard let id = UserID(user) else {
                    throw Refusal(description: "--user: '\(user)' is no user's identifier (usr_…)", code: 64)
                }
                let name = self.name
                let text = try await withChanges(config, keys) { changes, _, context in
                    try await APITokens(changes: changes, time: .system).create(
                        for: id, name: name, expiresAt: context.time.adding(seconds: Int64(days ?? 30) * 86_400),
                        as: context)
                }
                print(text.reveal())
                return
            }
            let (name, role) = (self.name, self.role)
            let token = try await withChanges(config, keys) { changes, _, context in
                try await APITokens(changes: changes, time: .system).create(
                    name: name, role: role, expiresAt: days.map { context.time.adding(seconds: Int64($0) * 86_400) },
                    as: context)
            }
            print(token.text.reveal())
        }
    }
}

extension BuiltInRole: ExpressibleByArgument {}

/// Lends the database for one command.
func withDatabase<Value: Sendable>(
    _ config: ControlPlaneConfig, _ body: (Database) async throws -> Value
) async throws -> Value {
    let logger = JSONLogHandler.logger("gatehouse.control", level: config.logLevel)
    let database = Database(config: config.directDatabase, logger: logger)
    do {
        let value = try await body(database)
        await database.shutdown()
        return value
    } catch {
        await database.shutdown()
        throw error
    }
}

/// Lends the door for writes to one command, and who whoever runs it is.
func withChanges<Value: Sendable>(
    _ config: ControlPlaneConfig, _ keys: KeyEncryptionKeys,
    _ body: (Changes, DeploymentID, OperationContext) async throws -> Value
) async throws -> Value {
    let time = TimeSource.system
    return try await withDatabase(config) { database in
        let deployment = try await database.transaction(.readOnly) { tx in
            try SigningKeys.load(&tx, keys: keys).deployment
        }
        let changes = Changes(
            database: database, authorizer: Authorizer(cache: AccessCache(time: time)), keys: keys, time: time)
        let context = OperationContext(
            actor: .localOperator(of: deployment), authority: .everything, request: time.newID(), time: time.now())
        return try await body(changes, deployment, context)
    }
}
