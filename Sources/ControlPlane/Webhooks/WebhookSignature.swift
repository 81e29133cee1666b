import Crypto
import FoundationEssentials
package import Shared

/// Secrets and signatures of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com), symmetric scheme.
package enum WebhookSignature {
    private static let prefix = "whsec_"
    /// The standard asks for 24 to 64 bytes.
    private static let keyBytes = 32

    /// A new secret: `whsec_` and the key in base64.
    package static func newSecret() -> Secret<String> {
        let key = SymmetricKey(size: SymmetricKeySize(bitCount: Self.keyBytes * 8)).withUnsafeBytes { Data($0) }
        return Secret(Self.prefix + key.base64EncodedString())
    }

    /// The field `webhook-signature`: one signature for each secret, with a space between them.
    ///
    /// A text that is no secret signs nothing.
    ///
    /// - Parameters:
    ///   - id: the field `webhook-id`; without a full stop.
    ///   - timestamp: the field `webhook-timestamp`, seconds since 1970.
    package static func field(_ secrets: [Secret<String>], id: String, timestamp: Int64, body: [UInt8]) -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return secrets.compactMap { secret -> String? in
            guard let key = Self.key(secret) else { return nil }
            let code = HMAC<SHA256>.authenticationCode(for: signed, using: key)
            return "v1," + Data(code).base64EncodedString()
        }.joined(separator: " ")
    }

    private static func key(_ secret: Secret<String>) -> SymmetricKey? {
        let text = secret.reveal()
        guard text.hasPrefix(Self.prefix), let key = Data(base64Encoded: String(text.dropFirst(Self.prefix.count)))
        else { return nil }
        return SymmetricKey(data: key)
    }
}

extension KeyEncryptionKeys {
    /// The context that a webhook's secret is sealed with.
    static func webhookContext(_ id: WebhookID, version: Int) -> String { "gatehouse webhook|\(id)|\(version)" }
}
