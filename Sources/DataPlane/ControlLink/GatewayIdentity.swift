package import Crypto
import FoundationEssentials
package import Shared

/// Who this gateway is: made here, once, by enrolment; never leaves the machine.
package struct GatewayIdentity: Sendable {
    package let gateway: GatewayID
    package let group: GatewayGroupID
    package let deployment: DeploymentID
    package let signing: SigningKey
    package let sealing: Curve25519.KeyAgreement.PrivateKey

    package init(
        gateway: GatewayID, group: GatewayGroupID, deployment: DeploymentID, signing: SigningKey,
        sealing: Curve25519.KeyAgreement.PrivateKey
    ) {
        self.gateway = gateway
        self.group = group
        self.deployment = deployment
        self.signing = signing
        self.sealing = sealing
    }

    package enum Failure: Error, Sendable {
        case damaged(String)
    }

    /// Reads the identity; nil when this gateway was never enrolled.
    package static func load(_ path: String) throws -> GatewayIdentity? {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.read(path, limit: 4096)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
        var reader = WireReader(bytes.span)
        var gateway: GatewayID?, group: GatewayGroupID?, deployment: DeploymentID?
        var signing: [UInt8] = []
        var sealing: [UInt8] = []
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("identity.gateway")
            case 2: group = try reader.identifier("identity.group")
            case 3: deployment = try reader.identifier("identity.deployment")
            case 4: signing = try reader.bytes(count: 32, "identity.signing")
            case 5: sealing = try reader.bytes(count: 32, "identity.sealing")
            default: try reader.skip()
            }
        }
        guard let gateway, let group, let deployment else { throw Failure.damaged(path) }
        return GatewayIdentity(
            gateway: gateway, group: group, deployment: deployment,
            signing: SigningKey(try .init(rawRepresentation: signing)), sealing: try .init(rawRepresentation: sealing)
        )
    }

    /// Writes the identity, readable by this user alone.
    package func save(_ path: String) throws(FileError) {
        var writer = WireWriter()
        writer.identifier(1, self.gateway)
        writer.identifier(2, self.group)
        writer.identifier(3, self.deployment)
        writer.bytes(4, Array(self.signing.key.rawRepresentation))
        writer.bytes(5, Array(self.sealing.rawRepresentation))
        try Files.replace(path, with: writer.bytes, mode: 0o600)
    }
}
