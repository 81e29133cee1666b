package import Crypto
import FoundationEssentials
package import Shared

/// A key of our own, as it is stored: under one of the key-encryption keys.
package struct WrappedKey: Sendable {
    package let kekID: String
    /// AES-256-GCM: nonce, ciphertext and tag.
    package let bytes: [UInt8]

    package init(kekID: String, bytes: [UInt8]) {
        self.kekID = kekID
        self.bytes = bytes
    }
}

/// A secret in envelope encryption: under a data key of its own, which is under a key-encryption key.
package struct SealedSecret: Sendable {
    package let key: WrappedKey
    package let ciphertext: [UInt8]

    package init(key: WrappedKey, ciphertext: [UInt8]) {
        self.key = key
        self.ciphertext = ciphertext
    }
}

/// The keys that everything secret in the database is under; in a file that only the control plane can read.
///
/// One `id:key` a line (key: 32 bytes, base64url); the first wraps, all unwrap. Rotation is a new first line.
package struct KeyEncryptionKeys: Sendable {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    private let current: String
    private let keys: [String: SymmetricKey]

    /// Reads the file; refuses one that others can read.
    package init(file path: String) throws {
        let bytes = try Files.read(path, limit: 64 << 10)
        guard try Files.isPrivate(path) else {
            throw Failure(description: "\(path) can be read by others: chmod 600 \(path)")
        }
        var keys: [String: SymmetricKey] = [:]
        var current: String?
        for (number, line) in String(decoding: bytes, as: UTF8.self).split(separator: "\n").enumerated() {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, (1...64).contains(parts[0].count), let key = Base64URL.decode(parts[1]),
                key.count == 32, keys[String(parts[0])] == nil
            else { throw Failure(description: "\(path) line \(number + 1): id:key is needed, 32 bytes in base64url") }
            keys[String(parts[0])] = SymmetricKey(data: key)
            current = current ?? String(parts[0])
        }
        guard let current else { throw Failure(description: "\(path) has no key") }
        self.current = current
        self.keys = keys
    }

    /// Makes a file with one new key; refuses to replace one.
    package static func create(file path: String, id: String) throws {
        guard (try? Files.read(path, limit: 64 << 10)) == nil else {
            throw Failure(description: "\(path) exists; it is not replaced")
        }
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        try Files.replace(path, with: Array("\(id):\(Base64URL.encode(key))\n".utf8), mode: 0o600)
    }

    /// Puts a key under the current key-encryption key.
    ///
    /// - Parameter context: what the key is for; the same must be given to unwrap.
    package func wrap(_ key: SymmetricKey, context: String) throws -> WrappedKey {
        try self.wrap(bytes: key.withUnsafeBytes { Array($0) }, context: context)
    }

    package func wrap(bytes: [UInt8], context: String) throws -> WrappedKey {
        guard let kek = self.keys[self.current] else { throw Failure(description: "no key-encryption key") }
        let sealed = try AES.GCM.seal(bytes, using: kek, authenticating: Array(context.utf8))
        guard let combined = sealed.combined else { throw Failure(description: "the key could not be wrapped") }
        return WrappedKey(kekID: self.current, bytes: Array(combined))
    }

    package func unwrap(_ wrapped: WrappedKey, context: String) throws -> SymmetricKey {
        SymmetricKey(data: try self.unwrapBytes(wrapped, context: context))
    }

    package func unwrapBytes(_ wrapped: WrappedKey, context: String) throws -> [UInt8] {
        guard let kek = self.keys[wrapped.kekID] else {
            throw Failure(description: "key-encryption key '\(wrapped.kekID)' is not in the key file")
        }
        let box = try AES.GCM.SealedBox(combined: wrapped.bytes)
        return Array(try AES.GCM.open(box, using: kek, authenticating: Array(context.utf8)))
    }

    /// Seals a secret under a new data key.
    package func seal(_ secret: Secret<String>, context: String) throws -> SealedSecret {
        let dataKey = SymmetricKey(size: .bits256)
        let plain = Array(secret.reveal().utf8)
        let sealed = try AES.GCM.seal(plain, using: dataKey, authenticating: Array(context.utf8))
        guard let combined = sealed.combined else { throw Failure(description: "the secret could not be sealed") }
        return SealedSecret(key: try self.wrap(dataKey, context: context), ciphertext: Array(combined))
    }

    package func open(_ sealed: SealedSecret, context: String) throws -> Secret<[UInt8]> {
        let dataKey = try self.unwrap(sealed.key, context: context)
        let box = try AES.GCM.SealedBox(combined: sealed.ciphertext)
        return Secret(Array(try AES.GCM.open(box, using: dataKey, authenticating: Array(context.utf8))))
    }

    /// The context that a credential's version is sealed with.
    package static func credentialContext(_ id: CredentialID, version: Int) -> String {
        "gatehouse credential|\(id)|\(version)"
    }
}
