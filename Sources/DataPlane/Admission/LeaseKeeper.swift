import Crypto
package import Logging
import ServiceLifecycle
package import Shared
import Synchronization

/// Gets money of budgets and shares of rate limits from the control plane and tells it what was spent, for as long as the gateway runs.
package final class LeaseKeeper: Sendable {
    package struct Figures: Sendable {
        package var accounts = 0
        package var rateLimits = 0
        package var renewals = 0
        package var failures = 0
    }

    private let table: LeaseTable
    private let spool: UsageSpool
    private let gateway: GatewayID
    private let time: TimeSource
    private let logger: Logger
    private let root: @Sendable () throws -> TrustRoot
    private let send: @Sendable (_ request: [UInt8]) async throws -> Envelope
    private let delivering: @Sendable () -> Set<UInt64>?
    private let loops = Mutex<RequestLoops?>(nil)
    private let state = Mutex(Figures())
    private let isDraining = Atomic<Bool>(false)
    /// The uptime at which earlier processes are looked through again.
    private let forgetAt = Atomic<UInt64>(0)
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// Milliseconds between two looks at what is due.
    private static let interval = 50

    /// - Parameters:
    ///   - delivering: processes of which usage is not acknowledged yet; nil when that is not known.
    ///   - send: sends a request's bytes; answers with what came back.
    package init(
        table: LeaseTable, spool: UsageSpool, gateway: GatewayID, time: TimeSource, logger: Logger,
        root: @escaping @Sendable () throws -> TrustRoot, delivering: @escaping @Sendable () -> Set<UInt64>?,
        send: @escaping @Sendable (_ request: [UInt8]) async throws -> Envelope
    ) {
        self.table = table
        self.spool = spool
        self.gateway = gateway
        self.time = time
        self.logger = logger
        self.root = root
        self.delivering = delivering
        self.send = send
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Whose requests wait for money.
    package func serve(_ loops: RequestLoops) { self.loops.withLock { $0 = loops } }

    /// The process is ending: from now on it asks for nothing more.
    package func beginDraining() { self.isDraining.store(true, ordering: .relaxed) }

    /// A request waits for money.
    package func askSoon() { self.wake.yield() }

    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            // A look now and then, whatever happens.
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(Self.interval))
                    self.wake.yield()
                }
            }
            var book = LeaseBook(table: self.table, gateway: self.gateway)
            var rates = RateLimitBook(table: self.table.rates)
            var failures = 0
            var notBefore: UInt64 = 0
            for await _ in self.wakes.cancelOnGracefulShutdown() where self.time.uptime() >= notBefore {
                do {
                    try await self.turn(&book, &rates)
                    failures = 0
                } catch {
                    failures += 1
                    let pause = UInt64(PolicyClient.backoff(failures)) * 1_000_000
                    notBefore = self.time.uptime() + min(pause, Self.longestPause)
                    await self.failed(error, isFirst: failures == 1)
                }
            }
            group.cancelAll()
            // No request is under way any more: what is left goes back.
            book.collect(uptime: self.time.uptime())
            book.endAll()
            rates.collect(uptime: self.time.uptime())
            rates.endAll(uptime: self.time.uptime())
            do {
                try await self.renew(&book, &rates)
            } catch {
                self.logger.warning(
                    "money of budgets could not be given back: it is held until the next start says what was spent",
                    metadata: ["error": "\(error)"])
            }
        }
    }

    /// Nanoseconds between two tries: a budget that denies while nobody answers should not for long after.
    private static let longestPause: UInt64 = 2_000_000_000

    private func failed(_ error: any Error, isFirst: Bool) async {
        self.state.withLock { $0.failures += 1 }
        self.table.isAway.store(true, ordering: .relaxed)
        if isFirst { self.logger.warning("money of budgets cannot be renewed", metadata: ["error": "\(error)"]) }
        await self.tellLoops()
    }

    private func turn(_ book: inout LeaseBook, _ rates: inout RateLimitBook) async throws {
        book.collect(uptime: self.time.uptime())
        rates.collect(uptime: self.time.uptime())
        let ending = book.ending(now: self.time.now())
        if !ending.isEmpty {
            if let loops = self.loops.withLock({ $0 }) { await loops.each { _ in } }
            book.end(ending)
        }
        try await self.renew(&book, &rates)
        let (accounts, limits) = (book.count, rates.count)
        self.state.withLock { ($0.accounts, $0.rateLimits) = (accounts, limits) }
    }

    private func renew(_ book: inout LeaseBook, _ rates: inout RateLimitBook) async throws {
        let delivering = self.delivering()
        let settled = delivering.map { self.spool.settled(among: book.unsettled, delivering: $0) } ?? []
        let sentAt = self.time.uptime()
        let shares = rates.asks(uptime: sentAt)
        guard var request = book.request(uptime: sentAt, settled: settled, shares: shares) else {
            // Money that another loop let go of.
            await self.tellLoops()
            return
        }
        request.isDraining = self.isDraining.load(ordering: .relaxed)
        let bytes = request.wireBytes
        let envelope = try await self.send(bytes)
        guard let payload = try self.root().open(envelope, as: .leaseReply) else {
            throw SnapshotError(.untrusted, chunk: "lease reply", "it is not signed by the timestamp role")
        }
        let reply = try LeaseReply(wire: payload)
        guard reply.request == Array(SHA256.hash(data: bytes)) else {
            throw SnapshotError(.misdirected, chunk: "lease reply", "it answers another request")
        }
        book.apply(reply, to: request, sentAt: sentAt, uptime: self.time.uptime())
        rates.apply(reply.shares, to: shares, sentAt: sentAt, uptime: self.time.uptime())
        // What is known of all earlier processes, now and then: else each start would leave a file for ever.
        if let delivering, reply.unsettled.count < LeaseRequest.settledLimit,
            sentAt >= self.forgetAt.load(ordering: .relaxed)
        {
            self.forgetAt.store(sentAt + LeaseBook.renewal, ordering: .relaxed)
            self.spool.forget(except: delivering.union(reply.unsettled))
        }
        self.state.withLock { $0.renewals += 1 }
        self.table.isAway.store(false, ordering: .relaxed)
        await self.tellLoops()
    }

    private func tellLoops() async {
        guard let loops = self.loops.withLock({ $0 }) else { return }
        await loops.resumeParked()
    }
}

extension LeaseKeeper: Service {}
