import Crypto

/// Who may sign what: the document that everything else is verified by.
///
/// Version N + 1 is signed by the root thresholds of both N and N + 1, so that trust passes on only where those who
/// hold it agree.
package struct TrustRoot: WireMessage, Equatable {
    package struct Role: Sendable, Equatable {
        package var threshold: Int
        package var keyIDs: [[UInt8]]

        package init(threshold: Int, keyIDs: [[UInt8]]) {
            self.threshold = threshold
            self.keyIDs = keyIDs
        }
    }

    package var deployment: DeploymentID
    package var version: Int
    package var keys: [VerifyingKey]
    package var root: Role
    package var config: Role
    package var timestamp: Role

    package static let keysLimit = 32

    package init(
        deployment: DeploymentID, version: Int, keys: [VerifyingKey], root: Role, config: Role, timestamp: Role
    ) {
        self.deployment = deployment
        self.version = version
        self.keys = keys
        self.root = root
        self.config = config
        self.timestamp = timestamp
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var deployment: DeploymentID?, root: Role?, config: Role?, timestamp: Role?
        self.version = 0
        self.keys = []
        while let field = try reader.next() {
            switch field {
            case 1: deployment = try reader.identifier("root.deployment")
            case 2: self.version = try reader.integer(in: 1...Int(Int32.max), "root.version")
            case 3:
                guard self.keys.count < Self.keysLimit,
                    let key = VerifyingKey(bytes: try reader.bytes(count: 32, "root.keys"))
                else { throw .invalid("root.keys") }
                self.keys.append(key)
            case 4: root = try Self.role(&reader)
            case 5: config = try Self.role(&reader)
            case 6: timestamp = try Self.role(&reader)
            default: try reader.skip()
            }
        }
        guard let deployment else { throw .missing("root.deployment") }
        guard let root, let config, let timestamp else { throw .missing("root.role") }
        guard self.version > 0 else { throw .missing("root.version") }
        self.deployment = deployment
        self.root = root
        self.config = config
        self.timestamp = timestamp
        let known = Set(self.keys.map(\.id))
        for role in [root, config, timestamp] {
            guard Set(role.keyIDs).count == role.keyIDs.count, role.keyIDs.allSatisfy(known.contains),
                (1...max(1, role.keyIDs.count)).contains(role.threshold), !role.keyIDs.isEmpty
            else { throw .invalid("root.role") }
        }
    }

    private static func role(_ reader: inout WireReader) throws(WireError) -> Role {
        var nested = try reader.message()
        var role = Role(threshold: 0, keyIDs: [])
        while let field = try nested.next() {
            switch field {
            case 1: role.threshold = try nested.integer(in: 1...Self.keysLimit, "role.threshold")
            case 2:
                guard role.keyIDs.count < Self.keysLimit else { throw .invalid("role.key_ids") }
                role.keyIDs.append(try nested.bytes(count: 32, "role.key_ids"))
            default: try nested.skip()
            }
        }
        return role
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.deployment)
        writer.integer(2, self.version)
        for key in self.keys { writer.element(3, key.bytes) }
        for (field, role) in [(4, self.root), (5, self.config), (6, self.timestamp)] {
            writer.message(field) {
                $0.integer(1, role.threshold)
                for id in role.keyIDs { $0.element(2, id) }
            }
        }
    }

    /// The keys that a role is played by.
    package func keys(of role: Role) -> [VerifyingKey] { self.keys.filter { role.keyIDs.contains($0.id) } }

    /// The payload of an envelope that the right role signed.
    package func open(_ envelope: Envelope, as type: PayloadType) -> [UInt8]? {
        let role: Role =
            switch type {
            case .root: self.root
            case .manifest, .keyring: self.config
            case .timestamp, .usageReply, .leaseReply, .enrolmentReply, .time: self.timestamp
            case .assertion: Role(threshold: .max, keyIDs: [])
            }
        guard envelope.verify(type, keys: self.keys(of: role), threshold: role.threshold) else { return nil }
        return envelope.payload
    }

    /// The first root of a deployment, accepted because its payload has the pinned hash and it signs itself.
    package static func pinned(_ envelope: Envelope, sha256: [UInt8]) throws(SnapshotError) -> TrustRoot {
        guard Array(SHA256.hash(data: envelope.payload)) == sha256 else {
            throw SnapshotError(.untrusted, chunk: "root", "it is not the root that is pinned")
        }
        let root = try Self.decode(envelope)
        guard root.open(envelope, as: .root) != nil else {
            throw SnapshotError(.untrusted, chunk: "root", "it does not sign itself")
        }
        return root
    }

    /// The next root: one version later, signed by this root's threshold and by its own.
    package func next(_ envelope: Envelope) throws(SnapshotError) -> TrustRoot {
        let next = try Self.decode(envelope)
        guard next.deployment == self.deployment else {
            throw SnapshotError(.misdirected, chunk: "root", "it is another deployment's")
        }
        guard next.version == self.version + 1 else {
            let code: SnapshotError.Code = next.version <= self.version ? .rollback : .invalid
            throw SnapshotError(code, chunk: "root", "version \(next.version) does not follow \(self.version)")
        }
        guard self.open(envelope, as: .root) != nil, next.open(envelope, as: .root) != nil else {
            throw SnapshotError(.untrusted, chunk: "root", "it is not signed by the thresholds of both versions")
        }
        return next
    }

    private static func decode(_ envelope: Envelope) throws(SnapshotError) -> TrustRoot {
        do throws(WireError) {
            return try TrustRoot(wire: envelope.payload)
        } catch {
            let code: SnapshotError.Code = if case .unknownCriticalField = error { .incompatible } else { .invalid }
            throw SnapshotError(code, chunk: "root", error.description)
        }
    }
}
