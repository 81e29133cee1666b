import AdminClient
import Testing

@Suite struct ServerAddressTests {
    @Test(arguments: [
        ("https://gatehouse.example", "https://gatehouse.example"),
        ("HTTPS://Gate.Example:7070/", "https://gate.example:7070"),
        ("https://h/base/", "https://h/base"), ("http://localhost:7070", "http://localhost:7070"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"), ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:7070", "http://[::1]:7070"),
    ])
    func `an address is read`(_ text: String, _ expected: String) throws {
        #expect(try ServerAddress(text).description == expected)
    }

    @Test(arguments: [
        "http://gatehouse.example", "http://10.0.0.1", "http://127.0.0.1.example", "http://localhost.example",
        "http://127.1", "http://127.0.0.1@evil.example", "http://[::2]", "http://0.0.0.0", "http://128.0.0.1",
        "http://127.0.0.1%2eevil.example", "http://+127.0.0.1", "http://127.0.0.256",
    ])
    func `plain http is for this machine only`(_ text: String) {
        #expect(throws: ClientError.self) { try ServerAddress(text) }
    }

    @Test(arguments: [
        "", "gatehouse.example", "ftp://x", "https://", "https://user:pw@x", "https://x?a=b", "https://x#a",
        "https://x:0",
        "https://x:70000", "https://x y", "https://x\r\nHost: y", "file:///etc/passwd", "https:x",
    ])
    func `what is no address is refused`(_ text: String) {
        #expect(throws: ClientError.self) { try ServerAddress(text) }
    }
}

@Suite struct RetryTests {
    private static let policy = RetryPolicy()

    private static func pause(
        _ outcome: RetryPolicy.Outcome, attempt: Int = 1, isRepeatable: Bool = true
    ) -> Duration? {
        Self.policy.pause(after: outcome, attempt: attempt, isRepeatable: isRepeatable, jitter: 1)
    }

    @Test func `only what cannot take effect twice is sent again`() {
        for status in [200, 201, 400, 401, 403, 404, 409, 412, 500] {
            #expect(Self.pause(.answered(status: status, retryAfter: nil, code: nil)) == nil, "\(status)")
        }
        for status in [429, 503] {
            #expect(Self.pause(.answered(status: status, retryAfter: nil, code: nil), isRepeatable: false) != nil)
        }
        let unknown = RetryPolicy.Outcome.answered(status: 503, retryAfter: "1", code: "outcome_unknown")
        #expect(Self.pause(unknown, isRepeatable: false) == nil && Self.pause(unknown) != nil)
        #expect(Self.pause(.answered(status: 502, retryAfter: nil, code: nil), isRepeatable: false) == nil)
        #expect(Self.pause(.lost, isRepeatable: false) == nil && Self.pause(.lost) != nil)
    }

    @Test func `pauses are what the server says, in bounds, and double`() {
        func after(_ text: String?, attempt: Int = 1) -> Duration? {
            Self.pause(.answered(status: 429, retryAfter: text, code: nil), attempt: attempt)
        }
        #expect(after("3") == .seconds(3))
        #expect(after("21") == nil)
        #expect(after("9223372036854775807") == nil)
        #expect(after("0") == .milliseconds(250))
        #expect(after("-1") == .milliseconds(250) && after("soon") == .milliseconds(250))
        #expect(after(nil, attempt: 4) == .milliseconds(2000))
        #expect(after("0", attempt: 5) == nil)
    }
}
