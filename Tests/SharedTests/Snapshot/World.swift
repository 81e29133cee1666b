import Crypto
import Shared

/// A deployment of one gateway group, with all its keys, for tests that play the control plane.
struct World {
    var sampler: Sampler
    let deployment: DeploymentID
    let group: GatewayGroupID
    let rootKeys = [SigningKey(), SigningKey(), SigningKey()]
    var config = SigningKey()
    var freshness = SigningKey()
    var rootVersion = 1
    let now = Timestamp(microseconds: 1_700_000_000_000_000)

    init(_ purpose: StaticString) {
        self.sampler = Sampler(purpose)
        self.deployment = self.sampler.id()
        self.group = self.sampler.id()
    }

    static func role(_ threshold: Int, _ keys: [SigningKey]) -> TrustRoot.Role {
        TrustRoot.Role(threshold: threshold, keyIDs: keys.map(\.publicKey.id))
    }

    static func root(
        _ deployment: DeploymentID, version: Int, root: [SigningKey], threshold: Int, config: SigningKey,
        timestamp: SigningKey
    ) -> TrustRoot {
        let keys = (root + [config, timestamp]).map(\.publicKey)
        return TrustRoot(
            deployment: deployment, version: version, keys: keys, root: Self.role(threshold, root),
            config: Self.role(1, [config]), timestamp: Self.role(1, [timestamp]))
    }

    var root: TrustRoot {
        Self.root(
            self.deployment, version: self.rootVersion, root: self.rootKeys, threshold: 2, config: self.config,
            timestamp: self.freshness)
    }

    var verifier: SnapshotVerifier { SnapshotVerifier(root: self.root, group: self.group) }

    static func sign(_ type: PayloadType, _ payload: [UInt8], _ keys: SigningKey...) -> [UInt8] {
        Envelope(type, payload: payload, keys: keys)?.wireBytes ?? []
    }

    mutating func manifest(_ version: SnapshotVersion) -> Manifest {
        Manifest(
            deployment: self.deployment, group: self.group, version: version, created: self.now, previous: [],
            keyringEpoch: 3, limits: .init(), chunks: self.sampler.many(1...3) { $0.reference() })
    }

    func keyring(_ epoch: Int = 3) -> Keyring {
        Keyring(deployment: self.deployment, group: self.group, epoch: epoch)
    }

    func statement(
        _ version: SnapshotVersion, sequence: Int = 10, manifest: [UInt8], keyringEpoch: Int = 3, keyring: [UInt8],
        rootVersion: Int = 1
    ) -> TimestampStatement {
        TimestampStatement(
            deployment: self.deployment, group: self.group, sequence: sequence, issued: self.now, version: version,
            manifest: Array(SHA256.hash(data: manifest)), keyringEpoch: keyringEpoch,
            keyring: Array(SHA256.hash(data: keyring)), rootVersion: rootVersion)
    }
}

/// The code of the error that `body` throws; nil when it throws none.
func code<Value>(_ body: () throws -> Value) -> SnapshotError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? SnapshotError)?.code
    }
}
