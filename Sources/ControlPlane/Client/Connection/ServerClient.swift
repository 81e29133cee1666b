package import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import Shared
import TLSIdentity

/// Sends requests to one server, with one token.
package struct ServerClient: Sendable {
    package let address: ServerAddress
    package let http: HTTPClient
    private let token: Secret<String>?
    package var retry = RetryPolicy()
    /// How long one attempt may take.
    package var timeout: Duration = .seconds(60)

    /// Most bytes of an answer that are read.
    package static let answerLimit = 32 << 20

    package init(address: ServerAddress, http: HTTPClient, token: Secret<String>?) {
        self.address = address
        self.http = http
        self.token = token
    }

    /// Follows no redirect, goes through no proxy, trusts `authorities` (PEM) in place of the system's when given.
    package static func http(
        for server: ServerAddress, authorities: [UInt8]?
    ) throws(ClientError) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authorities {
            guard let certificates = try? NIOSSLCertificate.fromPEMBytes(authorities), !certificates.isEmpty else {
                throw .usage("the authorities' file has no certificate in PEM form")
            }
            tls.trustRoots = .certificates(certificates)
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5)), decompression: .disabled)
        configuration.httpVersion = .http1Only
        if server.scheme == "https" {
            configuration.http1_1ConnectionDebugInitializer = ServerIdentity(host: server.host).check
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// The answer, whatever its status; sent again where that is safe.
    package func send(_ request: ServerRequest) async throws(ClientError) -> ServerAnswer {
        var attempt = 1
        while true {
            let outcome: RetryPolicy.Outcome
            let result: Result<ServerAnswer, ClientError>
            do throws(ClientError) {
                let answer = try await self.sendOnce(request)
                let code = answer.status >= 500 ? (try? answer.json())?["code"]?.string : nil
                outcome = .answered(status: answer.status, retryAfter: answer.header("retry-after"), code: code)
                result = .success(answer)
            } catch {
                guard error.exit == .unavailable, error.isAfterSending else { throw error }
                (outcome, result) = (.lost, .failure(error))
            }
            let pause = self.retry.pause(
                after: outcome, attempt: attempt, isRepeatable: request.isRepeatable, jitter: .random(in: 0...1))
            guard let pause, (try? await Task.sleep(for: pause)) != nil else { return try result.get() }
            attempt += 1
        }
    }

    /// The answer of success; every other one is an error.
    package func perform(_ request: ServerRequest) async throws(ClientError) -> ServerAnswer {
        let answer = try await self.send(request)
        if let problem = answer.problem { throw problem }
        return answer
    }

    private func sendOnce(_ request: ServerRequest) async throws(ClientError) -> ServerAnswer {
        do {
            let deadline = NIODeadline.now() + .nanoseconds(self.timeout.nanoseconds)
            let response = try await self.http.execute(self.prepared(request), deadline: deadline)
            let body = try await response.body.collect(upTo: Self.answerLimit)
            return ServerAnswer(
                status: Int(response.status.code),
                headers: response.headers.map { (name: $0.name.lowercased(), value: $0.value) },
                body: Array(body.readableBytesView))
        } catch {
            throw self.failure(error)
        }
    }

    /// - Parameter accept: media types that are wanted.
    package func prepared(_ request: ServerRequest, accept: String = "application/json") -> HTTPClientRequest {
        var prepared = HTTPClientRequest(url: self.address.description + request.target)
        prepared.method = .RAW(value: request.method)
        prepared.headers.add(name: "User-Agent", value: "gatehouse")
        if request.header("accept") == nil { prepared.headers.add(name: "Accept", value: accept) }
        if let token = self.token {
            prepared.headers.add(name: "Authorization", value: "Bearer \(token.reveal())")
        }
        for (name, value) in request.headers { prepared.headers.replaceOrAdd(name: name, value: value) }
        if let body = request.body {
            prepared.headers.replaceOrAdd(name: "Content-Type", value: request.contentType)
            prepared.body = .bytes(ByteBuffer(bytes: body))
        }
        return prepared
    }

    /// What a connection's failure means to a person.
    package func failure(_ error: any Error) -> ClientError {
        if let error = error as? ClientError { return error }
        let place = self.address.description
        switch error {
        case is NIOTooManyBytesError:
            return ClientError(.failure, "the answer of \(place) is longer than \(Self.answerLimit >> 20) MiB")
        case let error as NIOSSLError:
            return Self.untrusted(place, Self.reason(error))
        case let error as NIOSSLExtraError:
            let isName = error == .failedToValidateHostname
            return Self.untrusted(place, isName ? "the certificate is for another name" : Self.reason(error))
        case let error as NIOConnectionError:
            let reasons = Set(error.connectionErrors.map { Self.reason($0.error) }).sorted().joined(separator: "; ")
            let lookUp = reasons.isEmpty ? "the name is not known" : reasons
            return ClientError(.unavailable, "\(place) cannot be reached", notes: [lookUp])
        case let error as HTTPClientError:
            let isTime = [.deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout].contains(error)
            var failure = ClientError(
                .unavailable,
                isTime
                    ? "\(place) did not answer in time" : "the connection to \(place) broke: \(error.shortDescription)")
            failure.isAfterSending = error != .connectTimeout
            return failure
        default:
            var failure = ClientError(
                .unavailable, "\(place) cannot be reached", notes: [Self.reason(error)])
            failure.isAfterSending = error is ChannelError
            return failure
        }
    }

    /// An error of a library in a few words.
    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        let text = "\(error)"[...]
        // BoringSSL's own words are between these.
        guard let start = text.firstRange(of: "OPENSSL_internal:"),
            let end = text[start.upperBound...].firstRange(of: " at ")
        else { return TerminalText.line(text.prefix(300)) }
        let words = text[start.upperBound..<end.lowerBound].replacing("_", with: " ").lowercased()
        return TerminalText.line(words)
    }

    private static func untrusted(_ place: String, _ reason: String) -> ClientError {
        ClientError(
            .unavailable, "\(place) is not who it should be, or its certificate is not known here",
            notes: [reason, "--ca FILE names the authority that signed its certificate."])
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + attoseconds / 1_000_000_000
    }
}
