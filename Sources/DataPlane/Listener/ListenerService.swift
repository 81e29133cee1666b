import Logging
import NIOCore
import ServiceLifecycle

/// Ends client connections when the gateway stops: no new ones, requests under way to their end, within a time.
struct ListenerService: Service {
    let listener: Listener
    let loops: [NIOLoopBound<LoopState>]
    let drain: Duration
    let logger: Logger

    func run() async throws {
        try? await gracefulShutdown()
        self.logger.info("draining")
        await self.listener.close()
        for loop in self.loops { try? await loop.eventLoop.submit { loop.value.drain() }.get() }
        let deadline = ContinuousClock.now.advanced(by: self.drain)
        while await self.connections() > 0 && .now < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let left = await self.connections()
        if left > 0 { self.logger.warning("connections cut off after the drain time", metadata: ["count": "\(left)"]) }
        for loop in self.loops { try? await loop.eventLoop.submit { loop.value.closeAll() }.get() }
        // What was cut off is settled by its channel's end.
        while await self.connections() > 0 && .now < deadline.advanced(by: .seconds(2)) {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func connections() async -> Int {
        var count = 0
        for loop in self.loops {
            count += (try? await loop.eventLoop.submit { loop.value.connectionCount }.get()) ?? 0
        }
        return count
    }
}
