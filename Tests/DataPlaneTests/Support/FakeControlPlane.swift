import Crypto
import Shared
import Synchronization

/// Takes usage by the rules of the real one, with a deployment's keys of its own.
final class FakeControlPlane: Sendable {
    /// How an answer is wrong.
    enum Fault: Sendable, CaseIterable {
        /// Signed by a key that the root trusts with something else.
        case wrongKey
        /// Signed by the right key as something else.
        case wrongType
        case otherBatch
        case otherStream
        /// There is none.
        case unreachable
    }

    struct Gap: Hashable, Sendable {
        let from: Int
        let to: Int
        let reason: UsageLossReason
    }

    struct Unreachable: Error {}

    private struct State {
        var last: [UsageStreamID: Int] = [:]
        var stored: [UsageStreamID: [Int: UsageRecord]] = [:]
        var gaps: [UsageStreamID: [Gap]] = [:]
        var batches: [UsageBatch] = []
        var faults: [UsageStreamID: Fault] = [:]
        /// Takes nothing, and says that it has this.
        var stuckAt: Int?
    }

    private let config = SigningKey()
    private let timestamp = SigningKey()
    private let rootKey = SigningKey()
    private let state = Mutex(State())
    let deployment: DeploymentID = TimeSource.system.newID()

    var root: TrustRoot {
        TrustRoot(
            deployment: self.deployment, version: 1,
            keys: [self.rootKey.publicKey, self.config.publicKey, self.timestamp.publicKey],
            root: .init(threshold: 1, keyIDs: [self.rootKey.publicKey.id]),
            config: .init(threshold: 1, keyIDs: [self.config.publicKey.id]),
            timestamp: .init(threshold: 1, keyIDs: [self.timestamp.publicKey.id]))
    }

    /// The root that follows, whose timestamp key is another one.
    func nextRoot(timestamp: SigningKey) throws -> [UInt8] {
        var next = self.root
        next.version = 2
        next.keys = [self.rootKey.publicKey, self.config.publicKey, timestamp.publicKey]
        next.timestamp = .init(threshold: 1, keyIDs: [timestamp.publicKey.id])
        return try self.sign(.root, next, self.rootKey).wireBytes
    }

    /// A key that the root trusts, but with something else than the time.
    var wrongKey: SigningKey { self.config }

    /// Every batch that arrived, also one that was answered wrongly.
    var batches: [UsageBatch] { self.state.withLock { $0.batches } }
    func last(_ stream: UsageStreamID) -> Int { self.state.withLock { $0.last[stream] ?? 0 } }
    func gaps(_ stream: UsageStreamID) -> [Gap] { self.state.withLock { $0.gaps[stream] ?? [] } }
    func stored(_ stream: UsageStreamID) -> [Int: UsageRecord] { self.state.withLock { $0.stored[stream] ?? [:] } }

    func set(_ fault: Fault?, for stream: UsageStreamID) { self.state.withLock { $0.faults[stream] = fault } }
    func set(stuckAt last: Int?) { self.state.withLock { $0.stuckAt = last } }

    /// The database is put back to when it had `last` records of a stream.
    func restore(_ stream: UsageStreamID, to last: Int) {
        self.state.withLock { state in
            state.last[stream] = last
            state.stored[stream] = state.stored[stream]?.filter { $0.key <= last }
            state.gaps[stream]?.removeAll { $0.to > last }
        }
    }

    /// Answers a batch, after the wire's bytes.
    func take(_ bytes: [UInt8]) throws -> Envelope {
        let batch = try UsageBatch(wire: bytes)
        let (last, fault) = self.state.withLock { state in
            state.batches.append(batch)
            let fault = state.faults[batch.stream]
            if fault == nil && state.stuckAt == nil { Self.store(batch, &state) }
            return (state.stuckAt ?? state.last[batch.stream] ?? 0, fault)
        }
        var reply = UsageReply(request: Array(SHA256.hash(data: bytes)), stream: batch.stream, last: last)
        switch fault {
        case nil: return try self.sign(.usageReply, reply, self.timestamp)
        case .wrongKey: return try self.sign(.usageReply, reply, self.config)
        case .wrongType: return try self.sign(.enrolmentReply, reply, self.timestamp)
        case .otherBatch: reply.request = Array(SHA256.hash(data: bytes + [0]))
        case .otherStream: reply.stream = TimeSource.system.newID()
        case .unreachable: throw Unreachable()
        }
        // What it says would have everything taken for delivered.
        reply.last = batch.to
        return try self.sign(.usageReply, reply, self.timestamp)
    }

    private static func store(_ batch: UsageBatch, _ state: inout State) {
        let next = (state.last[batch.stream] ?? 0) + 1
        guard (batch.lost?.from ?? batch.from) == next else { return }
        if let lost = batch.lost {
            let gap = Gap(from: lost.from, to: batch.from - 1, reason: lost.reason)
            state.gaps[batch.stream, default: []].append(gap)
        }
        for (offset, record) in batch.records.enumerated() {
            state.stored[batch.stream, default: [:]][batch.from + offset] = record
        }
        state.last[batch.stream] = batch.to
    }

    func sign(_ type: PayloadType, _ message: some WireMessage, _ key: SigningKey? = nil) throws -> Envelope {
        guard let envelope = Envelope(type, payload: message.wireBytes, keys: [key ?? self.timestamp]) else {
            throw Unreachable()
        }
        return try Envelope(wire: envelope.wireBytes)
    }
}

/// Clocks that stand still until they are moved.
final class TestClock: Sendable {
    private let state: Mutex<(now: Timestamp, uptime: UInt64)>

    init(now: Timestamp = Timestamp(microseconds: 1_800_000_000_000_000)) {
        self.state = Mutex((now, 1_000_000_000_000))
    }

    var time: TimeSource {
        TimeSource(now: { self.state.withLock { $0.now } }, uptime: { self.state.withLock { $0.uptime } })
    }

    /// Time passes.
    func advance(seconds: Int64) {
        self.state.withLock { state in
            state.now = state.now.adding(seconds: seconds)
            state.uptime += UInt64(seconds) * 1_000_000_000
        }
    }

    /// Somebody sets the wall clock.
    func step(seconds: Int64) { self.state.withLock { $0.now = $0.now.adding(seconds: seconds) } }
}
