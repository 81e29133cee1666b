/// The freshest word of the control plane: which snapshot, keyring and root are current.
///
/// Re-issued every minute and at once on a change; one that has expired means that somebody holds news back.
package struct TimestampStatement: WireMessage, Equatable {
    package var deployment: DeploymentID
    package var group: GatewayGroupID
    /// Strictly growing with every issue.
    package var sequence: Int
    package var issued: Timestamp
    package var expires: Timestamp
    package var version: SnapshotVersion
    /// SHA-256 of the manifest's envelope, as stored: the blob's name.
    package var manifest: [UInt8]
    package var keyringEpoch: Int
    /// SHA-256 of the keyring's envelope: the blob's name.
    package var keyring: [UInt8]
    package var rootVersion: Int

    package static let sizeLimit = 4096
    /// Seconds that a statement is good for.
    package static let lifetime: Int64 = 600

    package init(
        deployment: DeploymentID, group: GatewayGroupID, sequence: Int, issued: Timestamp, version: SnapshotVersion,
        manifest: [UInt8], keyringEpoch: Int, keyring: [UInt8], rootVersion: Int
    ) {
        self.deployment = deployment
        self.group = group
        self.sequence = sequence
        self.issued = issued
        self.expires = issued.adding(seconds: Self.lifetime)
        self.version = version
        self.manifest = manifest
        self.keyringEpoch = keyringEpoch
        self.keyring = keyring
        self.rootVersion = rootVersion
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var deployment: DeploymentID?, group: GatewayGroupID?
        var epoch = 0
        var version = 0
        self.sequence = 0
        self.issued = Timestamp(microseconds: 0)
        self.expires = Timestamp(microseconds: 0)
        self.manifest = []
        self.keyringEpoch = 0
        self.keyring = []
        self.rootVersion = 0
        while let field = try reader.next() {
            switch field {
            case 1: deployment = try reader.identifier("timestamp.deployment")
            case 2: group = try reader.identifier("timestamp.group")
            case 3: self.sequence = try reader.integer(in: 1...Int.max, "timestamp.sequence")
            case 4: self.issued = Timestamp(microseconds: try reader.int64())
            case 5: self.expires = Timestamp(microseconds: try reader.int64())
            case 6: epoch = try reader.integer(in: 1...Int(Int32.max), "timestamp.epoch")
            case 7: version = try reader.integer(in: 1...Int.max, "timestamp.version")
            case 8: self.manifest = try reader.bytes(count: 32, "timestamp.manifest")
            case 9: self.keyringEpoch = try reader.integer(in: 1...Int(Int32.max), "timestamp.keyring_epoch")
            case 10: self.keyring = try reader.bytes(count: 32, "timestamp.keyring")
            case 11: self.rootVersion = try reader.integer(in: 1...Int(Int32.max), "timestamp.root_version")
            default: try reader.skip()
            }
        }
        guard let deployment else { throw .missing("timestamp.deployment") }
        guard let group else { throw .missing("timestamp.group") }
        guard self.sequence > 0, epoch > 0, version > 0, self.keyringEpoch > 0, self.rootVersion > 0,
            !self.manifest.isEmpty, !self.keyring.isEmpty
        else { throw .missing("timestamp") }
        self.deployment = deployment
        self.group = group
        self.version = SnapshotVersion(epoch: epoch, version: version)
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.deployment)
        writer.identifier(2, self.group)
        writer.integer(3, self.sequence)
        writer.int64(4, self.issued.microseconds)
        writer.int64(5, self.expires.microseconds)
        writer.integer(6, self.version.epoch)
        writer.integer(7, self.version.version)
        writer.bytes(8, self.manifest)
        writer.integer(9, self.keyringEpoch)
        writer.bytes(10, self.keyring)
        writer.integer(11, self.rootVersion)
    }
}
