import Crypto

/// The highest of everything seen, kept apart from the snapshots themselves: what makes a rollback visible.
package struct SnapshotHighWater: WireMessage, Equatable {
    package var rootVersion = 0
    package var version = SnapshotVersion(epoch: 0, version: 0)
    /// SHA-256 of the manifest envelope at `version`: another one at the same version is a fork.
    package var manifest: [UInt8] = []
    package var sequence = 0
    package var keyringEpoch = 0

    package init() {}

    package init(from reader: inout WireReader) throws(WireError) {
        self.init()
        while let field = try reader.next() {
            switch field {
            case 1: self.rootVersion = try reader.integer(in: 0...Int.max, "high_water.root_version")
            case 2: self.version.epoch = try reader.integer(in: 0...Int.max, "high_water.epoch")
            case 3: self.version.version = try reader.integer(in: 0...Int.max, "high_water.version")
            case 4: self.manifest = try reader.bytes(limit: 32, "high_water.manifest")
            case 5: self.sequence = try reader.integer(in: 0...Int.max, "high_water.sequence")
            case 6: self.keyringEpoch = try reader.integer(in: 0...Int.max, "high_water.keyring_epoch")
            default: try reader.skip()
            }
        }
    }

    package func write(to writer: inout WireWriter) {
        writer.integer(1, self.rootVersion)
        writer.integer(2, self.version.epoch)
        writer.integer(3, self.version.version)
        writer.bytes(4, self.manifest)
        writer.integer(5, self.sequence)
        writer.integer(6, self.keyringEpoch)
    }
}

/// Checks what comes from the control plane, document by document.
///
/// Pure: it fetches and stores nothing.
package struct SnapshotVerifier: Sendable {
    package let group: GatewayGroupID
    package private(set) var root: TrustRoot

    package init(root: TrustRoot, group: GatewayGroupID) {
        self.root = root
        self.group = group
    }

    /// Passes trust on to the next version of the root.
    package mutating func advance(root envelope: [UInt8]) throws(SnapshotError) {
        self.root = try self.root.next(try Self.envelope(envelope, "root"))
    }

    /// A timestamp: signed by its role, for this group, not older than what was seen.
    ///
    /// - Parameter now: the wall clock, or nil to accept an expired statement (a start without the control plane).
    package func timestamp(
        _ bytes: [UInt8], highWater: SnapshotHighWater, now: Timestamp?
    ) throws(SnapshotError) -> TimestampStatement {
        guard bytes.count <= TimestampStatement.sizeLimit else {
            throw SnapshotError(.oversize, chunk: "timestamp", "it has \(bytes.count) bytes")
        }
        let payload = try self.payload(bytes, .timestamp, "timestamp")
        let statement: TimestampStatement = try Self.decode(payload, "timestamp")
        try self.checkAddress(statement.deployment, statement.group, "timestamp")
        guard statement.sequence >= highWater.sequence else {
            throw SnapshotError(
                .rollback, chunk: "timestamp", "sequence \(statement.sequence) is below \(highWater.sequence)"
            )
        }
        guard statement.keyringEpoch >= highWater.keyringEpoch else {
            throw SnapshotError(
                .rollback, chunk: "timestamp",
                "keyring epoch \(statement.keyringEpoch) is below \(highWater.keyringEpoch)"
            )
        }
        guard statement.rootVersion >= highWater.rootVersion else {
            throw SnapshotError(
                .rollback, chunk: "timestamp", "root \(statement.rootVersion) is below \(highWater.rootVersion)"
            )
        }
        guard statement.version >= highWater.version else {
            throw SnapshotError(
                .rollback, chunk: "timestamp", "version \(statement.version) is below \(highWater.version)"
            )
        }
        if statement.version == highWater.version && !highWater.manifest.isEmpty
            && statement.manifest != highWater.manifest
        {
            throw SnapshotError(
                .rollback, chunk: "timestamp", "version \(statement.version) is another one than before")
        }
        if let now, statement.expires <= now {
            throw SnapshotError(.expired, chunk: "timestamp", "it expired at \(statement.expires)")
        }
        return statement
    }

    /// The manifest that a timestamp names.
    package func manifest(_ bytes: [UInt8], for statement: TimestampStatement) throws(SnapshotError) -> Manifest {
        guard bytes.count <= Manifest.sizeLimit + 4096 else {
            throw SnapshotError(.oversize, chunk: "manifest", "it has \(bytes.count) bytes")
        }
        guard Array(SHA256.hash(data: bytes)) == statement.manifest else {
            throw SnapshotError(.corrupt, chunk: "manifest", "it is not the one that the timestamp names")
        }
        let manifest: Manifest = try Self.decode(try self.payload(bytes, .manifest, "manifest"), "manifest")
        try self.checkAddress(manifest.deployment, manifest.group, "manifest")
        guard manifest.version == statement.version else {
            throw SnapshotError(.corrupt, chunk: "manifest", "its version is not the timestamp's")
        }
        guard manifest.schema <= Manifest.schemaKnown, manifest.minimumBuild <= Manifest.build else {
            throw SnapshotError(
                .incompatible, chunk: "manifest",
                "it needs schema \(manifest.schema) and build \(manifest.minimumBuild)"
            )
        }
        guard Set(manifest.chunks.map(\.name)).count == manifest.chunks.count else {
            throw SnapshotError(.invalid, chunk: "manifest", "a chunk is listed twice")
        }
        return manifest
    }

    /// The keyring that a timestamp names.
    package func keyring(_ bytes: [UInt8], for statement: TimestampStatement) throws(SnapshotError) -> Keyring {
        guard bytes.count <= Manifest.sizeLimit + 4096 else {
            throw SnapshotError(.oversize, chunk: "keyring", "it has \(bytes.count) bytes")
        }
        guard Array(SHA256.hash(data: bytes)) == statement.keyring else {
            throw SnapshotError(.corrupt, chunk: "keyring", "it is not the one that the timestamp names")
        }
        let keyring: Keyring = try Self.decode(try self.payload(bytes, .keyring, "keyring"), "keyring")
        try self.checkAddress(keyring.deployment, keyring.group, "keyring")
        guard keyring.epoch == statement.keyringEpoch else {
            throw SnapshotError(.corrupt, chunk: "keyring", "its epoch is not the timestamp's")
        }
        return keyring
    }

    private func checkAddress(
        _ deployment: DeploymentID, _ group: GatewayGroupID, _ document: String
    ) throws(SnapshotError) {
        guard deployment == self.root.deployment else {
            throw SnapshotError(.misdirected, chunk: document, "it is another deployment's")
        }
        guard group == self.group else {
            throw SnapshotError(.misdirected, chunk: document, "it is another gateway group's")
        }
    }

    private func payload(
        _ bytes: [UInt8], _ type: PayloadType, _ document: String
    ) throws(SnapshotError) -> [UInt8] {
        guard let payload = self.root.open(try Self.envelope(bytes, document), as: type) else {
            throw SnapshotError(.untrusted, chunk: document, "it is not signed by the role that must sign it")
        }
        return payload
    }

    private static func envelope(_ bytes: [UInt8], _ document: String) throws(SnapshotError) -> Envelope {
        try self.decode(bytes, document)
    }

    private static func decode<Value: WireMessage>(
        _ bytes: [UInt8], _ document: String
    ) throws(SnapshotError) -> Value {
        do throws(WireError) {
            return try Value(wire: bytes)
        } catch {
            let code: SnapshotError.Code = if case .unknownCriticalField = error { .incompatible } else { .invalid }
            throw SnapshotError(code, chunk: document, error.description)
        }
    }
}
