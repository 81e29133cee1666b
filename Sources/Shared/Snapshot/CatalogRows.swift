/// How a provider is spoken to.
///
/// Numbers are part of the wire format: append only. The kinds of DESIGN that have no dialect yet are added with it.
package enum ProviderKind: UInt8, Sendable, CaseIterable {
    case openAI = 1
    case openAICompatible = 2
    case mock = 3

    package var name: String {
        switch self {
        case .openAI: "openai"
        case .openAICompatible: "openai-compatible"
        case .mock: "mock"
        }
    }

    package init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}

/// An upstream account kind and where it is reached.
package struct ProviderRow: SnapshotRow, Hashable {
    package static let type = ChunkType.providers
    package var id: ProviderID
    package var kind: ProviderKind
    /// `https://host[:port][/path]` without a trailing slash; empty for the mock.
    package var baseURL: String
    package var status: RowStatus
    package static let urlLimit = 1024

    package init(id: ProviderID, kind: ProviderKind, baseURL: String, status: RowStatus) {
        self.id = id
        self.kind = kind
        self.baseURL = baseURL
        self.status = status
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: ProviderID?, kind: ProviderKind?, status: RowStatus?
        self.baseURL = ""
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("provider.id")
            case 2: kind = try reader.enumeration("provider.kind")
            case 3: self.baseURL = try reader.text(limit: Self.urlLimit, "provider.base_url")
            case 4: status = try reader.enumeration("provider.status")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("provider.id") }
        guard let kind else { throw .missing("provider.kind") }
        guard let status else { throw .missing("provider.status") }
        self.id = id
        self.kind = kind
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.enumeration(2, self.kind)
        writer.text(3, self.baseURL)
        writer.enumeration(4, self.status)
    }
}

/// A provider's secret, encrypted under the gateway group's key-encryption key.
package struct CredentialRow: SnapshotRow, Hashable {
    package static let type = ChunkType.credentials
    package var id: CredentialID
    package var provider: ProviderID
    /// Grows with each new secret; bound into the ciphertext.
    package var version: Int
    /// Which of the group's key-encryption keys it is under.
    package var keyEpoch: Int
    /// ChaChaPoly: nonce, ciphertext and tag.
    package var sealed: [UInt8]
    package var status: RowStatus
    package static let sealedLimit = 8192

    package init(
        id: CredentialID, provider: ProviderID, version: Int, keyEpoch: Int, sealed: [UInt8], status: RowStatus
    ) {
        self.id = id
        self.provider = provider
        self.version = version
        self.keyEpoch = keyEpoch
        self.sealed = sealed
        self.status = status
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: CredentialID?, provider: ProviderID?, status: RowStatus?
        self.version = 0
        self.keyEpoch = 0
        self.sealed = []
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("credential.id")
            case 2: provider = try reader.identifier("credential.provider")
            case 3: self.version = try reader.integer(in: 1...Int(Int32.max), "credential.version")
            case 4: self.keyEpoch = try reader.integer(in: 1...Int(Int32.max), "credential.key_epoch")
            case 5: self.sealed = try reader.bytes(limit: Self.sealedLimit, "credential.sealed")
            case 6: status = try reader.enumeration("credential.status")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("credential.id") }
        guard let provider else { throw .missing("credential.provider") }
        guard let status else { throw .missing("credential.status") }
        guard self.version > 0 else { throw .missing("credential.version") }
        guard self.keyEpoch > 0 else { throw .missing("credential.key_epoch") }
        self.id = id
        self.provider = provider
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.identifier(2, self.provider)
        writer.integer(3, self.version)
        writer.integer(4, self.keyEpoch)
        writer.bytes(5, self.sealed)
        writer.enumeration(6, self.status)
    }
}

/// A model of a provider, under the provider's own name.
package struct ModelRow: SnapshotRow, Hashable {
    package static let type = ChunkType.models
    package var id: ModelID
    package var provider: ProviderID
    package var name: String
    /// Tokens that prompt and answer may have together; 0 when not known.
    package var contextWindow: Int
    /// Tokens an answer may have; 0 when not known.
    package var maxOutput: Int
    package var status: RowStatus
    package static let nameLimit = 200

    package init(
        id: ModelID, provider: ProviderID, name: String, contextWindow: Int, maxOutput: Int, status: RowStatus
    ) {
        self.id = id
        self.provider = provider
        self.name = name
        self.contextWindow = contextWindow
        self.maxOutput = maxOutput
        self.status = status
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: ModelID?, provider: ProviderID?, status: RowStatus?
        self.name = ""
        self.contextWindow = 0
        self.maxOutput = 0
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("model.id")
            case 2: provider = try reader.identifier("model.provider")
            case 3: self.name = try reader.text(limit: Self.nameLimit, "model.name")
            case 4: self.contextWindow = try reader.integer(in: 0...Int(Int32.max), "model.context_window")
            case 5: self.maxOutput = try reader.integer(in: 0...Int(Int32.max), "model.max_output")
            case 6: status = try reader.enumeration("model.status")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("model.id") }
        guard let provider else { throw .missing("model.provider") }
        guard let status else { throw .missing("model.status") }
        guard !self.name.isEmpty else { throw .missing("model.name") }
        self.id = id
        self.provider = provider
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.identifier(2, self.provider)
        writer.text(3, self.name)
        writer.integer(4, self.contextWindow)
        writer.integer(5, self.maxOutput)
        writer.enumeration(6, self.status)
    }
}

/// Where a route may send a request.
package struct RouteTarget: WireMessage, Hashable {
    package var model: ModelID
    package var credential: CredentialID?
    /// Targets of the lowest order are tried first.
    package var order: Int
    /// Share among targets of the same order; 0 never gets a first attempt.
    package var weight: Int

    package init(model: ModelID, credential: CredentialID?, order: Int, weight: Int) {
        self.model = model
        self.credential = credential
        self.order = order
        self.weight = weight
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var model: ModelID?
        self.credential = nil
        self.order = 0
        self.weight = 0
        while let field = try reader.next() {
            switch field {
            case 1: model = try reader.identifier("target.model")
            case 2: self.credential = try reader.identifier("target.credential")
            case 3: self.order = try reader.integer(in: 0...100, "target.order")
            case 4: self.weight = try reader.integer(in: 0...10_000, "target.weight")
            default: try reader.skip()
            }
        }
        guard let model else { throw .missing("target.model") }
        self.model = model
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.model)
        writer.identifier(2, self.credential)
        writer.integer(3, self.order)
        writer.integer(4, self.weight)
    }
}

/// A public model alias, visible at a node and below it.
package struct RouteRow: SnapshotRow, Hashable {
    package static let type = ChunkType.routes
    package var id: RouteID
    /// Nil when the route belongs to the instance.
    package var node: NodeID?
    package var alias: String
    package var targets: [RouteTarget]
    package var status: RowStatus
    package static let targetsLimit = 32

    package init(id: RouteID, node: NodeID?, alias: String, targets: [RouteTarget], status: RowStatus) {
        self.id = id
        self.node = node
        self.alias = alias
        self.targets = targets
        self.status = status
    }

    package var sortKey: [UInt8] { self.id.bytes }

    package init(from reader: inout WireReader) throws(WireError) {
        var id: RouteID?, status: RowStatus?
        self.node = nil
        self.alias = ""
        self.targets = []
        while let field = try reader.next() {
            switch field {
            case 1: id = try reader.identifier("route.id")
            case 2: self.node = try reader.identifier("route.node")
            case 3: self.alias = try reader.text(limit: PolicyRow.aliasLimit, "route.alias")
            case 4:
                guard self.targets.count < Self.targetsLimit else { throw .invalid("route.targets") }
                self.targets.append(try reader.value())
            case 5: status = try reader.enumeration("route.status")
            default: try reader.skip()
            }
        }
        guard let id else { throw .missing("route.id") }
        guard let status else { throw .missing("route.status") }
        guard !self.alias.isEmpty else { throw .missing("route.alias") }
        self.id = id
        self.status = status
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.id)
        writer.identifier(2, self.node)
        writer.text(3, self.alias)
        for target in self.targets { writer.message(4, target) }
        writer.enumeration(5, self.status)
    }
}
