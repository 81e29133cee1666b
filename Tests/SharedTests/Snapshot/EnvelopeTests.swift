import Crypto
import Shared
import Testing

@Suite struct EnvelopeTests {
    @Test func `a signature is over the bytes that DSSE names`() throws {
        let key = SigningKey()
        let envelope = try #require(Envelope(.root, payload: Array("hello world".utf8), keys: [key]))
        let type = PayloadType.root.rawValue
        let message = Array("DSSEv1 \(type.utf8.count) \(type) 11 hello world".utf8)
        let raw = try Curve25519.Signing.PublicKey(rawRepresentation: key.publicKey.bytes)
        #expect(raw.isValidSignature(envelope.signatures[0].bytes, for: message))
        #expect(envelope.signatures[0].keyID == Array(SHA256.hash(data: key.publicKey.bytes)))
    }

    @Test func `thresholds count different keys`() throws {
        let keys = [SigningKey(), SigningKey(), SigningKey()]
        let known = keys.map(\.publicKey)
        let envelope = try #require(Envelope(.root, payload: [1], keys: [keys[0], keys[0], keys[1], SigningKey()]))
        #expect(envelope.verify(.root, keys: known, threshold: 2))
        #expect(!envelope.verify(.root, keys: known, threshold: 3))
        #expect(!envelope.verify(.root, keys: known, threshold: 0))
        #expect(!envelope.verify(.root, keys: known, threshold: -1))
        #expect(!envelope.verify(.root, keys: [], threshold: 1))
        #expect(!envelope.verify(.manifest, keys: known, threshold: 1))
        // The same key listed twice is one key.
        #expect(!envelope.verify(.root, keys: [known[0], known[0]], threshold: 2))
        var other = envelope
        other.payload = [2]
        #expect(!other.verify(.root, keys: known, threshold: 1))
        other = envelope
        other.payloadType = PayloadType.manifest.rawValue
        #expect(!other.verify(.manifest, keys: known, threshold: 1))
        #expect(!other.verify(.root, keys: known, threshold: 1))
    }

    @Test func `a signature under another key's name, or of no bytes, counts for nothing`() throws {
        let keys = [SigningKey(), SigningKey()]
        let envelope = try #require(Envelope(.root, payload: [1], keys: keys))
        func forge(_ signature: [UInt8], _ id: [UInt8]) throws -> Envelope {
            var writer = WireWriter()
            writer.bytes(1, [1])
            writer.text(2, PayloadType.root.rawValue)
            writer.message(3) {
                $0.bytes(1, signature)
                $0.bytes(2, id)
            }
            return try Envelope(wire: writer.bytes)
        }
        let known = keys.map(\.publicKey)
        let good = try forge(envelope.signatures[0].bytes, known[0].id)
        #expect(good.verify(.root, keys: known, threshold: 1))
        #expect(try !forge(envelope.signatures[0].bytes, known[1].id).verify(.root, keys: known, threshold: 1))
        #expect(try !forge([], known[0].id).verify(.root, keys: known, threshold: 1))
        #expect(try !forge([UInt8](repeating: 0, count: 64), known[0].id).verify(.root, keys: known, threshold: 1))
        #expect(VerifyingKey(bytes: []) == nil && VerifyingKey(bytes: [UInt8](repeating: 1, count: 31)) == nil)
    }
}

@Suite struct KeyringTests {
    private let key = SymmetricKey(size: .bits256)
    private let gateways = [GatewayID(UUIDValue(high: 1, low: 1)), GatewayID(UUIDValue(high: 1, low: 2))]
    private let privateKeys = [Curve25519.KeyAgreement.PrivateKey(), Curve25519.KeyAgreement.PrivateKey()]
    private let deployment = DeploymentID(UUIDValue(high: 2, low: 1))
    private let group = GatewayGroupID(UUIDValue(high: 3, low: 1))

    private func keyring() throws -> Keyring {
        var keyring = Keyring(deployment: self.deployment, group: self.group, epoch: 4)
        for (gateway, key) in zip(self.gateways, self.privateKeys) {
            try keyring.seal(self.key, to: gateway, publicKey: Array(key.publicKey.rawRepresentation))
        }
        return keyring
    }

    @Test func `a keyring opens for its gateways, each with its own key`() throws {
        let keyring = try Keyring(wire: try self.keyring().wireBytes)
        for (gateway, key) in zip(self.gateways, self.privateKeys) {
            #expect(keyring.open(for: gateway, privateKey: key) == self.key)
        }
        #expect(keyring.open(for: self.gateways[0], privateKey: self.privateKeys[1]) == nil)
        #expect(keyring.open(for: self.gateways[1], privateKey: self.privateKeys[0]) == nil)
        #expect(keyring.open(for: GatewayID(UUIDValue(high: 1, low: 3)), privateKey: self.privateKeys[0]) == nil)
    }

    @Test func `an entry does not open under another gateway, group, deployment or epoch`() throws {
        let good = try self.keyring()
        func opens(_ change: (inout Keyring) -> Void) -> Bool {
            var copy = good
            change(&copy)
            return copy.open(for: self.gateways[0], privateKey: self.privateKeys[0]) == self.key
        }
        #expect(opens { _ in })
        #expect(!opens { $0.epoch = 5 })
        #expect(!opens { $0.group = GatewayGroupID(UUIDValue(high: 3, low: 2)) })
        #expect(!opens { $0.deployment = DeploymentID(UUIDValue(high: 2, low: 2)) })
        #expect(!opens { $0.entries.removeFirst() })
        #expect(!opens { $0.entries[0].gateway = self.gateways[1] })
        #expect(!opens { $0.entries[0].encapsulated = $0.entries[1].encapsulated })
        for index in 0..<48 { #expect(!opens { $0.entries[0].sealed[index] ^= 1 }) }
        #expect(!opens { $0.entries[0].sealed = [] })
        #expect(!opens { $0.entries[0].encapsulated = [] })
        // The other gateway cannot read it under the first one's name.
        var renamed = good
        renamed.entries[0].gateway = self.gateways[1]
        renamed.entries.removeLast()
        #expect(renamed.open(for: self.gateways[1], privateKey: self.privateKeys[0]) == nil)
    }

    @Test func `the key does not stand in the keyring, nor a bad public key`() throws {
        let bytes = try self.keyring().wireBytes
        let secret = self.key.withUnsafeBytes { Array($0) }
        #expect(!bytes.indices.contains { bytes[$0...].starts(with: secret) })
        var keyring = try self.keyring()
        #expect(throws: (any Error).self) { try keyring.seal(self.key, to: self.gateways[0], publicKey: [1, 2]) }
        #expect(keyring.entries.count == 2)
    }

    @Test func `a credential opens as itself only`() throws {
        var sampler = Sampler("credentials")
        let credential: CredentialID = sampler.id()
        let secret = Array("sk-provider-secret".utf8)
        let sealed = try SealedCredential.seal(
            secret, key: self.key, deployment: self.deployment, group: self.group, credential: credential, version: 3)
        func opened(
            _ bytes: [UInt8]? = nil, key: SymmetricKey? = nil, deployment: DeploymentID? = nil,
            group: GatewayGroupID? = nil, credential other: CredentialID? = nil, version: Int = 3
        ) -> [UInt8]? {
            SealedCredential.open(
                bytes ?? sealed, key: key ?? self.key, deployment: deployment ?? self.deployment,
                group: group ?? self.group, credential: other ?? credential, version: version
            )?.reveal()
        }
        #expect(opened() == secret)
        #expect(opened(key: SymmetricKey(size: .bits256)) == nil)
        #expect(opened(deployment: sampler.id()) == nil)
        #expect(opened(group: sampler.id()) == nil)
        #expect(opened(credential: sampler.id()) == nil)
        #expect(opened(version: 2) == nil && opened(version: 33) == nil)
        #expect(opened([]) == nil)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 0x40
            #expect(opened(changed) == nil)
            #expect(opened(Array(sealed[..<index])) == nil)
        }
        #expect(!sealed.indices.contains { sealed[$0...].starts(with: secret) })
    }
}
