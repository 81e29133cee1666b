import Shared
import Testing

@Suite struct NodeAssertionTests {
    private let key = SigningKey()
    private let gateway: GatewayID
    private let audience: DeploymentID
    private let now = Timestamp(microseconds: 1_700_000_000_000_000)
    private let body = Array("usage".utf8)
    private let path = "/dp/v1/usage?wait=5"

    init() {
        var sampler = Sampler("assertions")
        self.gateway = sampler.id()
        self.audience = sampler.id()
    }

    private func assertion(issued: Timestamp? = nil) -> NodeAssertion {
        NodeAssertion(
            gateway: self.gateway, audience: self.audience, method: "POST", path: self.path, body: self.body,
            issued: issued ?? self.now, process: 7)
    }

    private func verify(
        _ assertion: NodeAssertion, key: SigningKey? = nil, audience: DeploymentID? = nil, method: String = "POST",
        path: String? = nil, body: [UInt8]? = nil, now: Timestamp? = nil
    ) throws {
        let header = try #require(assertion.header(signedBy: self.key))
        let (claim, envelope) = try NodeAssertion.parse(header: header)
        #expect(claim == assertion)
        try claim.verify(
            envelope, key: (key ?? self.key).publicKey, audience: audience ?? self.audience, method: method,
            path: path ?? self.path, body: body ?? self.body, now: now ?? self.now)
    }

    @Test func `the call that was signed is accepted`() throws {
        try self.verify(self.assertion())
    }

    @Test func `an assertion for one call does not serve another`() {
        var sampler = Sampler("other calls")
        let assertion = self.assertion()
        #expect(throws: NodeAssertion.Failure.otherCall) { try self.verify(assertion, audience: sampler.id()) }
        #expect(throws: NodeAssertion.Failure.otherCall) { try self.verify(assertion, method: "GET") }
        #expect(throws: NodeAssertion.Failure.otherCall) { try self.verify(assertion, path: "/dp/v1/usage?wait=6") }
        #expect(throws: NodeAssertion.Failure.otherCall) { try self.verify(assertion, path: "/dp/v1/status") }
        #expect(throws: NodeAssertion.Failure.otherCall) { try self.verify(assertion, body: []) }
        #expect(throws: NodeAssertion.Failure.badSignature) { try self.verify(assertion, key: SigningKey()) }
    }

    @Test(arguments: [
        (-30, true), (-31, false), (0, true), (59, true), (89, true), (90, false), (91, false), (86_400, false),
    ])
    func `an assertion is good for its minute and the clocks' difference`(_ age: Int64, _ accepted: Bool) {
        let now = self.now.adding(seconds: age)
        if accepted {
            #expect(throws: Never.self) { try self.verify(self.assertion(), now: now) }
        } else {
            #expect(throws: NodeAssertion.Failure.expired) { try self.verify(self.assertion(), now: now) }
        }
    }

    @Test func `an assertion that gives itself more time is refused`() {
        var long = self.assertion()
        long.expires = self.now.adding(seconds: 61)
        #expect(throws: NodeAssertion.Failure.expired) { try self.verify(long) }
        long.expires = Timestamp(microseconds: .max)
        #expect(throws: NodeAssertion.Failure.expired) { try self.verify(long) }
        long.issued = Timestamp(microseconds: .max)
        #expect(throws: NodeAssertion.Failure.expired) { try self.verify(long) }
    }

    @Test func `a claim beside another's envelope is refused`() throws {
        let other = SigningKey()
        var stranger = Sampler("stranger")
        var forged = self.assertion()
        forged.gateway = stranger.id()
        let (_, envelope) = try NodeAssertion.parse(header: #require(self.assertion().header(signedBy: other)))
        #expect(throws: NodeAssertion.Failure.badSignature) {
            try forged.verify(
                envelope, key: other.publicKey, audience: self.audience, method: "POST", path: self.path,
                body: self.body, now: self.now)
        }
    }

    @Test func `another document signed by the gateway is no assertion`() throws {
        let envelope = try #require(Envelope(.manifest, payload: self.assertion().wireBytes, keys: [self.key]))
        let header = "Gatehouse-Node " + Base64URL.encode(envelope.wireBytes)
        let (claim, parsed) = try NodeAssertion.parse(header: header)
        #expect(throws: NodeAssertion.Failure.badSignature) {
            try claim.verify(
                parsed, key: self.key.publicKey, audience: self.audience, method: "POST", path: self.path,
                body: self.body, now: self.now)
        }
    }

    @Test(arguments: [
        "", "Bearer abc", "Gatehouse-Node", "Gatehouse-Node ", "Gatehouse-Node !!!", "gatehouse-node AAAA",
        "Gatehouse-Node AAAA", "Gatehouse-Node " + String(repeating: "A", count: 5000),
    ])
    func `another header is malformed`(_ header: String) {
        #expect(throws: NodeAssertion.Failure.malformed) { try NodeAssertion.parse(header: header) }
    }

    @Test func `no changed character of the header is accepted`() throws {
        let header = try #require(self.assertion().header(signedBy: self.key))
        let text = Array(header.utf8)
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: (any Error).self) {
                let (claim, envelope) = try NodeAssertion.parse(header: String(decoding: changed, as: UTF8.self))
                try claim.verify(
                    envelope, key: self.key.publicKey, audience: self.audience, method: "POST", path: self.path,
                    body: self.body, now: self.now)
            }
        }
    }
}
