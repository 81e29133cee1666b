import Shared
import Testing

@Suite struct TokenTextTests {
    private static let alphabet = Set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    @Test(arguments: TokenText.Kind.allCases)
    func `a generated token reads back, and no other of its length does`(_ kind: TokenText.Kind) throws {
        var sampler = Sampler("tokens")
        for _ in 0..<50 {
            let token = TokenText.generate(kind)
            let text = token.secret.reveal()
            #expect(text.utf8.count == kind.rawValue.utf8.count + 16 + 1 + 43 + 6)
            let read = try #require(TokenText(parsing: text))
            #expect(read.kind == kind && read.publicID == token.publicID && read.secret.reveal() == text)
            #expect(read.digest == TokenText.digest(of: text) && read.digest.count == 32)
            let bytes = Array(text.utf8)
            for index in bytes.indices {
                var changed = bytes
                repeat { changed[index] = sampler.pick(Array("0aZ9-_.~".utf8)) } while changed == bytes
                #expect(TokenText(parsing: String(decoding: changed, as: UTF8.self)) == nil)
            }
            for other in [String(text.dropLast()), text + "0", " " + text, text + "\n", text.uppercased()] {
                #expect(TokenText(parsing: other) == nil)
            }
        }
    }

    @Test func `the checksum is CRC-32 in six base-62 digits`() {
        #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
        #expect(CRC32.checksum([]) == 0)
        let text = Array(TokenText.generate(.virtualKey, publicID: "0123456789abcdef").secret.reveal())
        #expect(String(text[..<23]) == "sk-gh-0123456789abcdef-")
        var value = 0
        let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
        for character in text.suffix(6) { value = value * 62 + (digits.firstIndex(of: character) ?? -1_000_000) }
        // Bit by bit, unlike the table of the implementation.
        var crc = UInt32.max
        for byte in String(text.dropLast(6)).utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        #expect(UInt32(value) == ~crc)
    }

    @Test func `secrets differ and use every character about equally`() {
        var counts: [Character: Int] = [:]
        var seen: Set<String> = []
        for _ in 0..<2000 {
            let text = TokenText.generate(.personalToken).secret.reveal()
            #expect(seen.insert(text).inserted)
            for character in text.dropFirst(7 + 16 + 1).prefix(43) { counts[character, default: 0] += 1 }
        }
        #expect(Set(counts.keys) == Self.alphabet)
        // 86,000 characters, 1387 each expected, deviation 37: eight of them.
        #expect(counts.values.allSatisfy { (1090...1685).contains($0) })
    }

    @Test func `a secret does not show itself`() {
        let token = TokenText.generate(.joinToken)
        let text = token.secret.reveal()
        var dumped = ""
        dump(token, to: &dumped)
        for printed in ["\(token)", String(reflecting: token), dumped, "\(JoinToken(token: token, rootSHA256: []))"] {
            #expect(!printed.contains(text.suffix(49)))
        }
    }
}
