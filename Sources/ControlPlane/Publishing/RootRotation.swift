import Crypto
import Postgres
package import Shared

/// Replaces keys that are trusted: the next version of the trust root, signed by the root keys of both versions.
///
/// Everything that is signed is made anew by the publisher, which sees that it was signed under another root. Gateways
/// follow by themselves: the next timestamp is not signed by a key that they know, so they ask for the next root.
package struct RootRotation: Sendable {
    private let changes: Changes
    private let keys: KeyEncryptionKeys

    package init(changes: Changes, keys: KeyEncryptionKeys) {
        self.changes = changes
        self.keys = keys
    }

    /// Why a root cannot be rotated; nothing was changed.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// What is replaced.
    package struct Plan: Sendable {
        /// The present root keys, at least as many as its threshold asks for.
        package var rootKeys: [SigningKey]
        /// The only root key from now on; nil when the root keys stay.
        package var newRootKey: SigningKey?
        /// Roles whose keys are replaced by one new key each.
        package var roles: Set<SigningKeys.Role>

        package init(rootKeys: [SigningKey], newRootKey: SigningKey? = nil, roles: Set<SigningKeys.Role>) {
            self.rootKeys = rootKeys
            self.newRootKey = newRootKey
            self.roles = roles
        }
    }

    /// - Returns: the root that is trusted from now on.
    package func rotate(
        _ plan: Plan, deployment: DeploymentID, as context: OperationContext
    ) async throws -> TrustRoot {
        guard plan.newRootKey != nil || !plan.roles.isEmpty else {
            throw Refusal(description: "there is nothing to replace")
        }
        let keys = self.keys
        let outcome = try await self.changes.perform(
            .trustRootRotate, on: Target(deployment), at: .instance, as: context
        ) { tx, permit in
            // One at a time; the version is the fence besides.
            _ = try tx.queryOne("select id from deployment for update")
            let current = try SigningKeys.load(&tx, keys: keys)
            let root = try Self.next(current, plan, keys, &tx, permit)
            return Change(root, in: nil, before: AuditedRoot(current.root), after: AuditedRoot(root))
        }
        guard case .done(let root, _) = outcome else { throw Refusal(description: "it was done before") }
        return root
    }

    private static func next(
        _ current: SigningKeys, _ plan: Plan, _ keys: KeyEncryptionKeys, _ tx: inout Transaction,
        _: borrowing Permit
    ) throws -> TrustRoot {
        let signers = plan.rootKeys.filter { current.root.root.keyIDs.contains($0.publicKey.id) }
        guard Set(signers.map(\.publicKey.id)).count >= current.root.root.threshold else {
            throw Refusal(
                description: "root \(current.root.version) needs \(current.root.root.threshold) of its own keys; "
                    + "\(signers.count) of those given are"
            )
        }
        var root = current.root
        root.version += 1
        var rootKeys = current.root.keys(of: current.root.root)
        if let new = plan.newRootKey {
            rootKeys = [new.publicKey]
            root.root = TrustRoot.Role(threshold: 1, keyIDs: [new.publicKey.id])
        }
        var config = current.root.keys(of: current.root.config)
        if plan.roles.contains(.config) {
            config = [try Self.replace(.config, keys, &tx)]
            root.config = TrustRoot.Role(threshold: 1, keyIDs: config.map(\.id))
        }
        var timestamp = current.root.keys(of: current.root.timestamp)
        if plan.roles.contains(.timestamp) {
            timestamp = [try Self.replace(.timestamp, keys, &tx)]
            root.timestamp = TrustRoot.Role(threshold: 1, keyIDs: timestamp.map(\.id))
        }
        root.keys = []
        for key in rootKeys + config + timestamp where !root.keys.contains(key) { root.keys.append(key) }
        let all = signers + [plan.newRootKey].compactMap { $0 }
        guard let envelope = Envelope(.root, payload: root.wireBytes, keys: all) else {
            throw Refusal(description: "the root could not be signed")
        }
        // As a gateway will see it.
        let seen = try current.root.next(try Envelope(wire: envelope.wireBytes))
        try SigningKeyStore.insert(&tx, envelope, version: seen.version)
        try tx.notify("gatehouse_snapshot")
        return seen
    }

    private static func replace(
        _ role: SigningKeys.Role, _ keys: KeyEncryptionKeys, _ tx: inout Transaction
    ) throws -> VerifyingKey {
        let key = SigningKey()
        try SigningKeyStore.insert(&tx, key, for: role, keys: keys)
        try SigningKeyStore.remove(&tx, of: role, except: key.publicKey.id)
        return key.publicKey
    }
}

/// A root for the audit log: which keys are trusted with what.
struct AuditedRoot: Audited {
    let root: TrustRoot

    init(_ root: TrustRoot) { self.root = root }

    var auditState: JSONValue {
        var state: [String: JSONValue] = [
            "version": .integer(Int64(self.root.version)),
            "sha256": .string(Hex.encode(SHA256.hash(data: self.root.wireBytes))),
        ]
        for (name, role) in [
            ("root", self.root.root), ("config", self.root.config), ("timestamp", self.root.timestamp),
        ] {
            state[name] = [
                "threshold": .integer(Int64(role.threshold)),
                "keys": .array(role.keyIDs.map { .string(Hex.encode($0)) }),
            ]
        }
        return .object(state)
    }
}
