import Shared
import Testing

@Suite struct TextTests {
    @Test func `base64url and hexadecimal read back`() {
        var sampler = Sampler("texts")
        for count in 0..<200 {
            let bytes = sampler.bytes(count)
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test(arguments: [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("~~~?", "fn5-Pw")])
    func `base64url is that of RFC 4648`(_ plain: String, _ text: String) {
        #expect(Base64URL.encode(plain.utf8) == text)
        #expect(Base64URL.decode(text) == Array(plain.utf8))
    }

    @Test(arguments: ["A", "AAAAA", "Zh", "Zm9", "Zg==", "Zg=", "Z+", "Z/", "Z g", "Zm9v\n", "Zé"])
    func `another text is not base64url`(_ text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test(arguments: ["0", "0g", "AB", "0x", "é0"])
    func `another text is not hexadecimal`(_ text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test func `a join token carries its root`() throws {
        var sampler = Sampler("join token")
        let token = JoinToken(token: .generate(.joinToken), rootSHA256: sampler.bytes(32))
        let text = token.text.reveal()
        let read = try #require(JoinToken(parsing: text))
        #expect(read.rootSHA256 == token.rootSHA256)
        #expect(read.token.secret.reveal() == token.token.secret.reveal())
        let key = TokenText.generate(.virtualKey).secret.reveal()
        let parts = text.split(separator: ".")
        for other in [
            String(parts[0]), text + ".", String(text.dropLast()), text + "A", "\(parts[0]).\(parts[1]).\(parts[1])",
            "\(key).\(parts[1])", ".\(parts[1])", "\(parts[0]).",
        ] {
            #expect(JoinToken(parsing: other) == nil)
        }
    }
}
