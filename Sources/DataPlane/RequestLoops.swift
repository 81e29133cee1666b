package import NIOCore
package import NIOSSL
package import Shared

/// The event loops that carry requests, each with what is its own: policy, journal, upstream connections, counters.
package struct RequestLoops: Sendable {
    package struct Settings: Sendable {
        package var timeouts: GatewayConfig.Timeouts
        /// Bytes of request bodies held at once, by all loops together.
        package var bodyMemory: Int
        /// Client connections at once, of all loops together.
        package var maxConnections: Int
        /// Whom providers must be certified by.
        package var upstreamTLS: TLSConfiguration
        /// Where the built-in mock listens.
        package var mockPort: Int

        package init(
            timeouts: GatewayConfig.Timeouts, bodyMemory: Int, maxConnections: Int, upstreamTLS: TLSConfiguration,
            mockPort: Int
        ) {
            self.timeouts = timeouts
            self.bodyMemory = bodyMemory
            self.maxConnections = maxConnections
            self.upstreamTLS = upstreamTLS
            self.mockPort = mockPort
        }
    }

    let loops: [NIOLoopBound<LoopState>]
    /// Hands a policy to each of them.
    package let publisher: PolicyPublisher

    /// Gives every loop of `group` its state and a usage stream of `spool`.
    ///
    /// - Parameters:
    ///   - leases: money of budgets, shared by the loops.
    ///   - askForMoney: called when a request waits for some.
    package static func start(
        on group: any EventLoopGroup, _ settings: Settings, spool: UsageSpool, leases: LeaseTable = LeaseTable(),
        askForMoney: @escaping @Sendable () -> Void = {}, time: TimeSource
    ) async throws -> RequestLoops {
        var tls = settings.upstreamTLS
        tls.applicationProtocols = ["http/1.1"]
        let context = try NIOSSLContext(configuration: tls)
        let eventLoops = Array(group.makeIterator())
        let waits = Waits(settings.timeouts)
        let tagValues = TagValues()
        var loops: [NIOLoopBound<LoopState>] = []
        var cells: [NIOLoopBound<PolicyCell>] = []
        for eventLoop in eventLoops {
            let stream = try spool.newStream(time.newID())
            let (loop, cell) = try await eventLoop.submit {
                guard let journal = UsageJournal(stream: stream) else {
                    throw FileError(path: stream.folder, operation: "open", code: 5)
                }
                let state = LoopState(
                    eventLoop: eventLoop, policy: PolicyCell(), journal: journal,
                    tags: TagTable(stream.tags, values: tagValues),
                    pool: UpstreamPool(
                        eventLoop: eventLoop, tls: context, connectTimeout: waits.connect, mockPort: settings.mockPort
                    ),
                    leases: leases, askForMoney: askForMoney, time: time, waits: waits,
                    bodyBytesLimit: max(1, settings.bodyMemory / eventLoops.count),
                    connectionsLimit: max(1, settings.maxConnections / eventLoops.count)
                )
                let bound = NIOLoopBound(state, eventLoop: eventLoop)
                eventLoop.scheduleRepeatedTask(initialDelay: UpstreamPool.sweepTime, delay: UpstreamPool.sweepTime) {
                    _ in
                    bound.value.pool.sweep()
                }
                let look = TimeAmount.nanoseconds(Int64(LoopLag.interval))
                eventLoop.scheduleRepeatedTask(initialDelay: look, delay: look) { _ in
                    bound.value.lag.look(uptime: bound.value.time.uptime())
                }
                return (bound, NIOLoopBound(state.policy, eventLoop: eventLoop))
            }.get()
            loops.append(loop)
            cells.append(cell)
        }
        return RequestLoops(loops: loops, publisher: PolicyPublisher(cells: cells))
    }

    /// What all loops have counted and hold.
    package func figures() async -> LoopFigures {
        var sum = LoopFigures()
        for loop in self.loops {
            guard let figures = try? await loop.eventLoop.submit({ loop.value.figures }).get() else { continue }
            sum.add(figures)
        }
        return sum
    }

    /// There is word of money: requests that wait for it look again.
    package func resumeParked() async { await self.each { $0.resumeParked() } }

    /// Does something on every loop, one after the other.
    func each(_ body: @escaping @Sendable (LoopState) -> Void) async {
        for loop in self.loops { try? await loop.eventLoop.submit { body(loop.value) }.get() }
    }
}
