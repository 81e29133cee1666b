import Crypto
import FoundationEssentials
import Logging
import Shared

/// Makes this machine a gateway of a deployment, once.
enum Enroller {
    struct Failure: Error, Sendable, CustomStringConvertible {
        let description: String
    }

    /// Enrols with a join token, verifies the answer from the root that the token pins, and stores identity and roots.
    static func enrol(
        token text: String, name: String, client: ControlPlaneClient, store: SnapshotStore
    ) async throws -> GatewayIdentity {
        guard let token = JoinToken(parsing: text) else {
            throw Failure(description: "GATEHOUSE_JOIN_TOKEN is not a join token; create one with POST /v1/join-tokens")
        }
        let signing = SigningKey()
        let sealing = Curve25519.KeyAgreement.PrivateKey()
        let envelope = try await client.enrol(
            EnrolmentRequest(
                name: name, identityKey: signing.publicKey.bytes,
                sealingKey: Array(sealing.publicKey.rawRepresentation), build: Manifest.build
            ),
            token: token.token
        )
        // The reply brings the roots that verify it; the first must be the pinned one.
        let reply = try EnrolmentReply(wire: envelope.payload)
        guard let first = reply.roots.first else { throw Failure(description: "the control plane sent no root") }
        var root = try TrustRoot.pinned(try Envelope(wire: first), sha256: token.rootSHA256)
        for bytes in reply.roots.dropFirst() { root = try root.next(try Envelope(wire: bytes)) }
        guard root.open(envelope, as: .enrolmentReply) != nil else {
            throw Failure(description: "the control plane's answer is not signed by the deployment's timestamp key")
        }
        let identity = GatewayIdentity(
            gateway: reply.gateway, group: reply.group, deployment: root.deployment, signing: signing, sealing: sealing
        )
        try store.saveRoots(reply.roots, pin: token.rootSHA256)
        try store.saveIdentity(identity)
        return identity
    }
}
