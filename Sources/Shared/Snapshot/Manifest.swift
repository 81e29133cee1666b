/// Where a snapshot stands in the history of its gateway group.
package struct SnapshotVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Grows when a database was restored, so that what follows is newer than anything before.
    package var epoch: Int
    package var version: Int

    package init(epoch: Int, version: Int) {
        self.epoch = epoch
        self.version = version
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.epoch != right.epoch ? left.epoch < right.epoch : left.version < right.version
    }

    package var description: String { "\(self.epoch).\(self.version)" }
}

/// The signed table of contents of a snapshot.
package struct Manifest: WireMessage, Equatable {
    package var deployment: DeploymentID
    package var group: GatewayGroupID
    package var version: SnapshotVersion
    package var created: Timestamp
    /// SHA-256 of the previous manifest's payload; empty for the first of an epoch.
    package var previous: [UInt8]
    /// The format that this snapshot is written in; a gateway that knows only lower ones refuses it.
    package var schema: Int
    /// The lowest gateway build that may serve it.
    package var minimumBuild: Int
    /// The keyring that its credentials are under.
    package var keyringEpoch: Int
    package var limits: Limits
    package var chunks: [ChunkReference]

    /// The schema that this build writes and the newest that it reads.
    package static let schemaKnown = 1
    /// Grows with each release of the gateway.
    package static let build = 1
    package static let sizeLimit = 256 << 10
    package static let chunksLimit = 2560

    /// What becomes of a request whose model has no price.
    ///
    /// Numbers are part of the wire format: append only.
    package enum UnpricedModels: UInt8, Sendable, CaseIterable {
        /// It is refused.
        case deny = 1
        /// It is charged at the instance's fallback price, as an estimate; refused while there is none.
        case estimate = 2

        /// The name in the API and in SQL.
        package var name: String { self == .deny ? "deny" : "estimate" }

        package init?(name: String) {
            guard let known = Self.allCases.first(where: { $0.name == name }) else { return nil }
            self = known
        }
    }

    /// Bounds that the control plane sets for a gateway group.
    package struct Limits: WireMessage, Equatable {
        /// Bits of a key's hash that choose its chunk, 8 … 11.
        package var keyBucketBits = 8
        /// Seconds without a fresh timestamp after which the group's gateways stop serving; default 72 h.
        package var maxStaleSeconds = 259_200
        /// Largest request body in bytes.
        package var maxBodyBytes = 32 << 20
        /// Seconds that a request may take in all.
        package var requestSeconds = 900
        /// Always written: a gateway that does not know it would serve what has no price for nothing.
        package var unpricedModels = UnpricedModels.deny

        package init() {}

        package init(from reader: inout WireReader) throws(WireError) {
            self.init()
            while let field = try reader.next() {
                switch field {
                case 1: self.keyBucketBits = try reader.integer(in: 8...11, "limits.key_bucket_bits")
                case 2: self.maxStaleSeconds = try reader.integer(in: 60...31_536_000, "limits.max_stale_seconds")
                case 3: self.maxBodyBytes = try reader.integer(in: 1024...(1 << 30), "limits.max_body_bytes")
                case 4: self.requestSeconds = try reader.integer(in: 1...86_400, "limits.request_seconds")
                case 5: self.unpricedModels = try reader.enumeration("limits.unpriced_models")
                default: try reader.skip()
                }
            }
        }

        package func write(to writer: inout WireWriter) {
            writer.integer(1, self.keyBucketBits)
            writer.integer(2, self.maxStaleSeconds)
            writer.integer(3, self.maxBodyBytes)
            writer.integer(4, self.requestSeconds)
            writer.enumeration(5, self.unpricedModels)
        }
    }

    package init(
        deployment: DeploymentID, group: GatewayGroupID, version: SnapshotVersion, created: Timestamp,
        previous: [UInt8], keyringEpoch: Int, limits: Limits, chunks: [ChunkReference]
    ) {
        self.deployment = deployment
        self.group = group
        self.version = version
        self.created = created
        self.previous = previous
        self.schema = Self.schemaKnown
        self.minimumBuild = 1
        self.keyringEpoch = keyringEpoch
        self.limits = limits
        self.chunks = chunks
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var deployment: DeploymentID?, group: GatewayGroupID?
        var epoch = 0
        var version = 0
        self.created = Timestamp(microseconds: 0)
        self.previous = []
        self.schema = 0
        self.minimumBuild = 0
        self.keyringEpoch = 0
        self.limits = Limits()
        self.chunks = []
        while let field = try reader.next() {
            switch field {
            case 1: deployment = try reader.identifier("manifest.deployment")
            case 2: group = try reader.identifier("manifest.group")
            case 3: epoch = try reader.integer(in: 1...Int(Int32.max), "manifest.epoch")
            case 4: version = try reader.integer(in: 1...Int.max, "manifest.version")
            case 5: self.created = Timestamp(microseconds: try reader.int64())
            case 6: self.previous = try reader.bytes(limit: 32, "manifest.previous")
            case 7: self.schema = try reader.integer(in: 1...1000, "manifest.schema")
            case 8: self.minimumBuild = try reader.integer(in: 0...Int(Int32.max), "manifest.minimum_build")
            case 9: self.keyringEpoch = try reader.integer(in: 1...Int(Int32.max), "manifest.keyring_epoch")
            case 10: self.limits = try reader.value()
            case 11:
                guard self.chunks.count < Self.chunksLimit else { throw .invalid("manifest.chunks") }
                self.chunks.append(try reader.value())
            default: try reader.skip()
            }
        }
        guard let deployment else { throw .missing("manifest.deployment") }
        guard let group else { throw .missing("manifest.group") }
        guard epoch > 0, version > 0 else { throw .missing("manifest.version") }
        guard self.schema > 0 else { throw .missing("manifest.schema") }
        guard self.keyringEpoch > 0 else { throw .missing("manifest.keyring_epoch") }
        guard self.previous.isEmpty || self.previous.count == 32 else { throw .invalid("manifest.previous") }
        self.deployment = deployment
        self.group = group
        self.version = SnapshotVersion(epoch: epoch, version: version)
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.deployment)
        writer.identifier(2, self.group)
        writer.integer(3, self.version.epoch)
        writer.integer(4, self.version.version)
        writer.int64(5, self.created.microseconds)
        writer.bytes(6, self.previous)
        writer.integer(7, self.schema)
        writer.integer(8, self.minimumBuild)
        writer.integer(9, self.keyringEpoch)
        writer.message(10, self.limits)
        for chunk in self.chunks { writer.message(11, chunk) }
    }
}
