import Crypto
import DataPlane
import Shared
import TestKit

/// A small valid document, and what compiles it.
struct PolicyFixture {
    var random: SeededRandom
    var document = SnapshotDocument()
    let deployment: DeploymentID
    let group: GatewayGroupID
    let key = SymmetricKey(size: .bits256)
    static let secret = "sk-canary-5f2b0e7c"

    var organization: NodeID { self.document.nodes[0].id }
    var project: NodeID { self.document.nodes[2].id }

    init(_ purpose: StaticString) throws {
        self.random = SeededRandom(purpose)
        self.deployment = Self.id(&self.random)
        self.group = Self.id(&self.random)
        let organization: NodeID = self.id()
        let unit: NodeID = self.id()
        let project: NodeID = self.id()
        self.document.nodes = [
            NodeRow(id: organization, kind: .organization, parent: nil, status: .active),
            NodeRow(id: unit, kind: .unit, parent: organization, status: .active),
            NodeRow(id: project, kind: .project, parent: unit, status: .active),
        ]
        let provider: ProviderID = self.id()
        self.document.providers = [
            ProviderRow(id: provider, kind: .openAI, baseURL: "https://api.example.com/v1", status: .active)
        ]
        self.document.credentials = [try self.credential(of: provider)]
        let model: ModelID = self.id()
        self.document.models = [
            ModelRow(id: model, provider: provider, name: "m\"1", contextWindow: 10, maxOutput: 5, status: .active)
        ]
        let target = RouteTarget(model: model, credential: self.document.credentials[0].id, order: 0, weight: 1)
        self.document.routes = [
            RouteRow(id: self.id(), node: organization, alias: "fast", targets: [target], status: .active)
        ]
        self.document.policies = [PolicyRow(id: self.id(), models: ["fast"], networks: [])]
        self.document.owners = [OwnerRow(id: Self.uuid(&self.random), status: .active)]
        self.document.keys = [self.keyRow(project: project)]
        self.document.keys[0].owner = self.document.owners[0].id
        self.document.keys[0].policy = self.document.policies[0].id
        self.document.prices = [
            PriceRow(id: self.id(), model: model, effective: Timestamp(microseconds: 10), items: []),
            PriceRow(id: self.id(), model: model, effective: Timestamp(microseconds: 5), items: []),
        ]
    }

    static func uuid(_ random: inout SeededRandom) -> UUIDValue {
        UUIDValue(high: random.next() | 1, low: random.next())
    }
    static func id<Kind: IdentifierKind>(_ random: inout SeededRandom) -> Identifier<Kind> {
        Identifier(Self.uuid(&random))
    }
    mutating func id<Kind: IdentifierKind>() -> Identifier<Kind> { Self.id(&self.random) }
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self.random) }

    mutating func digest() -> [UInt8] { (0..<32).map { _ in UInt8.random(in: 0...255, using: &self.random) } }

    mutating func keyRow(project: NodeID) -> KeyRow {
        KeyRow(
            digest: self.digest(), key: self.id(), project: project, owner: nil, policy: nil, expires: nil,
            status: .active)
    }

    mutating func credential(of provider: ProviderID, secret: String = Self.secret) throws -> CredentialRow {
        let id: CredentialID = self.id()
        let sealed = try SealedCredential.seal(
            Array(secret.utf8), key: self.key, deployment: self.deployment, group: self.group, credential: id,
            version: 1)
        return CredentialRow(id: id, provider: provider, version: 1, keyEpoch: 1, sealed: sealed, status: .active)
    }

    func manifest(_ chunks: [ChunkReference] = []) -> Manifest {
        Manifest(
            deployment: self.deployment, group: self.group, version: SnapshotVersion(epoch: 1, version: 1),
            created: Timestamp(microseconds: 0), previous: [], keyringEpoch: 1, limits: .init(), chunks: chunks)
    }

    func compile(key: SymmetricKey? = nil) throws -> PolicyIndex {
        try PolicyCompiler.compile(
            self.document, manifest: self.manifest(), manifestSHA256: [1], keyEncryptionKey: key ?? self.key,
            leases: LeaseTable())
    }
}

extension PolicyIndex {
    func route(named alias: String, at node: NodeID) -> RouteID? {
        let handle = self.nodes.firstIndex { $0.id == node }.map { Handle($0) } ?? -1
        let bytes = Array(alias.utf8)
        let route = self.route(alias: self.alias(bytes.span), at: handle)
        return route < 0 ? nil : self.routes[Int(route)].id
    }
}
