import ControlPlane
import Logging
import Postgres
import Shared
import Synchronization

/// Takes usage in as gateways deliver it, while sums are folded and reports are asked for.
struct IngestBenchmark: Sendable {
    let world: World
    /// Records a second over all gateways; nil for as many as there can be.
    let rate: Int?
    let seconds: Int

    static let batch = 500
    private static let gateways = 4

    struct Result: CustomStringConvertible {
        let description: String
    }

    private struct Counts: Sendable {
        var stored = 0
        var slowestBatch = Duration.zero
        /// From when a batch was due to when it was stored, at most.
        var latest = Duration.zero
        /// When the last batch was stored.
        var last: ContinuousClock.Instant
        var reports: [Duration] = []
        var oldest = 0.0
        var failures = 0
    }

    func run() async throws -> Result {
        let began = ContinuousClock.now
        let counts = Mutex(Counts(last: began))
        let rollups = Rollups(
            database: self.world.database, logger: Logger(label: "fold") { _ in SwiftLogNoOpLogHandler() })
        let end = began + .seconds(self.seconds)
        let shared = Shared(counts)
        await withTaskGroup(of: Void.self) { group in
            let folding = Task { await rollups.run() }
            for number in 0..<Self.gateways {
                group.addTask { await self.deliver(number, from: began, until: end, shared) }
            }
            group.addTask { await self.report(until: end, shared) }
            group.addTask { await self.watch(rollups, until: end, shared) }
            await group.waitForAll()
            folding.cancel()
            _ = await folding.value
        }
        let ended = ContinuousClock.now
        try await rollups.foldAll()
        let folded = (ContinuousClock.now - ended).text
        let checking = ContinuousClock.now
        let check = try await self.world.database.transaction(.repeatableReadWrite) { tx in
            try LedgerCheck.run(&tx, now: TimeSource.system.now())
        }
        let checked = (ContinuousClock.now - checking).text
        let found = shared.counts.withLock { $0 }
        let times = found.reports.sorted()
        let took = (found.last - began).seconds
        let median = times.isEmpty ? "none" : times[times.count / 2].text
        let slowest = times.last?.text ?? "none"
        return Result(
            description: """
                ingest \(self.rate.map { "paced at \($0) a second" } ?? "as fast as it goes") for \(self.seconds) s: \
                \(found.stored) records, \(Int(Double(found.stored) / took)) a second; slowest batch of \
                \(Self.batch): \(found.slowestBatch.text)\
                \(self.rate == nil ? "" : ", stored at most \(found.latest.text) after it was due"); folding behind \
                by at most \(Int(found.oldest * 1000)) ms, all folded \(folded) after the end; reports \
                beside it: \(times.count), median \(median), slowest \(slowest); failures: \(found.failures); \
                the ledger, checked in \(checked), \(check.holds ? "holds" : "DOES NOT HOLD: \(check.identities)")
                """)
    }

    private final class Shared: Sendable {
        let counts: Mutex<Counts>
        init(_ counts: consuming Mutex<Counts>) { self.counts = counts }
    }

    /// One gateway: a stream of batches, each decoded and stored as the endpoint does it.
    private func deliver(
        _ number: Int, from began: ContinuousClock.Instant, until end: ContinuousClock.Instant, _ shared: Shared
    ) async {
        let stream: UsageStreamID = TimeSource.system.newID()
        let gateway = GatewayID(MD5.uuid("w\(number)"))
        let caller = GatewayCaller(
            id: gateway, group: self.world.group, process: 1, issued: TimeSource.system.now(),
            standing: ProcessStanding(own: nil, newest: nil))
        var next = 1
        while ContinuousClock.now < end {
            var due: ContinuousClock.Instant?
            if let rate = self.rate {
                let paced = began + .seconds(Double(next - 1) * Double(Self.gateways) / Double(rate))
                guard paced < end else { return }
                if paced > .now { try? await Task.sleep(until: paced, clock: .continuous) }
                due = paced
            }
            let bytes = UsageBatch(
                gateway: gateway, stream: stream, from: next,
                records: (0..<Self.batch).map { self.record(next + $0, number) }
            ).wireBytes
            let start = ContinuousClock.now
            do {
                let batch = try UsageBatch(wire: bytes)
                let result = try await self.world.database.transaction(retrySerialization: 3) { tx in
                    try UsageIngest.ingest(&tx, batch, from: caller, now: TimeSource.system.now())
                }
                next += Self.batch
                let stored = ContinuousClock.now
                shared.counts.withLock { counts in
                    counts.stored += result.stored
                    counts.slowestBatch = max(counts.slowestBatch, stored - start)
                    if let due { counts.latest = max(counts.latest, stored - due) }
                    counts.last = max(counts.last, stored)
                }
            } catch {
                shared.counts.withLock { $0.failures += 1 }
            }
        }
    }

    private func record(_ number: Int, _ gateway: Int) -> UsageRecord {
        let key = (number * 7919 + gateway) % World.keys * (number % 17) / 17
        var record = UsageRecord(
            request: TimeSource.system.newID(), key: VirtualKeyID(MD5.known("k", key)),
            project: NodeID(MD5.known("p", key % 40)))
        record.model = ModelID(MD5.known("m", (key + number % 3) % 12))
        record.provider = ProviderID(MD5.known("v", (key + number % 3) % 4))
        record.started = TimeSource.system.now()
        (record.durationMicroseconds, record.firstByteMicroseconds) = (900_000, 200_000)
        (record.status, record.attempts) = (200, 1)
        (record.counters.input, record.counters.output, record.counters.requests) = (1000, 300, 1)
        record.cost = .zero
        return record
    }

    private func report(until end: ContinuousClock.Instant, _ shared: Shared) async {
        let reports = self.world.reports()
        var next = 0
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            let answer = try? await self.world.ask(reports[next % reports.count].query)
            let took = ContinuousClock.now - start
            next += 1
            shared.counts.withLock { counts in
                counts.reports.append(took)
                counts.failures += answer == nil ? 1 : 0
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func watch(_ rollups: Rollups, until end: ContinuousClock.Instant, _ shared: Shared) async {
        while ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(100))
            guard let since = rollups.figures.waitingSince else { continue }
            let age = Double(TimeSource.system.now().microseconds - since.microseconds) / 1e6
            shared.counts.withLock { $0.oldest = max($0.oldest, age) }
        }
    }
}
