import ServiceLifecycle
import Synchronization

/// Moves usage from the spool to the control plane for as long as the gateway runs.
package final class UsageShipper: Service {
    private let spool: UsageSpool
    private let delivery: @Sendable () -> UsageDelivery
    /// Counts the signs that the control plane's database was restored.
    private let restoreSigns: @Sendable () -> Int
    private let state = Mutex(UsageDelivery.Figures())

    /// Rounds after everything is written down; the rest is in the spool for the next start.
    static let lastRounds = 100

    package init(
        spool: UsageSpool, restoreSigns: @escaping @Sendable () -> Int,
        delivery: @escaping @Sendable () -> UsageDelivery
    ) {
        self.spool = spool
        self.restoreSigns = restoreSigns
        self.delivery = delivery
    }

    package var figures: UsageDelivery.Figures { self.state.withLock { $0 } }

    /// Ships until shutdown, then what finished while draining.
    package func run() async throws {
        var delivery = self.delivery()
        var signs = 0
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            let now = self.restoreSigns()
            if now != signs {
                signs = now
                delivery.checkSoon()
            }
            if await !self.round(&delivery) {
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(100)) }
            }
        }
        self.spool.sync()
        delivery.retryNow()
        for _ in 0..<Self.lastRounds {
            guard await self.round(&delivery) else { break }
        }
    }

    private func round(_ delivery: inout UsageDelivery) async -> Bool {
        let sent = await delivery.round()
        self.state.withLock { $0 = delivery.figures }
        return sent
    }
}
