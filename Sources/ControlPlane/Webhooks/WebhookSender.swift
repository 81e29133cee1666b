import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import Shared
import Synchronization
import TLSIdentity

/// Sends one request to a receiver, and says how it ended: no redirect is followed, no answer's body is read.
package final class WebhookSender: Sendable {
    /// What came of a request.
    package struct Result: Sendable, Hashable {
        /// The answer's HTTP status; nil when there was none.
        package var status: Int?
        /// Why there was none.
        package var error: String?
        /// Seconds that the receiver wants to be left alone for.
        package var retryAfter: Int64?

        static func failed(_ error: String) -> Result { Result(error: error) }
    }

    /// Finds the addresses of a host; may block.
    package typealias Resolver = @Sendable (_ host: String) -> [HostAddress]

    private let targets: WebhookTargets
    private let tls: TLSConfiguration
    private let resolver: Resolver
    private let timeout: TimeAmount
    private let threads: NIOThreadPool

    /// - Parameters:
    ///   - authorities: a PEM file of certificate authorities that are trusted besides the system's.
    ///   - resolvers: hosts that are looked up at once; each takes a thread.
    package init(
        targets: WebhookTargets, authorities: String? = nil, seconds: Int64 = 15, resolvers: Int = 8,
        resolver: @escaping Resolver = WebhookNetworks.resolve
    ) throws(SettingsError) {
        self.targets = targets
        self.resolver = resolver
        self.timeout = .seconds(seconds)
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authorities {
            guard let found = try? NIOSSLCertificate.fromPEMFile(authorities), !found.isEmpty else {
                throw SettingsError("GATEHOUSE_WEBHOOK_CA is '\(authorities)': a PEM file of certificates is needed")
            }
            tls.additionalTrustRoots = [.certificates(found)]
        }
        self.tls = tls
        self.threads = NIOThreadPool(numberOfThreads: resolvers)
        self.threads.start()
    }

    deinit { self.threads.shutdownGracefully { _ in } }

    /// - Parameters:
    ///   - url: as `Webhook.check` lets it pass.
    ///   - attempt: from 1; of several addresses each attempt takes the next.
    package func post(_ url: String, _ headers: [(String, String)], body: [UInt8], attempt: Int) async -> Result {
        let target: UpstreamURL
        do throws(UpstreamURL.Failure) {
            target = try UpstreamURL(url)
        } catch {
            return .failed("the URL \(error.reason)")
        }
        guard let addresses = await self.addresses(of: target.host) else {
            return .failed("the host \(target.host) was not looked up in time")
        }
        guard !addresses.isEmpty else { return .failed("the host \(target.host) has no address") }
        let allowed = addresses.filter {
            WebhookNetworks.objection(to: $0, targets: self.targets, isTLS: target.isTLS) == nil
        }
        guard !allowed.isEmpty else {
            return .failed(
                WebhookNetworks.objection(to: addresses[0], targets: self.targets, isTLS: target.isTLS) ?? "refused")
        }
        return await self.send(
            Self.request(url, target, headers, body), of: target,
            to: allowed[max(0, attempt - 1) % allowed.count])
    }

    /// What was looked at is what is connected to: a client of its own, for which the host has this one address.
    private func send(_ request: HTTPClientRequest, of target: UpstreamURL, to address: HostAddress) async -> Result {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: self.tls, redirectConfiguration: .disallow,
            timeout: .init(connect: self.timeout), decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.dnsOverride = [target.host: address.text, "[\(target.host)]": address.text]
        if target.isTLS {
            configuration.http1_1ConnectionDebugInitializer = ServerIdentity(host: target.host).check
        }
        let client = HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        let result: Result
        do {
            let response = try await client.execute(request, timeout: self.timeout)
            result = Result(
                status: Int(response.status.code),
                retryAfter: response.headers.first(name: "retry-after").flatMap { Int64($0) })
        } catch {
            result = .failed("\(error)")
        }
        try? await client.shutdown()
        return result
    }

    private static func request(
        _ url: String, _ target: UpstreamURL, _ headers: [(String, String)], _ body: [UInt8]
    ) -> HTTPClientRequest {
        // Its path as it was given, also with a slash at its end.
        let rest = url.drop { $0 != ":" }.dropFirst(3)
        let path = rest.firstIndex(of: "/").map { String(rest[$0...]) } ?? "/"
        var request = HTTPClientRequest(url: "\(target.isTLS ? "https" : "http")://\(target.hostField)\(path)")
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(body)
        return request
    }

    /// On another thread, since it may block; nil when that takes longer than a request may.
    private func addresses(of host: String) async -> [HostAddress]? {
        let resolver = self.resolver
        return await withCheckedContinuation { continuation in
            let answer = Answer(continuation)
            self.threads.submit { state in
                // Nobody waits any more for what stood in line too long.
                guard answer.isAwaited else { return }
                answer.give(state == .active ? resolver(host) : nil)
            }
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: self.timeout) { answer.give(nil) }
        }
    }

    /// The first of two answers.
    private final class Answer: Sendable {
        private let continuation: Mutex<CheckedContinuation<[HostAddress]?, Never>?>

        init(_ continuation: CheckedContinuation<[HostAddress]?, Never>) { self.continuation = Mutex(continuation) }

        var isAwaited: Bool { self.continuation.withLock { $0 != nil } }

        func give(_ addresses: [HostAddress]?) {
            let waiting = self.continuation.withLock { continuation in
                defer { continuation = nil }
                return continuation
            }
            waiting?.resume(returning: addresses)
        }
    }
}
