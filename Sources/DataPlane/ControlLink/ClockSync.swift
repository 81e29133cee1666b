package import Logging
import ServiceLifecycle
package import Shared
import Synchronization

/// Compares the gateway's clock with the control plane's: at the start, every ten minutes, and when it is doubted.
package final class ClockSync: Sendable {
    /// What the control plane is asked.
    package struct Source: Sendable {
        let deployment: DeploymentID
        /// The newest root that is trusted.
        let root: @Sendable () throws -> TrustRoot
        /// The envelope of a later root; nil when there is none.
        let nextRoot: @Sendable (_ version: Int) async throws -> [UInt8]?
        /// The time, for a nonce.
        let time: @Sendable (_ nonce: [UInt8]) async throws -> Envelope

        package init(
            deployment: DeploymentID, root: @escaping @Sendable () throws -> TrustRoot,
            nextRoot: @escaping @Sendable (_ version: Int) async throws -> [UInt8]?,
            time: @escaping @Sendable (_ nonce: [UInt8]) async throws -> Envelope
        ) {
            self.deployment = deployment
            self.root = root
            self.nextRoot = nextRoot
            self.time = time
        }
    }

    /// Why an answer is not gone by.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    private let clock: GatewayClock
    private let source: Source
    private let logger: Logger
    /// Whether it was said that the clock is far off.
    private let isFarOff = Mutex(false)

    /// Nanoseconds that an answer may take: half of it is what the time may be wrong by.
    package static let roundTripLimit: UInt64 = 5_000_000_000
    /// Nanoseconds from one comparison to the next, and to another try after one that failed or while there is doubt.
    static let interval: UInt64 = 600_000_000_000
    static let retryInterval: UInt64 = 15_000_000_000
    static let doubtInterval: UInt64 = 1_000_000_000
    /// What a start waits for the first comparison.
    static let startLimit: Duration = .seconds(2)
    /// Microseconds beyond which an operator is told.
    static let farOff: Int64 = 5_000_000

    package init(clock: GatewayClock, source: Source, logger: Logger) {
        self.clock = clock
        self.source = source
        self.logger = logger
    }

    /// Compares once, for a start that does not wait long.
    package func start() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.attempt() }
            group.addTask { try? await Task.sleep(for: Self.startLimit) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Compares from time to time until shutdown.
    package func run() async throws {
        var last = self.clock.machine.uptime()
        var wait = self.clock.offset == nil ? Self.doubtInterval : Self.interval
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            if self.clock.takeDoubt() { wait = min(wait, Self.doubtInterval) }
            if self.clock.machine.uptime() - last >= wait {
                wait = await self.attempt() ? Self.interval : Self.retryInterval
                last = self.clock.machine.uptime()
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(250)) }
        }
    }

    private func attempt() async -> Bool {
        do {
            let offset = try await self.measure()
            self.say(offset)
            return true
        } catch let refusal as Refusal {
            self.logger.warning("the clock could not be compared", metadata: ["error": "\(refusal)"])
        } catch {
            // That the control plane is away is said by whoever needs it more.
            self.logger.debug("the clock could not be compared", metadata: ["error": "\(error)"])
        }
        return false
    }

    /// Asks for the time and goes by it.
    ///
    /// - Returns: microseconds that the machine's clock is behind.
    package func measure() async throws -> Int64 {
        var random = SystemRandomNumberGenerator()
        let nonce = (0..<SignedTime.nonceSizes.lowerBound).map { _ in UInt8.random(in: 0...255, using: &random) }
        let machine = self.clock.machine
        let (began, uptime) = (machine.now(), machine.uptime())
        let envelope = try await self.source.time(nonce)
        let took = machine.uptime() - uptime
        let ended = machine.now()
        guard took < Self.roundTripLimit else { throw Refusal(description: "the answer took longer than 5 s") }
        let expected = began.adding(microseconds: Int64(took / 1000))
        guard ended > expected.adding(seconds: -1), ended < expected.adding(seconds: 1) else {
            throw Refusal(description: "the machine's clock was set meanwhile")
        }
        let signed = try await self.verified(envelope, nonce: nonce)
        let middle = began.adding(microseconds: Int64(took / 2000))
        let (offset, overflow) = signed.microseconds.subtractingReportingOverflow(middle.microseconds)
        guard !overflow else { throw Refusal(description: "the time is not possible") }
        self.clock.set(offset: offset)
        return offset
    }

    /// The time in an answer that the timestamp role of the newest root signed, for this deployment and nonce.
    ///
    /// Follows later roots without keeping them: a gateway whose clock is wrong cannot do anything else before this.
    private func verified(_ envelope: Envelope, nonce: [UInt8]) async throws -> Timestamp {
        var root = try self.source.root()
        for _ in 0..<EnrolmentReply.rootsLimit {
            if let payload = root.open(envelope, as: .time) {
                let signed = try SignedTime(wire: payload)
                guard signed.deployment == self.source.deployment, signed.nonce == nonce else {
                    throw Refusal(description: "the signed time answers another question")
                }
                return signed.time
            }
            guard let next = try await self.source.nextRoot(root.version + 1) else { break }
            root = try root.next(try Envelope(wire: next))
        }
        throw Refusal(description: "the time is not signed by the deployment's timestamp key")
    }

    private func say(_ offset: Int64) {
        let isFarOff = offset.magnitude > UInt64(Self.farOff)
        let changed = self.isFarOff.withLock { known in
            defer { known = isFarOff }
            return known != isFarOff
        }
        guard changed else { return }
        if isFarOff {
            self.logger.warning(
                "this machine's clock is wrong; the control plane's time is gone by",
                metadata: ["behind_seconds": "\(MetricsText.seconds(offset))"]
            )
        } else {
            self.logger.info("this machine's clock is right again")
        }
    }
}
