/// What an operator carries to a new gateway: a single-use secret and the root to trust.
///
/// Text form: the token, `.`, and the SHA-256 of the first root's payload in base64url.
package struct JoinToken: Sendable {
    package let token: TokenText
    package let rootSHA256: [UInt8]

    package init(token: TokenText, rootSHA256: [UInt8]) {
        self.token = token
        self.rootSHA256 = rootSHA256
    }

    package init?(parsing text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let token = TokenText(parsing: String(parts[0])), token.kind == .joinToken,
            let hash = Base64URL.decode(parts[1]), hash.count == 32
        else { return nil }
        self.init(token: token, rootSHA256: hash)
    }

    package var text: Secret<String> {
        Secret("\(self.token.secret.reveal()).\(Base64URL.encode(self.rootSHA256))")
    }
}
