import Crypto
import FoundationEssentials
package import Shared
import SwiftASN1
import X509

/// A certificate that vouches for itself: for development, and for a first start where no authority is at hand.
package enum SelfSignedCertificate {
    /// Makes a P-256 key and a certificate of it for the given names and addresses.
    ///
    /// - Parameters:
    ///   - hosts: host names and IP addresses; the first is the subject.
    ///   - days: how long it is good for.
    /// - Returns: both as PEM.
    package static func create(
        hosts: [String], days: Int64, now: Timestamp
    ) throws -> (certificate: String, key: Secret<String>) {
        let key = P256.Signing.PrivateKey()
        let privateKey = Certificate.PrivateKey(key)
        let name = try DistinguishedName { CommonName(hosts.first ?? "gatehouse") }
        let certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: privateKey.publicKey,
            // Gateways whose clock is behind must be able to ask what time it is.
            notValidBefore: Self.date(now.adding(seconds: -86_400)),
            notValidAfter: Self.date(now.adding(seconds: days * 86_400)), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(hosts.map(Self.alternative))
            }, issuerPrivateKey: privateKey
        )
        return (try certificate.serializeAsPEM().pemString + "\n", Secret(key.pemRepresentation + "\n"))
    }

    private static func alternative(_ host: String) -> GeneralName {
        guard let address = IPAddress(host) else { return .dnsName(host) }
        var bytes: [UInt8] = []
        bytes.appendBigEndian(address.high)
        bytes.appendBigEndian(address.low)
        return .ipAddress(ASN1OctetString(contentBytes: host.contains(":") ? bytes[...] : bytes[12...]))
    }

    private static func date(_ time: Timestamp) -> Date { Date(timeIntervalSince1970: Double(time.seconds)) }
}
