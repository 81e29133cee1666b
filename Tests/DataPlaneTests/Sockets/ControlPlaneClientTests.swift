import AsyncHTTPClient
import DataPlane
import Glibc
import NIOPosix
import NIOSSL
import Shared
import TLSIdentity
import TestKit
import Testing

extension OverSockets {
    /// The gateway's calls to the control plane over TLS.
    @Suite
    struct ControlPlaneClientTests {
        @Test func `the control plane is the host that was named, and not who has its address`() async throws {
            let file = "/tmp/gatehouse-ca-\(getpid())-\(UInt64.random(in: 0 ... .max))"
            try Files.replace(file, with: Array(TestCertificates.address.utf8))
            defer { Files.remove(file) }
            let tls = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.address.utf8)).map {
                        .certificate($0)
                    },
                    privateKey: .privateKey(
                        NIOSSLPrivateKey(bytes: Array(TestCertificates.addressKey.utf8), format: .pem))
                )
            )
            let server = try await ScriptedUpstream.answering(
                Array("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nroot".utf8), tls: tls)
            func root(_ host: String) async throws -> [UInt8]? {
                let url = "https://\(host):\(server.port)"
                let http = try ControlPlaneClient.makeHTTPClient(
                    for: UpstreamURL(url), authorities: file, group: MultiThreadedEventLoopGroup.singleton)
                let client = ControlPlaneClient(http: http, baseURL: url, clock: GatewayClock(machine: .system))
                let result: Result<[UInt8]?, any Error>
                do {
                    result = .success(try await client.root(version: 1))
                } catch {
                    result = .failure(error)
                }
                try await http.shutdown()
                return try result.get()
            }
            #expect(try await root("127.0.0.1") == Array("root".utf8))
            await #expect(throws: NIOSSLExtraError.failedToValidateHostname) { try await root("localhost") }
            #expect(server.requests.count == 1)
            await server.close()
        }
    }
}
