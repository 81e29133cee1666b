package import Logging
import NIOCore
import ServiceLifecycle

/// Ends client connections when the gateway stops: no new ones, requests under way to their end, within a time.
package struct ListenerService: Service {
    private let listener: Listener
    private let loops: RequestLoops
    private let drainTime: Duration
    private let logger: Logger
    private let onDrain: @Sendable () -> Void

    /// - Parameter onDrain: told when the gateway begins to end.
    package init(
        listener: Listener, loops: RequestLoops, drain: Duration, logger: Logger,
        onDrain: @escaping @Sendable () -> Void = {}
    ) {
        self.onDrain = onDrain
        self.listener = listener
        self.loops = loops
        self.drainTime = drain
        self.logger = logger
    }

    package func run() async throws {
        try? await gracefulShutdown()
        await self.drain()
    }

    /// Takes no more, waits for what is under way, and cuts off what is left after the time.
    package func drain() async {
        self.logger.info("draining")
        self.onDrain()
        await self.listener.close()
        await self.loops.each { $0.drain() }
        let deadline = ContinuousClock.now.advanced(by: self.drainTime)
        while await self.loops.figures().connections > 0 && .now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let left = await self.loops.figures().connections
        if left > 0 { self.logger.warning("connections cut off after the drain time", metadata: ["count": "\(left)"]) }
        await self.loops.each { $0.closeAll() }
        // What was cut off is settled; its last bytes have a moment to go out.
        while await self.loops.figures().connections > 0 && .now < deadline.advanced(by: .seconds(3)) {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
