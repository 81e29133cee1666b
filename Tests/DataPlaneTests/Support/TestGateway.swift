import DataPlane
import Glibc
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Shared
import Synchronization
import TestKit
import Testing

/// The request path of a gateway on a real port, between raw clients and scripted providers.
struct TestGateway: Sendable {
    struct Options {
        var loops = 1
        var timeouts = GatewayConfig.Timeouts()
        var bodyMemory = 64 << 20
        var maxConnections = 10_000
        var maxBodyBytes = 8 << 20
        var requestSeconds = 60
        var drain = Duration.seconds(5)
        var tls: NIOSSLContext?
        var upstreamTLS = TLSConfiguration.makeClientConfiguration()
        /// Where providers are, when it is not at the scripted ones.
        var targets: [TestPolicy.Target] = []
        /// Whether the models of the scripted providers have a price, in their order; those beyond it do.
        var priced: [Bool] = []
        var unpricedModels = Manifest.UnpricedModels.deny
        var fallback: Int64?
        /// Budgets, and who grants money of them.
        var budgets: [TestPolicy.Budget] = []
        var rateLimits: [TestPolicy.RateLimit] = []
        var bank = TestBank()
        var tags: [TagDeclaration] = []
        var keyTags: [String: String] = [:]

        init(_ change: (inout Options) -> Void = { _ in }) { change(&self) }
    }

    let loops: RequestLoops
    let listener: Listener
    let service: ListenerService
    private let group: MultiThreadedEventLoopGroup
    private let spool: UsageSpool
    private let clients = Clients()

    private final class Clients: Sendable {
        let all = Mutex<[RawConnection]>([])
    }

    var port: Int { self.listener.port }

    /// Runs a gateway whose route goes to `upstreams` in order, and checks afterwards that nothing was left behind.
    static func run(
        _ upstreams: [ScriptedUpstream] = [], _ options: Options = Options(),
        _ body: (TestGateway) async throws -> Void
    ) async throws {
        var template = Array("/tmp/gatehouse-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError(path: "/tmp", operation: "make", code: errno) }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.loops)
        let gateway = try await Self.start(group, folder: folder, upstreams, options)
        do {
            try await body(gateway)
            try await gateway.expectSettled()
            // The rest of an unwanted answer, or a handshake, may still have to be given up.
            try await eventually("provider connections are idle or gone") {
                let figures = await gateway.loops.figures()
                return figures.upstreamOpen == figures.upstreamIdle
            }
        } catch {
            await gateway.stop(group, folder, upstreams)
            throw error
        }
        await gateway.stop(group, folder, upstreams)
    }

    private static func start(
        _ group: MultiThreadedEventLoopGroup, folder: String, _ upstreams: [ScriptedUpstream], _ options: Options
    ) async throws -> TestGateway {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let spool = try UsageSpool(folder: folder, logger: logger)
        let loops = try await RequestLoops.start(
            on: group,
            RequestLoops.Settings(
                timeouts: options.timeouts, bodyMemory: options.bodyMemory, maxConnections: options.maxConnections,
                upstreamTLS: options.upstreamTLS, mockPort: 0
            ),
            spool: spool, leases: options.bank.table, askForMoney: { options.bank.askSoon() }, time: .system
        )
        options.bank.serve(loops)
        var targets = options.targets
        for (index, upstream) in upstreams.enumerated() {
            let isPriced = index < options.priced.count ? options.priced[index] : true
            targets.append(
                .init(url: "http://127.0.0.1:\(upstream.port)/v1", order: index + 1, isPriced: isPriced))
        }
        var policy = TestPolicy(
            targets: targets, maxBodyBytes: options.maxBodyBytes, requestSeconds: options.requestSeconds,
            unpricedModels: options.unpricedModels, fallback: options.fallback,
            tags: options.tags, keyTags: options.keyTags
        )
        policy.budgets = options.budgets
        policy.rateLimits = options.rateLimits
        policy.leases = options.bank.table
        await loops.publisher.publish(try policy.compile(), serving: true)
        let listener = try await Listener.bind(
            ListenAddress(host: "127.0.0.1", port: 0), tls: options.tls, loops: loops
        )
        let service = ListenerService(listener: listener, loops: loops, drain: options.drain, logger: logger)
        return TestGateway(loops: loops, listener: listener, service: service, group: group, spool: spool)
    }

    private func stop(
        _ group: MultiThreadedEventLoopGroup, _ folder: String, _ upstreams: [ScriptedUpstream]
    ) async {
        for client in self.clients.all.withLock({ $0 }) { client.close() }
        await self.listener.close()
        for upstream in upstreams { await upstream.close() }
        try? await group.shutdownGracefully()
        for stream in self.spool.streams { self.spool.discard(stream) }
        rmdir(folder)
    }

    func client(tls: NIOSSLContext? = nil, serverName: String? = nil) async throws -> RawConnection {
        let client = try await RawConnection.connect(port: self.port, tls: tls, serverName: serverName)
        self.clients.all.withLock { $0.append(client) }
        return client
    }

    // MARK: What is left

    /// Settled requests in the order of their settlement.
    var records: [UsageRecord] { self.entries.filter { $0.kind == .closed }.map(\.record) }

    /// The text of each settled request's tags, empty for none.
    var tags: [String] {
        self.spool.streams.flatMap { stream in
            stream.segments.flatMap { segment in (0..<segment.count).compactMap { segment.entry($0) } }
                .filter { $0.kind == .closed }.map { stream.tags.set($0.record.tags)?.text ?? "" }
        }
    }

    var entries: [SpoolEntry] {
        self.spool.streams.flatMap { stream in
            stream.segments.flatMap { segment in (0..<segment.count).compactMap { segment.entry($0) } }
        }
    }

    /// Waits for `count` settled requests.
    @discardableResult
    func records(_ count: Int) async throws -> [UsageRecord] {
        try await eventually("\(count) settled requests") { self.records.count >= count }
        return self.records
    }

    /// Every opened request is closed once, and nothing of any request is held.
    func expectSettled() async throws {
        for client in self.clients.all.withLock({ $0 }) { client.close() }
        try await eventually("no client connections are left") {
            await self.loops.figures().connections == 0
        }
        try await eventually("nothing is in flight") {
            let figures = await self.loops.figures()
            return figures.counters.inFlight == 0 && figures.upstreamBusy == 0
        }
        let figures = await self.loops.figures()
        #expect(figures.bodyBytes == 0)
        #expect(figures.openRequests == 0)
        var opened: Set<RequestID> = []
        var closed: Set<RequestID> = []
        for entry in self.entries {
            switch entry.kind {
            case .open: #expect(opened.insert(entry.record.request).inserted, "opened twice")
            case .closed: #expect(closed.insert(entry.record.request).inserted, "closed twice")
            }
        }
        #expect(opened.isSubset(of: closed), "opened and not closed")
    }
}

/// Requests that clients send.
enum Requests {
    static func chat(
        _ body: String = #"{"model":"fast","messages":[]}"#, method: String = "POST",
        path: String = "/v1/chat/completions", version: String = "1.1", key: String = TestPolicy.secret,
        fields: String = "content-type: application/json\r\n"
    ) -> [UInt8] {
        Array(
            """
            \(method) \(path) HTTP/\(version)\r\nhost: gateway\r\nauthorization: Bearer \(key)\r\n\
            \(fields)content-length: \(body.utf8.count)\r\n\r\n\(body)
            """.utf8
        )
    }

    static func chunked(_ body: String, chunk: Int) -> [UInt8] {
        var text = """
            POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer \(TestPolicy.secret)\r\n\
            content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n
            """
        var rest = body.utf8[...]
        while !rest.isEmpty {
            let piece = rest.prefix(chunk)
            text += "\(String(piece.count, radix: 16))\r\n\(String(decoding: piece, as: UTF8.self))\r\n"
            rest = rest.dropFirst(chunk)
        }
        return Array((text + "0\r\n\r\n").utf8)
    }

    static let stream = #"{"model":"fast","messages":[],"stream":true}"#
}
