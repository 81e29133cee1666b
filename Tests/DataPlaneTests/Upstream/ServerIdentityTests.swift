import TLSIdentity
import Testing

struct ServerIdentityTests {
    @Test(arguments: [
        ("api.example.com", "api.example.com", true), ("API.Example.COM.", "api.example.com", true),
        ("*.example.com", "api.example.com", true), ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false), ("*.example.com", "a.api.example.com", false),
        ("a*.example.com", "api.example.com", false), ("*", "localhost", false), ("*.", "localhost", false),
        ("", "localhost", false), ("example.com", "api.example.com", false),
        ("api.example.com", "example.com", false), ("api.example.com\0.evil.example", "api.example.com", false),
    ])
    func `a name in a certificate is a host's, or a wildcard for its first label`(
        presented: String, host: String, isSame: Bool
    ) {
        #expect(ServerIdentity.matches(presented.utf8, Array(host.utf8)) == isSame)
    }
}
