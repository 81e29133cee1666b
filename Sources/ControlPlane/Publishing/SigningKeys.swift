import Crypto
import FoundationEssentials
package import Postgres
package import Shared

/// The keys that the control plane signs with: config (manifests, keyrings) and timestamp (freshness, replies).
///
/// They are stored under the key-encryption key, so that every replica has the same; the root's are not here at all.
package struct SigningKeys: Sendable {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    package enum Role: String, Sendable {
        case config, timestamp
    }

    package let deployment: DeploymentID
    /// Every root, version 1 first, as envelopes.
    package let roots: [[UInt8]]
    package let root: TrustRoot
    package let config: [SigningKey]
    package let timestamp: [SigningKey]

    /// SHA-256 of the first root's payload: what join tokens pin.
    package let rootPin: [UInt8]

    static func context(_ role: Role, _ keyID: [UInt8]) -> String {
        "gatehouse signing|\(role.rawValue)|\(Hex.encode(keyID))"
    }

    /// Reads the keys that the newest root names.
    package static func load(_ tx: inout Transaction, keys: KeyEncryptionKeys) throws -> SigningKeys {
        guard let deployment = try tx.queryOne("select id from deployment") else {
            throw Failure(description: "the deployment is not initialized: run gatehouse-control init")
        }
        var roots: [[UInt8]] = []
        for row in try tx.query("select envelope from trust_root order by version") {
            roots.append(try row.get("envelope"))
        }
        guard let last = roots.last, let first = roots.first else {
            throw Failure(description: "the deployment has no trust root: run gatehouse-control init")
        }
        let root = try TrustRoot(wire: try Envelope(wire: last).payload)
        var signing: [Role: [SigningKey]] = [:]
        for row in try tx.query("select key_id, role, kek_id, wrapped_key from signing_key order by created_at") {
            let keyID: [UInt8] = try row.get("key_id")
            guard let role = Role(rawValue: try row.get("role")) else { continue }
            let named = role == .config ? root.config.keyIDs : root.timestamp.keyIDs
            guard named.contains(keyID) else { continue }
            let wrapped = WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
            let bytes = try keys.unwrapBytes(wrapped, context: Self.context(role, keyID))
            signing[role, default: []].append(SigningKey(try .init(rawRepresentation: bytes)))
        }
        guard let config = signing[.config], config.count >= root.config.threshold,
            let timestamp = signing[.timestamp], timestamp.count >= root.timestamp.threshold
        else { throw Failure(description: "the database lacks signing keys that the trust root names") }
        return SigningKeys(
            deployment: try deployment.get("id"), roots: roots, root: root, config: config, timestamp: timestamp,
            rootPin: Array(SHA256.hash(data: try Envelope(wire: first).payload))
        )
    }

    package func sign(_ type: PayloadType, _ payload: [UInt8]) throws -> [UInt8] {
        let keys: [SigningKey] =
            switch type {
            case .manifest, .keyring: self.config
            case .timestamp, .usageReply, .leaseReply, .enrolmentReply, .time: self.timestamp
            case .root, .assertion: []
            }
        guard !keys.isEmpty, let envelope = Envelope(type, payload: payload, keys: keys) else {
            throw Failure(description: "\(type.rawValue) is not signed by the control plane")
        }
        return envelope.wireBytes
    }
}

/// Makes a deployment: its identity, its signing keys, and the first trust root.
package enum DeploymentSetup {
    /// - Parameter rootKey: signs the root and is the operator's to keep; it is not stored.
    /// - Returns: nil when the database is a deployment already.
    package static func initialize(
        _ tx: inout Transaction, rootKey: SigningKey, keys: KeyEncryptionKeys, time: TimeSource
    ) throws -> DeploymentID? {
        guard try tx.queryOne("select id from deployment") == nil else { return nil }
        let deployment: DeploymentID = time.newID()
        _ = try tx.execute("insert into deployment (id) values ($1)", deployment)
        let config = SigningKey()
        let timestamp = SigningKey()
        try SigningKeyStore.insert(&tx, config, for: .config, keys: keys)
        try SigningKeyStore.insert(&tx, timestamp, for: .timestamp, keys: keys)
        let root = TrustRoot(
            deployment: deployment, version: 1, keys: [rootKey.publicKey, config.publicKey, timestamp.publicKey],
            root: .init(threshold: 1, keyIDs: [rootKey.publicKey.id]),
            config: .init(threshold: 1, keyIDs: [config.publicKey.id]),
            timestamp: .init(threshold: 1, keyIDs: [timestamp.publicKey.id])
        )
        let payload = root.wireBytes
        guard let envelope = Envelope(.root, payload: payload, keys: [rootKey]) else {
            throw SigningKeys.Failure(description: "the root could not be signed")
        }
        try SigningKeyStore.insert(&tx, envelope, version: 1)
        return deployment
    }
}

/// The SQL of signing keys and roots.
enum SigningKeyStore {
    static func insert(
        _ tx: inout Transaction, _ key: SigningKey, for role: SigningKeys.Role, keys: KeyEncryptionKeys
    ) throws {
        let id = key.publicKey.id
        let wrapped = try keys.wrap(bytes: Array(key.key.rawRepresentation), context: SigningKeys.context(role, id))
        _ = try tx.execute(
            "insert into signing_key (key_id, role, public_key, kek_id, wrapped_key) values ($1, $2, $3, $4, $5)",
            id, role.rawValue, key.publicKey.bytes, wrapped.kekID, wrapped.bytes
        )
    }

    static func insert(_ tx: inout Transaction, _ root: Envelope, version: Int) throws {
        _ = try tx.execute(
            "insert into trust_root (version, envelope, payload_sha256) values ($1, $2, $3)",
            Int32(version), root.wireBytes, Array(SHA256.hash(data: root.payload))
        )
    }

    /// Forgets the keys of a role other than `kept`: what they could sign is not trusted any more.
    static func remove(_ tx: inout Transaction, of role: SigningKeys.Role, except kept: [UInt8]) throws {
        _ = try tx.execute("delete from signing_key where role = $1 and key_id <> $2", role.rawValue, kept)
    }
}
