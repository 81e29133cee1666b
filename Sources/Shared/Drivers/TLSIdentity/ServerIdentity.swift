package import NIOCore
package import NIOSSL
import Shared

/// Whom a server's certificate must name: the host that was meant.
///
/// NIOSSL also takes a certificate for the address that was connected to. Public authorities issue those (RFC 8738), so
/// that whoever can change what a name resolves to would be taken for the host, and be sent its keys. What NIOSSL
/// has let pass must name the host here, too (RFC 9525 section 6.3).
package struct ServerIdentity: Sendable {
    /// Lowercase, without a dot at its end; nil when an address was meant, which a certificate may name.
    private let name: [UInt8]?

    /// - Parameter host: as it is in a URL.
    package init(host: String) {
        let isAddress = host.hasPrefix("[") || IPAddress(host) != nil
        self.name = isAddress ? nil : Self.normalized(host.utf8)
    }

    /// What speaks TLS on a connection to the server: nothing is sent before it is known to be the one.
    package func handler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        // RFC 6066 section 3: no server name for an address.
        guard let name else { return try NIOSSLClientHandler(context: context, serverHostname: nil) }
        return try NIOSSLClientHandler._makeSSLClientHandler(
            context: context, serverHostname: String(decoding: name, as: UTF8.self)
        ) { certificate, channel in
            self.isNamed(by: certificate)
                ? channel.eventLoop.makeSucceededVoidFuture()
                : channel.eventLoop.makeFailedFuture(NIOSSLExtraError.failedToValidateHostname)
        }
    }

    /// Looks at a connection whose handshake is over and which nothing was sent on; closes it when it is another's.
    ///
    /// For AsyncHTTPClient, which makes its own handlers: its `http1_1ConnectionDebugInitializer`.
    package func check(_ channel: any Channel) -> EventLoopFuture<Void> {
        // Decided at once: what ended meanwhile would be taken for a connection.
        guard channel.eventLoop.inEventLoop else { return channel.eventLoop.flatSubmit { self.check(channel) } }
        do {
            guard let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate() else {
                throw NIOSSLError.noCertificateToValidate
            }
            guard self.isNamed(by: certificate) else { throw NIOSSLExtraError.failedToValidateHostname }
            return channel.eventLoop.makeSucceededVoidFuture()
        } catch {
            // Closed first, and all handlers told: the client does not expect a connection that has failed to end.
            channel.close(promise: nil)
            return channel.closeFuture.flatMap { channel.eventLoop.makeFailedFuture(error) }
        }
    }

    private func isNamed(by certificate: NIOSSLCertificate) -> Bool {
        guard let name else { return true }
        let names = certificate._subjectAlternativeNames()
        // One without any was taken for its common name, which is no address.
        return names.isEmpty || names.contains { $0.nameType == .dnsName && Self.matches($0.contents, name) }
    }

    /// Whether a name in a certificate is that of a host; a wildcard is the whole first label.
    ///
    /// - Parameter name: lowercase, without a dot at its end.
    package static func matches(_ presented: some Sequence<UInt8>, _ name: [UInt8]) -> Bool {
        let presented = Self.normalized(presented)
        if presented == name { return true }
        guard presented.starts(with: [UInt8(ascii: "*"), UInt8(ascii: ".")]),
            let dot = name.firstIndex(of: UInt8(ascii: ".")), dot > 0
        else { return false }
        return presented[1...] == name[dot...]
    }

    private static func normalized(_ name: some Sequence<UInt8>) -> [UInt8] {
        var bytes = name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        return bytes
    }
}
