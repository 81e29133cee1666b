package import Crypto

/// What a signature is about; bound into it, so that one document cannot be passed off as another.
package enum PayloadType: String, Sendable, CaseIterable {
    case root = "application/vnd.gatehouse.root.v1+protobuf"
    case manifest = "application/vnd.gatehouse.manifest.v1+protobuf"
    case timestamp = "application/vnd.gatehouse.timestamp.v1+protobuf"
    case keyring = "application/vnd.gatehouse.keyring.v1+protobuf"
    case assertion = "application/vnd.gatehouse.assertion.v1+protobuf"
    case leaseReply = "application/vnd.gatehouse.lease-reply.v1+protobuf"
    case usageReply = "application/vnd.gatehouse.usage-reply.v1+protobuf"
    case enrolmentReply = "application/vnd.gatehouse.enrolment-reply.v1+protobuf"
    case time = "application/vnd.gatehouse.time.v1+protobuf"
}

/// A key that signs, with its identifier.
package struct SigningKey: Sendable {
    package let key: Curve25519.Signing.PrivateKey

    package init(_ key: Curve25519.Signing.PrivateKey = .init()) { self.key = key }

    package var publicKey: VerifyingKey { VerifyingKey(self.key.publicKey) }
}

/// A public key, named by the SHA-256 of its 32 bytes.
package struct VerifyingKey: Hashable, Sendable {
    /// The 32 bytes of the Ed25519 public key.
    package let bytes: [UInt8]
    package let id: [UInt8]

    package init(_ key: Curve25519.Signing.PublicKey) {
        self.bytes = Array(key.rawRepresentation)
        self.id = Array(SHA256.hash(data: self.bytes))
    }

    /// Nil unless the bytes are a public key.
    package init?(bytes: [UInt8]) {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return nil }
        self.init(key)
    }

    func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: self.bytes) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}

/// A signed payload: DSSE v1 (https://github.com/secure-systems-lab/dsse), in the protobuf form of its specification.
///
/// Signatures are over the exact payload bytes and the payload type; nothing is ever serialised again to be verified.
package struct Envelope: WireMessage, Equatable {
    package struct Signature: Sendable, Hashable {
        package let keyID: [UInt8]
        package let bytes: [UInt8]

        package init(keyID: [UInt8], bytes: [UInt8]) {
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    package var payload: [UInt8]
    package var payloadType: String
    package var signatures: [Signature]

    package static let signaturesLimit = 16

    /// Signs a payload with every one of `keys`; nil when the cryptographic library refuses.
    package init?(_ type: PayloadType, payload: [UInt8], keys: [SigningKey]) {
        self.payload = payload
        self.payloadType = type.rawValue
        self.signatures = []
        for key in keys {
            guard let bytes = try? key.key.signature(for: Self.preAuthentication(type.rawValue, payload)) else {
                return nil
            }
            self.signatures.append(Signature(keyID: key.publicKey.id, bytes: Array(bytes)))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.payload = []
        self.payloadType = ""
        self.signatures = []
        while let field = try reader.next() {
            switch field {
            case 1: self.payload = try reader.bytes(limit: Manifest.sizeLimit, "envelope.payload")
            case 2: self.payloadType = try reader.text(limit: 128, "envelope.payload_type")
            case 3:
                guard self.signatures.count < Self.signaturesLimit else { throw .invalid("envelope.signatures") }
                var nested = try reader.message()
                var bytes: [UInt8] = []
                var keyID: [UInt8] = []
                while let field = try nested.next() {
                    switch field {
                    case 1: bytes = try nested.bytes(count: 64, "envelope.signature")
                    case 2: keyID = try nested.bytes(count: 32, "envelope.key_id")
                    default: try nested.skip()
                    }
                }
                self.signatures.append(Signature(keyID: keyID, bytes: bytes))
            default: try reader.skip()
            }
        }
    }

    package func write(to writer: inout WireWriter) {
        writer.bytes(1, self.payload)
        writer.text(2, self.payloadType)
        for signature in self.signatures {
            writer.message(3) {
                $0.bytes(1, signature.bytes)
                $0.bytes(2, signature.keyID)
            }
        }
    }

    /// Whether at least `threshold` different keys of `keys` signed this payload as `type`.
    package func verify(_ type: PayloadType, keys: [VerifyingKey], threshold: Int) -> Bool {
        guard self.payloadType == type.rawValue, threshold > 0 else { return false }
        let message = Self.preAuthentication(self.payloadType, self.payload)
        var signed: Set<[UInt8]> = []
        for signature in self.signatures {
            guard let key = keys.first(where: { $0.id == signature.keyID }), !signed.contains(key.id) else { continue }
            if key.verifies(signature.bytes, over: message) { signed.insert(key.id) }
        }
        return signed.count >= threshold
    }

    /// PAE of the DSSE specification.
    private static func preAuthentication(_ type: String, _ payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }
}
