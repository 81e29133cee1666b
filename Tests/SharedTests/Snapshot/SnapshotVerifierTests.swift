import Crypto
import Shared
import Testing

@Suite struct SnapshotVerifierTests {
    private var world = World("verifier")
    private let version = SnapshotVersion(epoch: 2, version: 5)
    private let manifestBytes: [UInt8]
    private let keyringBytes: [UInt8]

    init() {
        self.manifestBytes = World.sign(.manifest, self.world.manifest(self.version).wireBytes, self.world.config)
        self.keyringBytes = World.sign(.keyring, self.world.keyring().wireBytes, self.world.config)
    }

    private func statement() -> TimestampStatement {
        self.world.statement(self.version, manifest: self.manifestBytes, keyring: self.keyringBytes)
    }

    private func timestamp(_ statement: TimestampStatement, by key: SigningKey? = nil) -> [UInt8] {
        World.sign(.timestamp, statement.wireBytes, key ?? self.world.freshness)
    }

    private func highWater() -> SnapshotHighWater {
        var mark = SnapshotHighWater()
        mark.version = self.version
        mark.manifest = Array(SHA256.hash(data: self.manifestBytes))
        mark.sequence = 10
        mark.keyringEpoch = 3
        mark.rootVersion = 1
        return mark
    }

    /// What the verifier says of a timestamp that differs in one thing.
    private func said(
        _ mark: SnapshotHighWater? = nil, now: Timestamp? = nil, by key: SigningKey? = nil,
        _ change: (inout TimestampStatement) -> Void = { _ in }
    ) -> SnapshotError.Code? {
        var statement = self.statement()
        change(&statement)
        return code {
            try self.world.verifier.timestamp(
                self.timestamp(statement, by: key), highWater: mark ?? self.highWater(), now: now ?? self.world.now)
        }
    }

    @Test func `what the right keys signed is accepted, also again`() throws {
        let verifier = self.world.verifier
        let bytes = self.timestamp(self.statement())
        for mark in [SnapshotHighWater(), self.highWater()] {
            #expect(try verifier.timestamp(bytes, highWater: mark, now: self.world.now) == self.statement())
        }
        let manifest = try verifier.manifest(self.manifestBytes, for: self.statement())
        #expect(manifest.version == self.version)
        #expect(try verifier.keyring(self.keyringBytes, for: self.statement()).epoch == 3)
    }

    @Test func `what is older than something seen is a rollback`() {
        #expect(self.said { $0.sequence = 9 } == .rollback)
        #expect(self.said { $0.version.version = 4 } == .rollback)
        #expect(self.said { $0.version = SnapshotVersion(epoch: 1, version: 99) } == .rollback)
        #expect(self.said { $0.keyringEpoch = 2 } == .rollback)
        var mark = self.highWater()
        mark.rootVersion = 2
        #expect(self.said(mark) == .rollback)
        // Newer in every way; a restored database opens an epoch and begins to count again.
        #expect(self.said { $0.sequence = 11 } == nil)
        #expect(self.said { $0.version.version = 6 } == nil)
        #expect(
            self.said {
                $0.version = SnapshotVersion(epoch: 3, version: 1)
                $0.manifest = [UInt8](repeating: 1, count: 32)
            } == nil)
    }

    @Test func `another manifest at the same version is a fork`() {
        #expect(self.said { $0.manifest = [UInt8](repeating: 1, count: 32) } == .rollback)
        var mark = self.highWater()
        mark.manifest = []
        #expect(self.said(mark) { $0.manifest = [UInt8](repeating: 1, count: 32) } == nil)
    }

    @Test func `an expired timestamp is refused where there is a clock`() throws {
        let end = self.world.now.adding(seconds: TimestampStatement.lifetime)
        #expect(self.said(now: end) == .expired)
        #expect(self.said(now: end.adding(seconds: -1)) == nil)
        #expect(self.said { $0.expires = Timestamp(microseconds: .min) } == .expired)
        let bytes = self.timestamp(self.statement())
        #expect(try self.world.verifier.timestamp(bytes, highWater: self.highWater(), now: nil) == self.statement())
    }

    @Test func `another deployment's or group's documents are misdirected`() {
        var sampler = Sampler("strangers")
        let deployment: DeploymentID = sampler.id()
        let group: GatewayGroupID = sampler.id()
        #expect(self.said { $0.deployment = deployment } == .misdirected)
        #expect(self.said { $0.group = group } == .misdirected)
        var manifest = sampler.manifest()
        manifest.version = self.version
        for (ofDeployment, ofGroup) in [(deployment, self.world.group), (self.world.deployment, group)] {
            manifest.deployment = ofDeployment
            manifest.group = ofGroup
            let bytes = World.sign(.manifest, manifest.wireBytes, self.world.config)
            let keyring = World.sign(
                .keyring, Keyring(deployment: ofDeployment, group: ofGroup, epoch: 3).wireBytes, self.world.config)
            let statement = self.world.statement(self.version, manifest: bytes, keyring: keyring)
            #expect(code { try self.world.verifier.manifest(bytes, for: statement) } == .misdirected)
            #expect(code { try self.world.verifier.keyring(keyring, for: statement) } == .misdirected)
        }
    }

    @Test func `wrong keys, wrong roles, wrong types and no signature are untrusted`() {
        let payload = self.statement().wireBytes
        for key in [self.world.config, self.world.rootKeys[0], SigningKey()] {
            #expect(self.said(by: key) == .untrusted)
        }
        let key = self.world.freshness
        for type in PayloadType.allCases where type != .timestamp {
            let bytes = World.sign(type, payload, key)
            #expect(
                code { try self.world.verifier.timestamp(bytes, highWater: .init(), now: self.world.now) } == .untrusted
            )
        }
        let bare = World.sign(.timestamp, payload)
        #expect(code { try self.world.verifier.timestamp(bare, highWater: .init(), now: nil) } == .untrusted)
        for key in [self.world.freshness, self.world.rootKeys[0], SigningKey()] {
            let manifest = World.sign(.manifest, payload, key)
            let keyring = World.sign(.keyring, self.world.keyring().wireBytes, key)
            let statement = self.world.statement(self.version, manifest: manifest, keyring: keyring)
            #expect(code { try self.world.verifier.manifest(manifest, for: statement) } == .untrusted)
            #expect(code { try self.world.verifier.keyring(keyring, for: statement) } == .untrusted)
        }
        // A manifest passed off as a keyring, and the other way round, by the key that may sign both.
        let statement = self.world.statement(self.version, manifest: self.keyringBytes, keyring: self.manifestBytes)
        #expect(code { try self.world.verifier.manifest(self.keyringBytes, for: statement) } == .untrusted)
        #expect(code { try self.world.verifier.keyring(self.manifestBytes, for: statement) } == .untrusted)
    }

    @Test func `no cut or changed byte of a signed document is accepted as another`() throws {
        let verifier = self.world.verifier
        let bytes = self.timestamp(self.statement())
        for count in 0..<bytes.count {
            #expect(code { try verifier.timestamp(Array(bytes[..<count]), highWater: .init(), now: nil) } != nil)
        }
        for index in bytes.indices {
            for bit in [UInt8(1), 0x10, 0x80] {
                var changed = bytes
                changed[index] ^= bit
                #expect(
                    (try? verifier.timestamp(changed, highWater: .init(), now: nil)).map { $0 == self.statement() }
                        != false)
            }
        }
        for count in stride(from: 0, to: self.manifestBytes.count, by: 3) {
            let cut = Array(self.manifestBytes[..<count])
            #expect(code { try verifier.manifest(cut, for: self.statement()) } == .corrupt)
            #expect(code { try verifier.keyring(cut, for: self.statement()) } == .corrupt)
            // Even where the timestamp names exactly these bytes.
            let statement = self.world.statement(self.version, manifest: cut, keyring: cut)
            #expect(code { try verifier.manifest(cut, for: statement) } != nil)
        }
    }

    @Test func `a document that is too large is not looked at`() {
        let large = [UInt8](repeating: 0, count: TimestampStatement.sizeLimit + 1)
        #expect(code { try self.world.verifier.timestamp(large, highWater: .init(), now: nil) } == .oversize)
        let larger = [UInt8](repeating: 0, count: Manifest.sizeLimit + 4097)
        #expect(code { try self.world.verifier.manifest(larger, for: self.statement()) } == .oversize)
        #expect(code { try self.world.verifier.keyring(larger, for: self.statement()) } == .oversize)
    }

    @Test func `a manifest must be what the timestamp says and what this build can serve`() {
        func said(_ change: (inout Manifest) -> Void) -> SnapshotError.Code? {
            var world = self.world
            var manifest = world.manifest(self.version)
            change(&manifest)
            let bytes = World.sign(.manifest, manifest.wireBytes, world.config)
            let statement = world.statement(self.version, manifest: bytes, keyring: self.keyringBytes)
            return code { try world.verifier.manifest(bytes, for: statement) }
        }
        #expect(said { _ in } == nil)
        #expect(said { $0.version.version += 1 } == .corrupt)
        #expect(said { $0.version.epoch += 1 } == .corrupt)
        #expect(said { $0.schema = Manifest.schemaKnown + 1 } == .incompatible)
        #expect(said { $0.minimumBuild = Manifest.build + 1 } == .incompatible)
        #expect(said { $0.chunks.append($0.chunks[0]) } == .invalid)
        let wrong = World.sign(.keyring, self.world.keyring(4).wireBytes, self.world.config)
        let statement = self.world.statement(self.version, manifest: self.manifestBytes, keyring: wrong)
        #expect(code { try self.world.verifier.keyring(wrong, for: statement) } == .corrupt)
        // A field that this build does not know may be a restriction.
        for payload in [self.statement().wireBytes + [0xF8, 0x05, 1]] {
            let bytes = World.sign(.timestamp, payload, self.world.freshness)
            #expect(
                code { try self.world.verifier.timestamp(bytes, highWater: .init(), now: nil) } == .incompatible)
        }
    }
}

@Suite struct TrustRootTests {
    private let world = World("roots")

    private func next(
        _ version: Int = 2, deployment: DeploymentID? = nil, keys: [SigningKey], threshold: Int = 2,
        by signers: [SigningKey], as type: PayloadType = .root
    ) -> SnapshotError.Code? {
        let root = World.root(
            deployment ?? self.world.deployment, version: version, root: keys, threshold: threshold,
            config: SigningKey(), timestamp: SigningKey())
        var verifier = self.world.verifier
        let before = verifier.root
        let result = code {
            try verifier.advance(root: Envelope(type, payload: root.wireBytes, keys: signers)?.wireBytes ?? [])
        }
        #expect(verifier.root == (result == nil ? root : before), "a refused root leaves the old one")
        return result
    }

    @Test func `trust passes on with both thresholds, and only with both`() {
        let old = self.world.rootKeys
        let new = [SigningKey(), SigningKey(), SigningKey()]
        #expect(self.next(keys: new, by: [old[0], old[2], new[1], new[2]]) == nil)
        #expect(self.next(keys: old, by: [old[0], old[1]]) == nil)
        #expect(self.next(keys: [old[0], new[0]], by: [old[0], old[1], new[0]]) == nil)
        #expect(self.next(keys: new, by: [old[0], old[2]]) == .untrusted)
        #expect(self.next(keys: new, by: new) == .untrusted)
        #expect(self.next(keys: new, by: [old[0], new[0], new[1]]) == .untrusted)
        #expect(self.next(keys: new, by: [old[0], old[1], new[0]]) == .untrusted)
        #expect(self.next(keys: new, by: []) == .untrusted)
        // One key twice is one key.
        #expect(self.next(keys: new, by: [old[0], old[0], new[0], new[1]]) == .untrusted)
        #expect(self.next(keys: new, by: [old[0], old[1], new[1], new[1]]) == .untrusted)
        // Keys of another role are no root keys.
        #expect(self.next(keys: new, by: [old[0], self.world.config, new[0], new[1]]) == .untrusted)
        #expect(self.next(keys: new, by: [old[0], old[1], new[0], new[1]], as: .manifest) == .untrusted)
    }

    @Test func `a root of another place or step is refused`() {
        var sampler = Sampler("other roots")
        let old = self.world.rootKeys
        #expect(self.next(1, keys: old, by: old) == .rollback)
        #expect(self.next(3, keys: old, by: old) == .invalid)
        #expect(self.next(2, deployment: sampler.id(), keys: old, by: old) == .misdirected)
        var verifier = self.world.verifier
        let newer = World.sign(.root, self.world.root.wireBytes + [0xF8, 0x05, 1], old[0], old[1])
        #expect(code { try verifier.advance(root: newer) } == .incompatible)
        #expect(code { try verifier.advance(root: [1, 2, 3]) } == .invalid)
        #expect(code { try verifier.advance(root: []) } == .invalid)
    }

    @Test func `the first root is the pinned one and signs itself`() throws {
        let payload = self.world.root.wireBytes
        let pin = Array(SHA256.hash(data: payload))
        let keys = self.world.rootKeys
        let good = try #require(Envelope(.root, payload: payload, keys: [keys[0], keys[1]]))
        #expect(try TrustRoot.pinned(good, sha256: pin) == self.world.root)
        #expect(code { try TrustRoot.pinned(good, sha256: [UInt8](repeating: 0, count: 32)) } == .untrusted)
        #expect(code { try TrustRoot.pinned(good, sha256: []) } == .untrusted)
        let weak = try #require(Envelope(.root, payload: payload, keys: [keys[0]]))
        #expect(code { try TrustRoot.pinned(weak, sha256: pin) } == .untrusted)
        let other = try #require(Envelope(.manifest, payload: payload, keys: keys))
        #expect(code { try TrustRoot.pinned(other, sha256: pin) } == .untrusted)
    }

    @Test func `each role opens its own documents and no assertion`() {
        let root = self.world.root
        for type in PayloadType.allCases {
            for (key, types) in [
                (self.world.config, [PayloadType.manifest, .keyring]),
                (self.world.freshness, [.timestamp, .usageReply, .leaseReply, .enrolmentReply, .time]),
            ] {
                let envelope = Envelope(type, payload: [1, 2], keys: [key])
                #expect((envelope.flatMap { root.open($0, as: type) } != nil) == types.contains(type))
            }
        }
        let all = self.world.rootKeys + [self.world.config, self.world.freshness]
        let assertion = Envelope(.assertion, payload: [1], keys: all)
        #expect(assertion.flatMap { root.open($0, as: .assertion) } == nil)
    }
}
