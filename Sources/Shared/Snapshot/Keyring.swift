package import Crypto
import FoundationEssentials

/// A gateway group's key-encryption key, sealed to each of its gateways (HPKE, RFC 9180: X25519, HKDF-SHA256,
/// ChaCha20-Poly1305).
///
/// A snapshot and its keyring without a gateway's private key are ciphertext.
package struct Keyring: WireMessage, Equatable {
    package struct Entry: Sendable, Equatable {
        package var gateway: GatewayID
        /// HPKE's encapsulated key, 32 bytes.
        package var encapsulated: [UInt8]
        /// The sealed key-encryption key.
        package var sealed: [UInt8]
    }

    package var deployment: DeploymentID
    package var group: GatewayGroupID
    package var epoch: Int
    package var entries: [Entry]

    package static let entriesLimit = 1500

    package init(deployment: DeploymentID, group: GatewayGroupID, epoch: Int) {
        self.deployment = deployment
        self.group = group
        self.epoch = epoch
        self.entries = []
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var deployment: DeploymentID?, group: GatewayGroupID?
        self.epoch = 0
        self.entries = []
        while let field = try reader.next() {
            switch field {
            case 1: deployment = try reader.identifier("keyring.deployment")
            case 2: group = try reader.identifier("keyring.group")
            case 3: self.epoch = try reader.integer(in: 1...Int(Int32.max), "keyring.epoch")
            case 4:
                guard self.entries.count < Self.entriesLimit else { throw .invalid("keyring.entries") }
                var nested = try reader.message()
                var gateway: GatewayID?
                var encapsulated: [UInt8] = []
                var sealed: [UInt8] = []
                while let field = try nested.next() {
                    switch field {
                    case 1: gateway = try nested.identifier("keyring.gateway")
                    case 2: encapsulated = try nested.bytes(count: 32, "keyring.encapsulated")
                    case 3: sealed = try nested.bytes(count: 48, "keyring.sealed")
                    default: try nested.skip()
                    }
                }
                guard let gateway else { throw .missing("keyring.gateway") }
                self.entries.append(Entry(gateway: gateway, encapsulated: encapsulated, sealed: sealed))
            default: try reader.skip()
            }
        }
        guard let deployment else { throw .missing("keyring.deployment") }
        guard let group else { throw .missing("keyring.group") }
        guard self.epoch > 0 else { throw .missing("keyring.epoch") }
        self.deployment = deployment
        self.group = group
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.deployment)
        writer.identifier(2, self.group)
        writer.integer(3, self.epoch)
        for entry in self.entries {
            writer.message(4) {
                $0.identifier(1, entry.gateway)
                $0.bytes(2, entry.encapsulated)
                $0.bytes(3, entry.sealed)
            }
        }
    }

    private static let suite = HPKE.Ciphersuite.Curve25519_SHA256_ChachaPoly
    private static let info = Array("gatehouse keyring v1".utf8)

    private func context(_ gateway: GatewayID) -> [UInt8] {
        Array("\(self.deployment)|\(self.group)|\(self.epoch)|\(gateway)".utf8)
    }

    /// Adds an entry for a gateway whose X25519 public key is given; throws what the cryptographic library says of a
    /// bad key.
    package mutating func seal(_ key: SymmetricKey, to gateway: GatewayID, publicKey: [UInt8]) throws {
        let recipient = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey)
        var sender = try HPKE.Sender(recipientKey: recipient, ciphersuite: Self.suite, info: .init(Self.info))
        let plain = key.withUnsafeBytes { Array($0) }
        let sealed = try sender.seal(plain, authenticating: self.context(gateway))
        self.entries.append(
            Entry(gateway: gateway, encapsulated: Array(sender.encapsulatedKey), sealed: Array(sealed))
        )
    }

    /// The group's key-encryption key, for the gateway that holds `privateKey`; nil when it has no good entry.
    package func open(for gateway: GatewayID, privateKey: Curve25519.KeyAgreement.PrivateKey) -> SymmetricKey? {
        guard let entry = self.entries.first(where: { $0.gateway == gateway }),
            var recipient = try? HPKE.Recipient(
                privateKey: privateKey, ciphersuite: Self.suite, info: .init(Self.info),
                encapsulatedKey: .init(entry.encapsulated)
            ),
            let plain = try? recipient.open(entry.sealed, authenticating: self.context(gateway))
        else { return nil }
        return SymmetricKey(data: plain)
    }
}

/// A credential's secret under a group's key-encryption key (ChaCha20-Poly1305, RFC 8439).
package enum SealedCredential {
    private static func context(
        _ deployment: DeploymentID, _ group: GatewayGroupID, _ credential: CredentialID, _ version: Int
    ) -> [UInt8] {
        Array("\(deployment)|\(group)|\(credential)|\(version)".utf8)
    }

    package static func seal(
        _ secret: [UInt8], key: SymmetricKey, deployment: DeploymentID, group: GatewayGroupID,
        credential: CredentialID, version: Int
    ) throws -> [UInt8] {
        let context = Self.context(deployment, group, credential, version)
        return Array(try ChaChaPoly.seal(secret, using: key, authenticating: context).combined)
    }

    /// Nil when the bytes are not this credential's version for this group.
    package static func open(
        _ sealed: [UInt8], key: SymmetricKey, deployment: DeploymentID, group: GatewayGroupID,
        credential: CredentialID, version: Int
    ) -> Secret<[UInt8]>? {
        guard let box = try? ChaChaPoly.SealedBox(combined: sealed),
            let plain = try? ChaChaPoly.open(
                box, using: key, authenticating: Self.context(deployment, group, credential, version)
            )
        else { return nil }
        return Secret(Array(plain))
    }
}
