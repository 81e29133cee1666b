import Shared
import Testing

@Suite struct NetworkRangeTests {
    @Test(
        arguments: [
            ("0.0.0.0", 0, 0xFFFF_0000_0000), ("255.255.255.255", 0, 0xFFFF_FFFF_FFFF),
            ("10.1.2.3", 0, 0xFFFF_0A01_0203),
            ("::", 0, 0), ("::1", 0, 1), ("1::", 0x1_0000_0000_0000, 0),
            ("2001:db8::8:800:200c:417a", 0x2001_0db8_0000_0000, 0x0008_0800_200c_417a),
            ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
            ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
            ("::2:3:4:5:6:7:8", 0x0000_0002_0003_0004, 0x0005_0006_0007_0008), ("::ffff:a01:203", 0, 0xFFFF_0A01_0203),
            ("FE80::ABCD", 0xFE80_0000_0000_0000, 0xABCD), ("1::8", 0x1_0000_0000_0000, 8),
        ] as [(String, UInt64, UInt64)])
    func `an address is read`(_ text: String, _ high: UInt64, _ low: UInt64) {
        #expect(IPAddress(text) == IPAddress(high: high, low: low))
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.04", "1..2.3", "1.2.3.",
        ".1.2.3",
        "1.2.3.4 ", "+1.2.3.4", "-1.2.3.4", "0x1.2.3.4", "1.2.3.٤", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:::2",
        "1::2::3",
        ":1::2", "1::2:", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", "g::", "::1%eth0", "[::1]", "::+1", "::-1",
        "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "::ffff:1.2.3.4", "::1/64", "１::",
    ])
    func `another text is no address`(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"), ("10.0.0.0/8", "10.0.0.0", "9.255.255.255"),
        ("192.168.1.7", "192.168.1.7", "192.168.1.8"), ("192.168.1.7/32", "192.168.1.7", "192.168.1.6"),
        ("0.0.0.0/0", "8.8.8.8", "2001:db8::1"), ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("2001:db8::/64", "2001:db8::ffff:1", "2001:db8:0:1::"),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", "2001:db8::8000:0:0:0"),
        ("::1", "::1", "::2"), ("::1/128", "::1", "::"), ("::ffff:0:0/96", "1.2.3.4", "::1"),
        ("128.0.0.0/1", "255.0.0.1", "127.0.0.1"), ("8000::/1", "ffff::", "7fff::"),
    ])
    func `a range holds its addresses`(_ range: String, _ inside: String, _ outside: String) throws {
        let range = try #require(NetworkRange(range))
        #expect(range.contains(try #require(IPAddress(inside))))
        #expect(!range.contains(try #require(IPAddress(outside))))
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.1/8", "10.0.0.0/8/8",
        "10.0.0.0/8 ",
        "2001:db8::/129", "2001:db8::1/32", "10.0.0.0/255.0.0.0", "10.0.0.0/99999999999999999999", "10.0.0.0/٨", "10/8",
        "::/",
    ])
    func `another text is no range`(_ text: String) {
        #expect(NetworkRange(text) == nil)
    }

    @Test func `the range of everything holds every address, and each range its own prefix`() throws {
        var sampler = Sampler("networks")
        let everything = try #require(NetworkRange("::/0"))
        for _ in 0..<2000 {
            let range = sampler.network()
            let address = IPAddress(high: sampler.random.next(), low: sampler.random.next())
            #expect(everything.contains(address))
            #expect(range.contains(range.address))
            // Bit by bit.
            func bit(_ address: IPAddress, _ index: Int) -> UInt64 {
                index < 64 ? address.high >> UInt64(63 - index) & 1 : address.low >> UInt64(127 - index) & 1
            }
            let agrees = (0..<range.prefix).allSatisfy { bit(range.address, $0) == bit(address, $0) }
            #expect(range.contains(address) == agrees)
            #expect(NetworkRange(address: range.address, prefix: -1) == nil)
            #expect(NetworkRange(address: range.address, prefix: 129) == nil)
        }
    }
}

@Suite struct UpstreamURLTests {
    @Test(arguments: [
        ("https://api.openai.com", true, "api.openai.com", 443, "", "api.openai.com"),
        ("https://api.openai.com/", true, "api.openai.com", 443, "", "api.openai.com"),
        ("https://API.OpenAI.com/v1/", true, "api.openai.com", 443, "/v1", "api.openai.com"),
        ("http://localhost:8000/a/b", false, "localhost", 8000, "/a/b", "localhost:8000"),
        ("http://10.0.0.1:80", false, "10.0.0.1", 80, "", "10.0.0.1"),
        ("https://h:80", true, "h", 80, "", "h:80"),
        ("https://[2001:DB8::1]:8443/x", true, "2001:db8::1", 8443, "/x", "[2001:db8::1]:8443"),
        ("http://[::1]", false, "::1", 80, "", "[::1]"),
        ("https://my_host-1.internal/%2Fx/~a", true, "my_host-1.internal", 443, "/%2Fx/~a", "my_host-1.internal"),
        ("https://h:65535//", true, "h", 65_535, "", "h:65535"),
    ])
    func `a base URL is read`(
        _ text: String, _ isTLS: Bool, _ host: String, _ port: Int, _ path: String, _ field: String
    ) throws {
        let url = try UpstreamURL(text)
        #expect(url.isTLS == isTLS && url.host == host && url.port == port && url.path == path)
        #expect(url.hostField == field)
    }

    @Test(arguments: [
        "", "api.openai.com", "ftp://h", "HTTPS://h", "https:/h", "https://", "https:///v1", "https://h:",
        "https://h:0",
        "https://h:65536", "https://h:-1", "https://h:80:80", "https://h:8a", "https://u@h", "https://u:p@h/v1",
        "https://h?q", "https://h/#f",
        "https://h\\x", "https://h/a b", "https://h/é", "https://é", "https://h/a//b", "https://h/./b",
        "https://h/../b", "https://h/a/..",
        "https://-h", "https://h-", "https://h..x", "https://.h", "https://h.", "https://[::1", "https://[::1]x",
        "https://[1.2.3.4]",
        "https://[::1%25eth0]", "https://[]", "https://::1", "https://h/\r\nx", "https://h\u{0}", "https://h*",
        "https://h%41",
        "https://" + String(repeating: "a", count: 64), "https://h/" + String(repeating: "a", count: 1024),
        "https://" + String(repeating: "a.", count: 127) + "a",
    ])
    func `another text is no base URL`(_ text: String) {
        #expect(throws: UpstreamURL.Failure.self) { try UpstreamURL(text) }
    }

    @Test func `no text makes the reader trap`() {
        var sampler = Sampler("urls")
        for _ in 0..<5000 {
            let pieces = sampler.many(0...8) {
                $0.pick([
                    "https://", "http://", "h", ".", ":", "80", "[", "]", "::1", "/", "..", "é", "\r\n", "\u{301}", "@",
                    "%",
                ])
            }
            guard let url = try? UpstreamURL(pieces.joined()) else { continue }
            // What is accepted is one host and one path, with nothing that ends a line.
            #expect(
                url.hostField.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
                    && url.path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
            #expect(url.path.isEmpty || url.path.first == "/" && url.path.last != "/")
            #expect((try? UpstreamURL("\(url.isTLS ? "https" : "http")://\(url.hostField)\(url.path)")) == url)
        }
    }
}
