package import AsyncHTTPClient
import Crypto
package import NIOCore
import NIOHTTP1
import NIOSSL
package import Shared
import TLSIdentity

/// Calls the control plane as this gateway: every call signed, every answer bounded.
package struct ControlPlaneClient: Sendable {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
        /// The HTTP status; 0 when there was no answer.
        package let status: Int
        /// What programs may go by; empty when the answer named none.
        package var code = ""
    }

    private let http: HTTPClient
    private let baseURL: String
    private let clock: GatewayClock
    /// Random for each start of the process.
    package let process: UInt64

    /// The process as the control plane names it: 16 hexadecimal digits.
    package var processName: String {
        let digits = String(self.process, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    package init(http: HTTPClient, baseURL: String, clock: GatewayClock) {
        self.http = http
        self.baseURL = baseURL
        self.clock = clock
        self.process = .random(in: 1 ... .max)
    }

    /// An HTTP client that trusts the given certificate authorities (PEM file), or the system's, for one server.
    package static func makeHTTPClient(
        for server: UpstreamURL, authorities: String?, group: any EventLoopGroup
    ) throws -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authorities {
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5))
        )
        configuration.httpVersion = .http1Only
        if server.isTLS {
            configuration.http1_1ConnectionDebugInitializer = ServerIdentity(host: server.host).check
        }
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// Enrols with a join token; the answer is signed by the timestamp role of one of the roots it brings.
    package func enrol(_ request: EnrolmentRequest, token: TokenText) async throws -> Envelope {
        let answer = try await self.send(
            "POST", "/dp/v1/enroll", body: request.wireBytes, authorization: "Bearer \(token.secret.reveal())",
            limit: 4 << 20, timeout: .seconds(15)
        )
        return try Envelope(wire: answer.body)
    }

    /// Says that this process has started.
    ///
    /// - Returns: its epoch; nil from a control plane that gives none.
    package func start(as identity: GatewayIdentity) async throws -> Int? {
        do {
            let answer = try await self.call(identity, "POST", "/dp/v1/starts", limit: 4096, timeout: .seconds(15))
            return try StartReply(wire: answer.body).epoch
        } catch let failure as Failure where failure.status == 404 {
            return nil
        }
    }

    /// The newest timestamp, or nil when `known` is still the newest after `wait` seconds.
    package func timestamp(
        as identity: GatewayIdentity, known sequence: Int, wait: Int
    ) async throws -> [UInt8]? {
        let path = "/dp/v1/groups/\(identity.group)/timestamp?wait=\(wait)&sequence=\(sequence)"
        let answer = try await self.call(identity, "GET", path, limit: 8192, timeout: .seconds(Int64(wait) + 15))
        return answer.status == 304 ? nil : answer.body
    }

    package func blob(as identity: GatewayIdentity, _ sha256: [UInt8], limit: Int) async throws -> [UInt8] {
        let path = "/dp/v1/blobs/\(Hex.encode(sha256))"
        return try await self.call(identity, "GET", path, limit: limit, timeout: .seconds(60)).body
    }

    /// The time, signed for a nonce.
    package func time(nonce: [UInt8]) async throws -> Envelope {
        let answer = try await self.send(
            "GET", "/dp/v1/time?nonce=\(Base64URL.encode(nonce))", limit: SignedTime.sizeLimit, timeout: .seconds(5)
        )
        return try Envelope(wire: answer.body)
    }

    /// The envelope of a root's version; nil when there is none yet.
    package func root(version: Int) async throws -> [UInt8]? {
        do {
            return try await self.send(
                "GET", "/dp/v1/roots/\(version)", limit: 64 << 10, timeout: .seconds(15)
            ).body
        } catch let failure as Failure where failure.status == 404 {
            return nil
        }
    }

    package func report(as identity: GatewayIdentity, _ status: StatusReport) async throws {
        _ = try await self.call(
            identity, "POST", "/dp/v1/status", body: status.wireBytes, limit: 4096, timeout: .seconds(15)
        )
    }

    /// Sends a batch; the answer is an envelope of the timestamp role.
    package func usage(as identity: GatewayIdentity, _ batch: [UInt8]) async throws -> Envelope {
        let answer = try await self.call(
            identity, "POST", "/dp/v1/usage", body: batch, limit: 4096, timeout: .seconds(30)
        )
        return try Envelope(wire: answer.body)
    }

    /// Renews what the process holds of budgets; the answer is an envelope of the timestamp role.
    package func renewLeases(as identity: GatewayIdentity, _ request: [UInt8]) async throws -> Envelope {
        let answer = try await self.call(
            identity, "POST", "/dp/v1/leases:renew", body: request, limit: LeaseReply.sizeLimit, timeout: .seconds(10)
        )
        return try Envelope(wire: answer.body)
    }

    private func call(
        _ identity: GatewayIdentity, _ method: String, _ path: String, body: [UInt8] = [], limit: Int,
        timeout: TimeAmount
    ) async throws -> (status: Int, body: [UInt8]) {
        let assertion = NodeAssertion(
            gateway: identity.gateway, audience: identity.deployment, method: method, path: path, body: body,
            issued: self.clock.time.now(), process: self.process
        )
        guard let header = assertion.header(signedBy: identity.signing) else {
            throw Failure(description: "the call could not be signed", status: 0)
        }
        do {
            return try await self.send(
                method, path, body: body, authorization: header, limit: limit, timeout: timeout)
        } catch let failure as Failure where failure.code == LinkCode.expired {
            self.clock.doubt()
            throw failure
        }
    }

    private func send(
        _ method: String, _ path: String, body: [UInt8] = [], authorization: String? = nil, limit: Int,
        timeout: TimeAmount
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(url: self.baseURL + path)
        request.method = .RAW(value: method)
        if let authorization { request.headers.add(name: "authorization", value: authorization) }
        if !body.isEmpty {
            request.headers.add(name: "content-type", value: "application/x-protobuf")
            request.body = .bytes(body)
        }
        let response = try await self.http.execute(request, timeout: timeout)
        let status = Int(response.status.code)
        let bytes = try await response.body.collect(upTo: limit)
        guard status == 200 || status == 201 || status == 204 || status == 304 else {
            let text = String(decoding: bytes.readableBytesView.prefix(300), as: UTF8.self)
            throw Failure(
                description: "the control plane answered \(status) to \(method) \(path): \(text)", status: status,
                code: ProblemCode.read(Array(bytes.readableBytesView))
            )
        }
        return (status, Array(bytes.readableBytesView))
    }
}
