import NIOPosix
import ServiceLifecycle
import Shared

/// Makes spare segments and writes usage through to the disk, every 50 ms, on a thread of its own; takes over what other
/// processes leave behind, every minute.
struct SpoolKeeper: Service {
    let spool: UsageSpool
    let time: TimeSource

    static let interval = Duration.milliseconds(50)
    /// Nanoseconds between two looks at what others left behind.
    static let recoveryInterval: UInt64 = 60_000_000_000

    func run() async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let (spool, time) = (self.spool, self.time)
        var recoverAt = time.uptime() + Self.recoveryInterval
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            try? await threads.runIfActive { spool.maintain() }
            if time.uptime() >= recoverAt {
                recoverAt = time.uptime() + Self.recoveryInterval
                try? await threads.runIfActive { spool.recover(now: time.now()) }
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
        try? await threads.runIfActive { spool.maintain() }
        try? await threads.shutdownGracefully()
    }
}
