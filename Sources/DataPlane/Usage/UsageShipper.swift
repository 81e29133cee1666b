import Crypto
package import Logging
import ServiceLifecycle
package import Shared
import Synchronization

/// Moves usage from the spool to the control plane.
///
/// A record stays in the spool until it is acknowledged, and a day longer; sending it twice is harmless, because the
/// control plane takes a batch only when it begins right after what it has.
package final class UsageShipper: Sendable {
    private let spool: UsageSpool
    private let client: ControlPlaneClient
    private let identity: GatewayIdentity
    private let store: SnapshotStore
    private let time: TimeSource
    private let logger: Logger
    /// Counts the signs that the control plane's database was restored.
    private let restoreSigns: @Sendable () -> Int
    private let state = Mutex(Figures())

    /// For metrics.
    package struct Figures: Sendable {
        /// Closed records that are not acknowledged yet.
        package var waiting = 0
        package var shipped = 0
        package var failures = 0
    }

    /// How far one stream is.
    private struct Cursor {
        var acknowledged = 0
        /// The highest acknowledged, and since when.
        var confirmed = 0
        var confirmedAt: Timestamp
        /// The uptime at which the control plane is asked again whether it still has the last of it.
        var checkAt: UInt64 = 0
        /// Where the next record to send is looked for.
        var segment = 0
        var entry = 0
        /// Calls that failed in a row, and the uptime before which there is no other.
        var failures = 0
        var retryAt: UInt64 = 0
        /// The newest segments of which every record is acknowledged, and since when: oldest first.
        var acknowledgedSegments: [(upTo: Int, since: Timestamp)] = []
    }

    static let retention: Int64 = 86_400
    /// Segments of one stream that are kept after they were acknowledged (about 1.5 GB), however young they are.
    static let segmentsKept = 512
    /// Nanoseconds between two looks at whether an idle stream is still stored: a database that is restored, or fails
    /// over to a copy that lacks the last moments, forgets what it acknowledged, and nothing else would show it.
    static let checkInterval: UInt64 = 300_000_000_000

    package init(
        spool: UsageSpool, client: ControlPlaneClient, identity: GatewayIdentity, store: SnapshotStore,
        time: TimeSource, logger: Logger, restoreSigns: @escaping @Sendable () -> Int
    ) {
        self.restoreSigns = restoreSigns
        self.spool = spool
        self.client = client
        self.identity = identity
        self.store = store
        self.time = time
        self.logger = logger
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Ships until shutdown, then once more: what finished while draining.
    package func run() async throws {
        var cursors: [UsageStreamID: Cursor] = [:]
        var signs = 0
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            let now = self.restoreSigns()
            if now != signs {
                signs = now
                for id in cursors.keys { cursors[id]?.checkAt = 0 }
            }
            if await !self.shipOnce(&cursors) {
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(100)) }
            }
        }
        for id in cursors.keys { cursors[id]?.retryAt = 0 }
        // Bounded: at most this many more batches; the rest is in the spool for the next start.
        for _ in 0..<100 {
            guard await self.shipOnce(&cursors) else { break }
        }
    }

    /// Sends at most one batch of every stream.
    ///
    /// - Returns: whether something was sent.
    private func shipOnce(_ cursors: inout [UsageStreamID: Cursor]) async -> Bool {
        var sent = false
        var waiting = 0
        for stream in self.spool.streams {
            var cursor = cursors[stream.id] ?? Cursor(confirmedAt: self.time.now())
            let run = Self.collect(stream, &cursor)
            waiting += run.records.count
            let isDue = !run.records.isEmpty || self.time.uptime() >= cursor.checkAt
            if isDue && self.time.uptime() >= cursor.retryAt {
                // A stream that the control plane does not take must not hold back the others.
                do {
                    if run.records.isEmpty {
                        sent = try await self.check(stream, &cursor) || sent
                    } else {
                        try await self.send(stream, run, &cursor)
                        sent = true
                    }
                    cursor.failures = 0
                    cursor.checkAt = self.time.uptime() + Self.checkInterval
                } catch {
                    cursor.failures += 1
                    cursor.retryAt =
                        self.time.uptime() + UInt64(PolicyClient.backoff(cursor.failures)) * 1_000_000
                    self.state.withLock { $0.failures += 1 }
                    self.logger.warning(
                        "usage could not be delivered", metadata: ["stream": "\(stream.id)", "error": "\(error)"])
                }
            }
            self.release(stream, &cursor, isIdle: run.records.isEmpty)
            cursors[stream.id] = cursor
        }
        self.state.withLock { $0.waiting = waiting }
        return sent
    }

    /// The records after the last acknowledged one, up to a batch, and the number of the first.
    private static func collect(
        _ stream: SpoolStream, _ cursor: inout Cursor
    ) -> (from: Int, records: [UsageRecord]) {
        let segments = stream.segments
        var records: [UsageRecord] = []
        var from = 0
        // The cursor names a segment by its ordinal: pruning moves positions.
        guard var position = segments.firstIndex(where: { $0.ordinal >= cursor.segment }) else { return (0, []) }
        if segments[position].ordinal != cursor.segment { cursor.entry = 0 }
        var index = cursor.entry
        var isLeading = true
        while position < segments.count && records.count < UsageBatch.recordsLimit {
            let segment = segments[position]
            let count = segment.count
            while index < count && records.count < UsageBatch.recordsLimit {
                if let entry = segment.entry(index), entry.kind == .closed, entry.sequence > cursor.acknowledged {
                    isLeading = false
                    if records.isEmpty { from = entry.sequence }
                    guard entry.sequence == from + records.count else { return (from, records) }
                    records.append(entry.record)
                } else if isLeading {
                    cursor.segment = segment.ordinal
                    cursor.entry = index + 1
                }
                index += 1
            }
            // A segment that may still grow is not left.
            guard index >= SpoolSegment.capacity || position + 1 < segments.count else { break }
            position += 1
            index = 0
        }
        return (from, records)
    }

    /// Sends the last acknowledged record of an idle stream again: harmless when it is stored, and the way to learn that
    /// it is not any more.
    ///
    /// - Returns: whether there is something to send again.
    private func check(_ stream: SpoolStream, _ cursor: inout Cursor) async throws -> Bool {
        guard cursor.acknowledged > 0 else { return false }
        var last = cursor
        last.acknowledged -= 1
        last.segment = max(0, cursor.segment - 1)
        last.entry = 0
        let run = Self.collect(stream, &last)
        // Let go of, a day after it was acknowledged.
        guard run.from == cursor.acknowledged else { return false }
        try await self.send(stream, run, &last)
        guard last.acknowledged < cursor.acknowledged + run.records.count - 1 else { return false }
        cursor = last
        return true
    }

    private func send(
        _ stream: SpoolStream, _ run: (from: Int, records: [UsageRecord]), _ cursor: inout Cursor
    ) async throws {
        let batch = UsageBatch(
            gateway: self.identity.gateway, stream: stream.id, from: run.from, records: run.records
        )
        let bytes = batch.wireBytes
        let envelope = try await self.client.usage(as: self.identity, bytes)
        let root = try self.store.loadRoot()
        guard let payload = root.open(envelope, as: .usageReply) else {
            throw SnapshotError(.untrusted, chunk: "usage reply", "it is not signed by the timestamp role")
        }
        let reply = try UsageReply(wire: payload)
        guard reply.request == Array(SHA256.hash(data: bytes)), reply.stream == stream.id else {
            throw SnapshotError(.misdirected, chunk: "usage reply", "it answers another batch")
        }
        if reply.last == batch.to {
            if reply.last > cursor.confirmed { self.state.withLock { $0.shipped += run.records.count } }
        } else {
            self.logger.warning(
                "the control plane expects other usage",
                metadata: ["stream": "\(stream.id)", "sent": "\(batch.from)", "last": "\(reply.last)"]
            )
        }
        guard reply.last + 1 >= run.from || reply.last < cursor.acknowledged else {
            throw SnapshotError(
                .unavailable, chunk: "usage",
                "\(stream.id): the control plane expects \(reply.last + 1), the spool begins at \(run.from)"
            )
        }
        // Also backwards, for a control plane whose database was restored.
        if reply.last < cursor.acknowledged {
            cursor.segment = 0
            cursor.entry = 0
        }
        if reply.last != cursor.confirmed { cursor.confirmedAt = self.time.now() }
        cursor.confirmed = reply.last
        cursor.acknowledged = reply.last
    }

    /// Lets go of what is stored and a day old.
    ///
    /// By the segment: a stream that is never idle would otherwise keep all it ever wrote.
    private func release(_ stream: SpoolStream, _ cursor: inout Cursor, isIdle: Bool) {
        let now = self.time.now()
        if isIdle && !self.spool.isLive(stream.id) {
            guard now > cursor.confirmedAt.adding(seconds: Self.retention) else { return }
            self.spool.discard(stream)
            return
        }
        let done = cursor.segment - 1
        if let last = cursor.acknowledgedSegments.last, last.upTo >= done {
            // After a restored control plane the cursor begins again: what is sent anew is not let go.
            cursor.acknowledgedSegments.removeAll { $0.upTo > done }
        } else if done > 0 {
            cursor.acknowledgedSegments.append((done, now))
        }
        var limit = 0
        while let first = cursor.acknowledgedSegments.first,
            now > first.since.adding(seconds: Self.retention) || first.upTo <= done - Self.segmentsKept
        {
            limit = first.upTo
            cursor.acknowledgedSegments.removeFirst()
        }
        if limit > 0 { stream.prune { $0.ordinal <= limit } }
    }
}
