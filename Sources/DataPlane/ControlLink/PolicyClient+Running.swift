import Logging
import ServiceLifecycle
import Shared
import Synchronization

// The talk with the control plane, from the start of the process to its end.
extension PolicyClient: Service {
    /// What goes on between two calls.
    private struct Talk {
        /// Whether this process has its epoch, or speaks to a control plane that gives none.
        var isStarted = false
        var failures = 0
        /// Uptimes: not the wall clock, which may be put right by any amount.
        var reportAt: UInt64 = 0
        var complainAt: UInt64 = 0
    }

    /// Nanoseconds after which the next report is due.
    static let reportInterval: UInt64 = 12_000_000_000
    /// Nanoseconds between two lines that say that the process is fenced.
    static let complaintInterval: UInt64 = 60_000_000_000
    /// Milliseconds until a fenced process asks again; it only does to be seen, and for a database that is put back.
    static let fencedInterval = 12_000

    package func run() async throws {
        var session = try await self.start()
        var talk = Talk()
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            do {
                if self.status.isDraining {
                    try await self.drainingTurn(&talk)
                } else {
                    try await self.turn(&talk, &session)
                }
                talk.failures = 0
            } catch is CancellationError {
                break
            } catch let failure as ControlPlaneClient.Failure where failure.code == LinkCode.fenced {
                await self.fencedTurn(&talk, failure)
            } catch {
                talk.failures += 1
                self.logger.warning("the control plane cannot be reached", metadata: ["error": "\(error)"])
                await self.pause(milliseconds: Self.backoff(talk.failures))
            }
            await self.serve(&session)
        }
    }

    /// Says from now on that the process is ending, and asks for nothing more: another one may take its place.
    package func beginDraining() { self.shared.withLock { $0.isDraining = true } }

    private func turn(_ talk: inout Talk, _ session: inout Session) async throws {
        if !talk.isStarted {
            let epoch = try await self.client.start(as: self.identity)
            talk.isStarted = true
            self.shared.withLock { $0.epoch = epoch }
            self.logger.info(
                "this process is known",
                metadata: ["process": "\(self.client.processName)", "epoch": "\(epoch.map { "\($0)" } ?? "none")"]
            )
        }
        let sequence = self.status.sequence
        let bytes = try await cancelWhenGracefulShutdown {
            // Short polls: a report is due every 15 s.
            try await self.client.timestamp(as: self.identity, known: sequence, wait: 12)
        }
        self.shared.withLock { $0.isFenced = false }
        var changed = false
        if let bytes, !self.status.isDraining { changed = await self.take(bytes, &session) }
        if changed || self.time.uptime() >= talk.reportAt { try await self.report(&talk) }
    }

    private func drainingTurn(_ talk: inout Talk) async throws {
        if self.time.uptime() >= talk.reportAt { try await self.report(&talk) }
        await self.pause(milliseconds: 250)
    }

    /// Says what is wrong, also to the control plane, and goes on with what is served.
    private func fencedTurn(_ talk: inout Talk, _ failure: ControlPlaneClient.Failure) async {
        self.shared.withLock { $0.isFenced = true }
        if self.time.uptime() >= talk.complainAt {
            talk.complainAt = self.time.uptime() + Self.complaintInterval
            self.logger.error(
                "this process is fenced: another one runs under this gateway's identity; stop all and start one",
                metadata: ["process": "\(self.client.processName)", "answer": "\(failure)"]
            )
        }
        try? await self.report(&talk)
        await self.pause(milliseconds: Self.fencedInterval)
    }

    private func pause(milliseconds: Int) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(milliseconds)) }
    }

    /// Full jitter from 100 ms to 15 s.
    static func backoff(_ failures: Int) -> Int {
        let ceiling = min(15_000, 200 << min(failures, 7))
        return Int.random(in: 100...max(101, ceiling))
    }

    private func report(_ talk: inout Talk) async throws {
        let status = self.status
        var report = StatusReport(
            process: self.client.process, version: status.version, manifest: status.manifest,
            keyringEpoch: max(status.keyringEpoch, status.keyringEpochSeen),
            sequence: max(status.sequence, status.sequenceSeen)
        )
        report.isDraining = status.isDraining
        if let refused = status.refused {
            report.refused = refused.version
            report.code = refused.error.code.rawValue
            report.chunk = String(refused.error.chunk.prefix(64))
            report.message = String(refused.error.message.prefix(400))
        }
        try await self.client.report(as: self.identity, report)
        talk.reportAt = self.time.uptime() + Self.reportInterval
    }
}
