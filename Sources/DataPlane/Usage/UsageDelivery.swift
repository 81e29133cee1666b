import Crypto
package import Logging
package import Shared

/// Brings what is in the spool to the control plane, a round at a time.
///
/// Owned by one task. A record stays in the spool until it is acknowledged, and a day longer; sending it twice is
/// harmless, because the control plane takes a batch only when it begins right after what it has.
package struct UsageDelivery {
    /// Sends a batch's bytes; answers with what came back.
    package typealias Send = @Sendable (_ batch: [UInt8]) async throws -> Envelope

    private let spool: UsageSpool
    private let gateway: GatewayID
    private let send: Send
    private let root: @Sendable () throws -> TrustRoot
    private let time: TimeSource
    private let logger: Logger
    private var cursors: [UsageStreamID: UsageCursor] = [:]
    package private(set) var figures = Figures()

    /// For metrics.
    package struct Figures: Sendable, Equatable {
        /// Closed records that are on the disk and not acknowledged yet; of each stream at most a batch.
        package var waiting = 0
        package var shipped = 0
        package var failures = 0
        /// Records that were declared lost.
        package var lost = 0
        /// Processes of which something is not acknowledged yet; nil before the first round.
        package var delivering: Set<UInt64>?
    }

    /// Nanoseconds that records are kept for after they were acknowledged.
    package static let retention: UInt64 = 86_400_000_000_000
    /// Segments of one stream that are kept after they were acknowledged (about 1.5 GB), however young they are.
    package static let segmentsKept = 512
    /// Nanoseconds between two looks at whether an idle stream is still stored: a database that is restored, or fails
    /// over to a copy that lacks the last moments, forgets what it acknowledged, and nothing else would show it.
    package static let checkInterval: UInt64 = 300_000_000_000

    /// - Parameter root: the newest trust root; replies must be signed by its timestamp role.
    package init(
        spool: UsageSpool, gateway: GatewayID, time: TimeSource, logger: Logger,
        root: @escaping @Sendable () throws -> TrustRoot, send: @escaping Send
    ) {
        self.spool = spool
        self.gateway = gateway
        self.time = time
        self.logger = logger
        self.root = root
        self.send = send
    }

    /// Has the control plane asked with the next round whether it still has what it acknowledged.
    package mutating func checkSoon() { for id in self.cursors.keys { self.cursors[id]?.checkAt = 0 } }

    /// Tries again with the next round what is waiting for another try.
    package mutating func retryNow() { for id in self.cursors.keys { self.cursors[id]?.retryAt = 0 } }

    /// Sends at most one batch of every stream, and lets go of what is old enough.
    ///
    /// - Returns: whether something was sent.
    package mutating func round() async -> Bool {
        var sent = false
        var waiting = 0
        var delivering: Set<UInt64> = []
        for stream in self.spool.streams {
            var cursor = self.cursors[stream.id] ?? UsageCursor(now: self.time.uptime())
            let run = cursor.collect(stream)
            waiting += run.records.count
            if !run.records.isEmpty || !stream.isSynced || self.spool.isLive(stream.id) {
                delivering.insert(stream.process)
            }
            let isDue = !run.records.isEmpty || self.time.uptime() >= cursor.checkAt
            if isDue && self.time.uptime() >= cursor.retryAt {
                // A stream that the control plane does not take must not hold back the others.
                do {
                    if run.records.isEmpty {
                        sent = try await self.check(stream, &cursor) || sent
                    } else {
                        try await self.deliver(stream, run, &cursor, after: cursor.acknowledged)
                        sent = true
                    }
                    cursor.failures = 0
                    cursor.checkAt = self.time.uptime() + Self.checkInterval
                } catch {
                    cursor.failures += 1
                    cursor.retryAt = self.time.uptime() + UInt64(PolicyClient.backoff(cursor.failures)) * 1_000_000
                    self.figures.failures += 1
                    self.logger.warning(
                        "usage could not be delivered", metadata: ["stream": "\(stream.id)", "error": "\(error)"])
                }
            }
            self.cursors[stream.id] = self.release(stream, &cursor, isIdle: run.records.isEmpty) ? cursor : nil
        }
        self.figures.waiting = waiting
        self.figures.delivering = delivering
        return sent
    }

    /// Sends the last acknowledged record of an idle stream again: harmless when it is stored, and the way to learn that
    /// it is not any more.
    ///
    /// - Returns: whether there is something to send again.
    private mutating func check(_ stream: SpoolStream, _ cursor: inout UsageCursor) async throws -> Bool {
        guard let (earlier, run) = cursor.again(stream) else { return false }
        var again = earlier
        try await self.deliver(stream, run, &again, after: cursor.acknowledged)
        guard again.acknowledged < run.to else { return false }
        cursor = again
        return true
    }

    /// - Parameter known: the last number that was acknowledged before: what comes after it counts as delivered.
    private mutating func deliver(
        _ stream: SpoolStream, _ run: UsageCursor.Run, _ cursor: inout UsageCursor, after known: Int
    ) async throws {
        let batch = UsageBatch(
            gateway: self.gateway, stream: stream.id, process: stream.process, from: run.from, records: run.records,
            lost: run.lost, tagSets: run.tagSets
        )
        let bytes = batch.wireBytes
        let reply = try self.open(try await self.send(bytes), request: bytes, stream: stream.id)
        let goesOn = cursor.take(last: reply.last, after: run, now: self.time.uptime())
        if reply.last == run.to {
            self.figures.shipped += max(0, run.to - max(known, run.from - 1))
            self.noteLoss(stream, run)
            if run.untagged > 0 {
                self.logger.warning(
                    "usage was delivered without its tags: the spool does not have them",
                    metadata: ["stream": "\(stream.id)", "records": "\(run.untagged)"])
            }
        } else {
            self.logger.warning(
                "the control plane expects other usage",
                metadata: ["stream": "\(stream.id)", "sent": "\(run.from)", "last": "\(reply.last)"]
            )
        }
        guard goesOn else {
            throw SnapshotError(
                .unavailable, chunk: "usage", "the control plane has \(reply.last) and does not take \(run.from)"
            )
        }
    }

    private func open(_ envelope: Envelope, request: [UInt8], stream: UsageStreamID) throws -> UsageReply {
        guard let payload = try self.root().open(envelope, as: .usageReply) else {
            throw SnapshotError(.untrusted, chunk: "usage reply", "it is not signed by the timestamp role")
        }
        let reply = try UsageReply(wire: payload)
        guard reply.request == Array(SHA256.hash(data: request)), reply.stream == stream else {
            throw SnapshotError(.misdirected, chunk: "usage reply", "it answers another batch")
        }
        return reply
    }

    private mutating func noteLoss(_ stream: SpoolStream, _ run: UsageCursor.Run) {
        guard let lost = run.lost else { return }
        self.figures.lost += run.lostCount
        self.logger.warning(
            "usage was declared lost",
            metadata: [
                "stream": "\(stream.id)", "from": "\(lost.from)", "to": "\(run.from - 1)",
                "reason": "\(lost.reason.name)",
            ]
        )
    }

    /// Lets go of what is stored and a day old.
    ///
    /// By the segment: a stream that is never idle would otherwise keep all it ever wrote.
    ///
    /// - Returns: whether the stream is still there.
    private func release(_ stream: SpoolStream, _ cursor: inout UsageCursor, isIdle: Bool) -> Bool {
        let now = self.time.uptime()
        if isIdle && !self.spool.isLive(stream.id) && stream.isSynced {
            guard now - cursor.confirmedAt > Self.retention else { return true }
            self.spool.discard(stream)
            return false
        }
        let limit = cursor.releasable(now: now, retention: Self.retention, kept: Self.segmentsKept)
        guard limit > 0 else { return true }
        do throws(FileError) {
            try stream.prune { $0.ordinal <= limit }
        } catch {
            self.logger.error("delivered usage could not be let go", metadata: ["error": "\(error)"])
        }
        return true
    }
}
