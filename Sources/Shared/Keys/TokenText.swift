import Crypto

/// The text of a bearer secret: which kind it is, a public identifier, a secret and a checksum.
///
/// Virtual keys are `sk-gh-` + 16 base-62 characters (identifier) + `-` + 43 base-62 characters (256 random bits) + 6
/// base-62 characters (CRC-32 of everything before); tokens are the same with their prefix and `_`. The checksum lets a
/// secret scanner or a gateway tell a mistyped or foreign string from a key without a look-up.
package struct TokenText: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case virtualKey = "sk-gh-"
        case personalToken = "gh_pat_"
        case serviceAccountToken = "gh_sa_"
        case joinToken = "gh_join_"

        var separator: UInt8 { self == .virtualKey ? UInt8(ascii: "-") : UInt8(ascii: "_") }
    }

    package let kind: Kind
    /// Sixteen base-62 characters that may be shown and logged.
    package let publicID: String
    /// The whole text.
    ///
    /// Shown once, never stored.
    package let secret: Secret<String>

    static let publicIDLength = 16
    static let secretLength = 43
    static let checksumLength = 6
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A new secret for the given public identifier, or for a new one.
    package static func generate(_ kind: Kind, publicID: String? = nil) -> TokenText {
        var random = SystemRandomNumberGenerator()
        let id = publicID ?? String(decoding: Self.randomCharacters(Self.publicIDLength, &random), as: UTF8.self)
        var text = Array(kind.rawValue.utf8) + Array(id.utf8)
        text.append(kind.separator)
        text += Self.randomCharacters(Self.secretLength, &random)
        text += Self.checksum(text)
        return TokenText(kind: kind, publicID: id, secret: Secret(String(decoding: text, as: UTF8.self)))
    }

    /// Reads a token's text; nil unless prefix, lengths, alphabet and checksum are right.
    package init?(parsing text: String) {
        let bytes = Array(text.utf8)
        guard let kind = Kind.allCases.first(where: { bytes.starts(with: $0.rawValue.utf8) }) else { return nil }
        let prefix = kind.rawValue.utf8.count
        let end = prefix + Self.publicIDLength + 1 + Self.secretLength
        guard bytes.count == end + Self.checksumLength, bytes[prefix + Self.publicIDLength] == kind.separator,
            bytes.indices.allSatisfy({ index in
                index < prefix || index == prefix + Self.publicIDLength || Self.alphabet.contains(bytes[index])
            }),
            Self.checksum(Array(bytes[..<end])) == Array(bytes[end...])
        else { return nil }
        self.kind = kind
        self.publicID = String(decoding: bytes[prefix..<prefix + Self.publicIDLength], as: UTF8.self)
        self.secret = Secret(text)
    }

    private init(kind: Kind, publicID: String, secret: Secret<String>) {
        self.kind = kind
        self.publicID = publicID
        self.secret = secret
    }

    /// SHA-256 of the whole text: what is stored and looked up.
    package var digest: [UInt8] { Self.digest(of: self.secret.reveal()) }

    package static func digest(of text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

    /// Rejection sampling, so that every character is equally likely.
    private static func randomCharacters(_ count: Int, _ random: inout SystemRandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in Self.alphabet[Int.random(in: 0..<62, using: &random)] }
    }

    static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var value = CRC32.checksum(bytes)
        var digits = [UInt8](repeating: Self.alphabet[0], count: Self.checksumLength)
        for position in stride(from: Self.checksumLength - 1, through: 0, by: -1) {
            digits[position] = Self.alphabet[Int(value % 62)]
            value /= 62
        }
        return digits
    }
}
