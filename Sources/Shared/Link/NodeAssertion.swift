import Crypto

/// What a gateway signs with each call to the control plane: who calls what, with which body, and when.
///
/// It travels as `Authorization: Gatehouse-Node <base64url>` over TLS, so that it works behind any load balancer.
package struct NodeAssertion: WireMessage, Equatable {
    package var gateway: GatewayID
    /// The deployment that is called.
    package var audience: DeploymentID
    package var method: String
    /// The path with its query.
    package var path: String
    /// SHA-256 of the body.
    package var bodySHA256: [UInt8]
    package var issued: Timestamp
    package var expires: Timestamp
    /// Random for each start of the process: two live ones under one identity are seen.
    package var process: UInt64

    package static let scheme = "Gatehouse-Node"
    package static let sizeLimit = 4096
    /// Seconds that an assertion may be good for.
    package static let lifetime: Int64 = 60
    /// Seconds by which two clocks may differ.
    package static let skew: Int64 = 30

    package init(
        gateway: GatewayID, audience: DeploymentID, method: String, path: String, body: [UInt8], issued: Timestamp,
        process: UInt64
    ) {
        self.gateway = gateway
        self.audience = audience
        self.method = method
        self.path = path
        self.bodySHA256 = Array(SHA256.hash(data: body))
        self.issued = issued
        self.expires = issued.adding(seconds: Self.lifetime)
        self.process = process
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var gateway: GatewayID?, audience: DeploymentID?
        self.method = ""
        self.path = ""
        self.bodySHA256 = []
        self.issued = Timestamp(microseconds: 0)
        self.expires = Timestamp(microseconds: 0)
        self.process = 0
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("assertion.gateway")
            case 2: audience = try reader.identifier("assertion.audience")
            case 3: self.method = try reader.text(limit: 16, "assertion.method")
            case 4: self.path = try reader.text(limit: 2048, "assertion.path")
            case 5: self.bodySHA256 = try reader.bytes(count: 32, "assertion.body_sha256")
            case 6: self.issued = Timestamp(microseconds: try reader.int64())
            case 7: self.expires = Timestamp(microseconds: try reader.int64())
            case 8: self.process = try reader.uint64()
            default: try reader.skip()
            }
        }
        guard let gateway else { throw .missing("assertion.gateway") }
        guard let audience else { throw .missing("assertion.audience") }
        self.gateway = gateway
        self.audience = audience
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.gateway)
        writer.identifier(2, self.audience)
        writer.text(3, self.method)
        writer.text(4, self.path)
        writer.bytes(5, self.bodySHA256)
        writer.int64(6, self.issued.microseconds)
        writer.int64(7, self.expires.microseconds)
        writer.uint64(8, self.process)
    }

    /// The value of the Authorization header; nil when the cryptographic library refuses to sign.
    package func header(signedBy key: SigningKey) -> String? {
        Envelope(.assertion, payload: self.wireBytes, keys: [key]).map {
            "\(Self.scheme) \(Base64URL.encode($0.wireBytes))"
        }
    }

    /// Why a call was not accepted as a gateway's.
    package enum Failure: Error, Equatable, Sendable {
        case malformed
        case unknownGateway
        case badSignature
        /// The assertion is about another call, body or deployment.
        case otherCall
        /// Too old, too new, or good for too long.
        case expired
    }

    /// Reads the header without trusting it yet: which gateway claims to call.
    package static func parse(header: String) throws(Failure) -> (claim: NodeAssertion, envelope: Envelope) {
        let prefix = Self.scheme + " "
        guard header.utf8.count <= Self.sizeLimit, header.hasPrefix(prefix),
            let bytes = Base64URL.decode(header.dropFirst(prefix.count)),
            let envelope = try? Envelope(wire: bytes), let claim = try? NodeAssertion(wire: envelope.payload)
        else { throw .malformed }
        return (claim, envelope)
    }

    /// Checks that the call at hand is the one that was signed.
    package func verify(
        _ envelope: Envelope, key: VerifyingKey, audience: DeploymentID, method: String, path: String, body: [UInt8],
        now: Timestamp
    ) throws(Failure) {
        // The claim must be what the envelope carries, not just stand beside it.
        guard envelope.verify(.assertion, keys: [key], threshold: 1),
            let signed = try? NodeAssertion(wire: envelope.payload), signed == self
        else { throw .badSignature }
        guard self.audience == audience, self.method == method, self.path == path,
            self.bodySHA256 == Array(SHA256.hash(data: body))
        else { throw .otherCall }
        guard self.issued <= now.adding(seconds: Self.skew), self.expires > now.adding(seconds: -Self.skew),
            self.expires <= self.issued.adding(seconds: Self.lifetime)
        else { throw .expired }
    }
}
