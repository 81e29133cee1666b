import NIOPosix
import ServiceLifecycle

/// Makes spare segments and writes usage through to the disk, every 50 ms, on a thread of its own.
struct SpoolKeeper: Service {
    let spool: UsageSpool

    static let interval = Duration.milliseconds(50)

    func run() async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let spool = self.spool
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            try? await threads.runIfActive { spool.maintain() }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
        try? await threads.runIfActive { spool.maintain() }
        try? await threads.shutdownGracefully()
    }
}
