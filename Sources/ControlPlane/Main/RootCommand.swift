import ArgumentParser
import ControlPlane
import Crypto
import Postgres
import Shared

struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: "The trust root.", subcommands: [Rotate.self]
    )

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace keys that gateways trust; gateways follow by themselves.",
            discussion: """
                A snapshot is published anew under the new keys, and the replaced ones are forgotten. Back the database \
                up afterwards: gateways do not go back to an older root.
                """
        )

        @Option(help: "The file of a present root key; may be given several times.")
        var rootKeyFile: [String]

        @Option(help: "Makes a new root key and writes it to this file, which must not exist.")
        var newRootKeyFile: String?

        @Option(help: "Which keys are replaced: config, timestamp, or both with a comma. Both, unless the root key is.")
        var roles: String?

        func validate() throws {
            guard !self.rootKeyFile.isEmpty else { throw ValidationError("at least one --root-key-file is needed") }
            _ = try self.chosenRoles()
        }

        private func chosenRoles() throws -> Set<SigningKeys.Role> {
            guard let roles else { return self.newRootKeyFile == nil ? [.config, .timestamp] : [] }
            var chosen: Set<SigningKeys.Role> = []
            for name in roles.split(separator: ",") {
                guard let role = SigningKeys.Role(rawValue: String(name)) else {
                    throw ValidationError("--roles: of config and timestamp, with a comma")
                }
                chosen.insert(role)
            }
            return chosen
        }

        func run() async throws {
            let config = try ControlPlaneConfig.ofProcess()
            let keys = try KeyEncryptionKeys(file: config.kekFile)
            var plan = RootRotation.Plan(
                rootKeys: try self.rootKeyFile.map { try RootKeyFile.read($0) }, roles: try self.chosenRoles()
            )
            if let path = self.newRootKeyFile { plan.newRootKey = try RootKeyFile.create(path) }
            do {
                let root = try await Self.rotate(plan, config, keys)
                print("root \(root.version)")
            } catch let refusal as RootRotation.Refusal {
                if let path = self.newRootKeyFile { Files.remove(path) }
                throw Refusal(description: refusal.description)
            }
            // After any other failure the new root key's file stays: the root may have been stored all the same.
        }

        private static func rotate(
            _ plan: RootRotation.Plan, _ config: ControlPlaneConfig, _ keys: KeyEncryptionKeys
        ) async throws -> TrustRoot {
            try await withChanges(config, keys) { changes, deployment, context in
                try await RootRotation(changes: changes, keys: keys).rotate(plan, deployment: deployment, as: context)
            }
        }
    }
}

/// A root's private key in a file: 32 bytes in base64url, readable by its owner alone.
enum RootKeyFile {
    /// Makes a key and its file; never replaces one.
    static func create(_ path: String) throws -> SigningKey {
        guard (try? Files.read(path, limit: 1 << 20)) == nil else {
            throw Refusal(description: "\(path) exists; it is not replaced")
        }
        let key = SigningKey()
        let text = Base64URL.encode(Array(key.key.rawRepresentation)) + "\n"
        try Files.replace(path, with: Array(text.utf8), mode: 0o600)
        return key
    }

    static func read(_ path: String) throws -> SigningKey {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.read(path, limit: 4096)
        } catch {
            throw Refusal(description: "\(error)")
        }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard let raw = Base64URL.decode(text), raw.count == 32,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: raw)
        else { throw Refusal(description: "\(path) is not a root key file") }
        return SigningKey(key)
    }
}
