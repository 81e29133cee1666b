/// Whether a row may be used.
package enum RowStatus: UInt8, Sendable {
    case active = 1
    case disabled = 2
    case revoked = 3
}

/// Which nodes of the scope tree there are in a snapshot.
package enum ScopeNodeKind: UInt8, Sendable {
    case organization = 1
    case unit = 2
    case project = 3
}

/// A row of a snapshot: one thing the gateway must know, small, in the chunk of its type.
package protocol SnapshotRow: WireMessage {
    static var type: ChunkType { get }
    /// Rows of a chunk are sorted by this, strictly ascending.
    var sortKey: [UInt8] { get }
}

/// An organization, a unit or a project.
package struct NodeRow: SnapshotRow, Hashable {
    package static let type = ChunkType.nodes
    package var id: NodeID
    package var kind: ScopeNodeKind
    /// Nil for an organization only.
    package var parent: NodeID?
    package var status: RowStatus
    /// The tags of a project, by ascending name; none for other nodes.
    package var tags: [TagDeclaration]

    package init(id: NodeID, kind: ScopeNodeKind, parent: NodeID?, status: RowStatus, tags: [TagDeclaration] = []) {
        self.id = id
        self.kind = kind
        self.parent = parent
        self.status = status
        self.tags = tags
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: NodeID?, kind: ScopeNodeKind?, status: RowStatus?
        self.parent = nil
        self.tags = []
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("node.id")
            case 2: kind = try reader.enumeration("node.kind")
            case 3: self.parent = try reader.identifier("node.parent")
            case 4: status = try reader.enumeration("node.status")
            case 5:
                guard self.tags.count < TagText.countLimit else { throw .invalid("node.tags") }
                self.tags.append(try reader.value())
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("node.id") }
        guard let kind else { throw .missing("node.kind") }
        guard let status else { throw .missing("node.status") }
        guard (kind == .organization) == (self.parent == nil) else { throw .invalid("node.parent") }
        guard self.tags.isEmpty || kind == .project else { throw .invalid("node.tags") }
        for (tag, next) in zip(self.tags, self.tags.dropFirst()) {
            guard tag.name.utf8.lexicographicallyPrecedes(next.name.utf8) else { throw .invalid("node.tags") }
        }
        self.id = id
        self.kind = kind
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.enumeration(2, self.kind)
        writer.identifier(3, self.parent)
        writer.enumeration(4, self.status)
        for tag in self.tags { writer.message(5, tag) }
    }
}

/// A user or a service account that owns keys.
package struct OwnerRow: SnapshotRow, Hashable {
    package static let type = ChunkType.owners
    package var id: UUIDValue
    package var status: RowStatus

    package init(id: UUIDValue, status: RowStatus) {
        self.id = id
        self.status = status
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: NodeID?, status: RowStatus?
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("owner.id")
            case 2: status = try reader.enumeration("owner.status")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("owner.id") }
        guard let status else { throw .missing("owner.status") }
        self.id = id.value
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.bytes(1, self.id.bytes)
        writer.enumeration(2, self.status)
    }
}

/// Restrictions and tags that keys refer to; named by its content, so that equal ones are one row.
package struct PolicyRow: SnapshotRow, Hashable {
    package static let type = ChunkType.policies
    package var id: PolicyID
    /// Model aliases that are allowed; nil allows every one, an empty list none.
    package var models: [String]?
    /// Networks that requests may come from; empty allows every one.
    package var networks: [NetworkRange]
    /// Tags of every request with such a key: they win over those that the request names; nil for none.
    package var tags: TagSet?

    package static let modelsLimit = 500
    package static let networksLimit = 100
    package static let aliasLimit = 200

    package init(id: PolicyID, models: [String]?, networks: [NetworkRange], tags: TagSet? = nil) {
        self.id = id
        self.models = models
        self.networks = networks
        self.tags = tags
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: PolicyID?
        var restrictsModels = false
        var models: [String] = []
        self.networks = []
        self.tags = nil
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("policy.id")
            case 2: restrictsModels = try reader.bool("policy.restricts_models")
            case 3:
                guard models.count < Self.modelsLimit else { throw .invalid("policy.models") }
                models.append(try reader.text(limit: Self.aliasLimit, "policy.models"))
            case 4:
                guard self.networks.count < Self.networksLimit else { throw .invalid("policy.networks") }
                let bytes = try reader.bytes(count: 17, "policy.networks")
                let address = IPAddress(high: bytes.bigEndianUInt64(at: 0), low: bytes.bigEndianUInt64(at: 8))
                guard let range = NetworkRange(address: address, prefix: Int(bytes[16])) else {
                    throw .invalid("policy.networks")
                }
                self.networks.append(range)
            case 5: self.tags = try reader.tagSet("policy.tags")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("policy.id") }
        guard restrictsModels || models.isEmpty else { throw .invalid("policy.models") }
        self.id = id
        self.models = restrictsModels ? models : nil
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.bool(2, self.models != nil)
        for model in self.models ?? [] { writer.element(3, Array(model.utf8)) }
        for network in self.networks {
            var bytes: [UInt8] = []
            bytes.appendBigEndian(network.address.high)
            bytes.appendBigEndian(network.address.low)
            bytes.append(UInt8(network.prefix))
            writer.element(4, bytes)
        }
        writer.bytes(5, self.tags?.utf8 ?? [])
    }
}

/// One secret of a virtual key.
///
/// Everything it does not say itself it says by reference, so that disabling a user or a unit changes one other chunk.
package struct KeyRow: SnapshotRow, Hashable {
    package static let type = ChunkType.keys
    /// SHA-256 of the secret's text.
    package var digest: [UInt8]
    package var key: VirtualKeyID
    package var project: NodeID
    package var owner: UUIDValue?
    package var policy: PolicyID?
    /// When the secret stops working; nil for never.
    package var expires: Timestamp?
    package var status: RowStatus

    package init(
        digest: [UInt8], key: VirtualKeyID, project: NodeID, owner: UUIDValue?, policy: PolicyID?, expires: Timestamp?,
        status: RowStatus
    ) {
        self.digest = digest
        self.key = key
        self.project = project
        self.owner = owner
        self.policy = policy
        self.expires = expires
        self.status = status
    }

    package var sortKey: [UInt8] { self.digest }

    package init(from reader: inout WireReader) throws(WireError) {
        var key: VirtualKeyID?, project: NodeID?, owner: NodeID?, status: RowStatus?
        self.digest = []
        self.policy = nil
        self.expires = nil
        while let field = try reader.next() {
            switch field {
            case 1: self.digest = try reader.bytes(count: 32, "key.digest")
            case 2: key = try reader.identifier("key.id")
            case 3: project = try reader.identifier("key.project")
            case 4: owner = try reader.identifier("key.owner")
            case 5: self.policy = try reader.identifier("key.policy")
            case 6: self.expires = Timestamp(microseconds: try reader.int64())
            case 7: status = try reader.enumeration("key.status")
            default: try reader.skip()
            }
        }
        guard self.digest.count == 32 else { throw .missing("key.digest") }
        guard let key else { throw .missing("key.id") }
        guard let project else { throw .missing("key.project") }
        guard let status else { throw .missing("key.status") }
        self.key = key
        self.project = project
        self.owner = owner?.value
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.bytes(1, self.digest)
        writer.identifier(2, self.key)
        writer.identifier(3, self.project)
        if let owner { writer.bytes(4, owner.bytes) }
        writer.identifier(5, self.policy)
        writer.optional(6, self.expires?.microseconds)
        writer.enumeration(7, self.status)
    }
}
