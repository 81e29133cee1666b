package import Logging
package import Postgres
package import Shared
import Synchronization

/// Delivers events to webhooks: at least once, in no promised order.
///
/// Every replica delivers. An attempt is taken in a transaction (`for update skip locked`) that moves the delivery's next
/// attempt ahead by a minute and counts it; the request is made without one, and its end is stored under the attempt's
/// number. A replica that dies in between leaves a delivery that is due again after that minute.
package final class WebhookDeliverer: Sendable {
    private let database: Database
    private let keys: KeyEncryptionKeys
    private let sender: WebhookSender
    private let time: TimeSource
    private let logger: Logger
    private let jitter: @Sendable () -> Int64
    private let state = Mutex(Figures())

    /// For metrics.
    package struct Figures: Sendable {
        /// Attempts that this replica made, by how they ended.
        package var attempts: [Outcome: Int] = [:]
        package var failures = 0
        /// Deliveries that waited when this replica last looked, and since when the oldest of them did.
        package var waiting = 0
        package var waitingSince: Timestamp?
    }

    package enum Outcome: String, Sendable, CaseIterable {
        case delivered
        /// Failed, to be tried again.
        case retried
        /// Failed for good.
        case failed
        /// The receiver wants nothing more (410).
        case gone
    }

    /// Attempts under way at once, of all webhooks and of one.
    package static let concurrency = 8
    package static let concurrencyOfWebhook = 2
    static let interval: Duration = .seconds(1)
    /// How often it is counted what waits.
    private static let pausesPerLook = 10

    package init(
        database: Database, keys: KeyEncryptionKeys, sender: WebhookSender, time: TimeSource, logger: Logger,
        jitter: @escaping @Sendable () -> Int64 = { Int64.random(in: WebhookSchedule.jitter) }
    ) {
        self.database = database
        self.keys = keys
        self.sender = sender
        self.time = time
        self.logger = logger
        self.jitter = jitter
    }

    package var figures: Figures { self.state.withLock { $0 } }

    /// Runs until the task is cancelled.
    package func run() async { await self.deliver(isEndless: true) }

    /// Makes every attempt that is due, and those that become due meanwhile; returns when none is.
    package func deliverDue() async { await self.deliver(isEndless: false) }

    private enum Finished: Sendable {
        case attempt(WebhookID)
        case pause
    }

    private func deliver(isEndless: Bool) async {
        await withTaskGroup(of: Finished.self) { group in
            var underWay: [WebhookID: Int] = [:]
            var pauses = 0
            if isEndless { group.addTask { await Self.pause() } }
            while !Task.isCancelled {
                for job in await self.take(besides: underWay) {
                    underWay[job.claim.webhook, default: 0] += 1
                    group.addTask {
                        await self.attempt(job)
                        return .attempt(job.claim.webhook)
                    }
                }
                switch await group.next() {
                case .attempt(let webhook)?:
                    let left = (underWay[webhook] ?? 1) - 1
                    underWay[webhook] = left > 0 ? left : nil
                case .pause?:
                    if pauses % Self.pausesPerLook == 0 { await self.lookWhatWaits() }
                    pauses += 1
                    group.addTask { await Self.pause() }
                case nil:
                    await self.lookWhatWaits()
                    return
                }
            }
            group.cancelAll()
        }
    }

    private static func pause() async -> Finished {
        try? await Task.sleep(for: Self.interval)
        return .pause
    }

    private func lookWhatWaits() async {
        do {
            let waiting = try await self.database.transaction(.readOnly) { tx in try WebhookDeliveryStore.waiting(&tx) }
            self.state.withLock { ($0.waiting, $0.waitingSince) = waiting }
        } catch is CancellationError {
            return
        } catch {
            self.failed("waiting webhook deliveries were not counted", error)
        }
    }

    // MARK: Taking

    /// One attempt, with what it takes to make it.
    private struct Job: Sendable {
        let claim: WebhookDeliveryStore.Claim
        let event: Event
        let url: String
        /// Newest first; none when they cannot be opened.
        let secrets: [Secret<String>]
    }

    /// Takes what is due until there is no room for more, or nothing more.
    private func take(besides underWay: [WebhookID: Int]) async -> [Job] {
        var counts = underWay
        var jobs: [Job] = []
        do {
            while true {
                let room = Self.concurrency - counts.values.reduce(0, +)
                guard room > 0 else { break }
                let taken = try await self.take(room, busy: counts)
                guard taken.count > 0 else { break }
                for job in taken.jobs { counts[job.claim.webhook, default: 0] += 1 }
                jobs += taken.jobs
            }
        } catch is CancellationError {
            return jobs
        } catch {
            self.failed("webhook deliveries were not taken", error)
        }
        return jobs
    }

    /// - Returns: how many deliveries were taken, and those of them that are to be attempted.
    private func take(_ room: Int, busy: [WebhookID: Int]) async throws -> (count: Int, jobs: [Job]) {
        let now = self.time.now()
        let keys = self.keys
        // One that has an attempt under way waits with the rest: so none is asked by more than the limit.
        let besides = busy.keys.sorted()
        return try await self.database.transaction { tx in
            let claims = try WebhookDeliveryStore.claim(
                room, perWebhook: Self.concurrencyOfWebhook, busy: besides, at: now, &tx)
            guard !claims.isEmpty else { return (0, []) }
            let webhooks = Set(claims.map(\.webhook))
            let urls = try WebhookStore.activeURLs(of: webhooks, &tx)
            let sealed = try WebhookStore.secrets(of: webhooks, at: now, &tx)
            var jobs: [Job] = []
            for claim in claims {
                guard let url = urls[claim.webhook], let event = try EventStore.find(claim.event, &tx) else {
                    // Its event was stored while it was being disabled.
                    try WebhookDeliveryStore.finish(
                        claim, state: .failed, next: now, status: nil, error: "the webhook is disabled or deleted",
                        at: now, &tx)
                    continue
                }
                // One whose secret cannot be opened must not keep the others waiting.
                let secrets = (sealed[claim.webhook] ?? []).compactMap { version, secret -> Secret<String>? in
                    let bytes = try? keys.open(
                        secret, context: KeyEncryptionKeys.webhookContext(claim.webhook, version: version))
                    return bytes.map { Secret(String(decoding: $0.reveal(), as: UTF8.self)) }
                }
                jobs.append(Job(claim: claim, event: event, url: url, secrets: secrets))
            }
            return (claims.count, jobs)
        }
    }

    // MARK: Attempts

    private func attempt(_ job: Job) async {
        let result = await self.send(job)
        // The process ends: the attempt is made again when its claim has.
        if Task.isCancelled, result.status == nil { return }
        do {
            let outcome = try await self.store(result, of: job)
            self.state.withLock { $0.attempts[outcome, default: 0] += 1 }
        } catch {
            self.failed("the end of a webhook delivery was not stored", error)
        }
    }

    private func send(_ job: Job) async -> WebhookSender.Result {
        guard !job.secrets.isEmpty else { return .failed("no key-encryption key opens its secret") }
        let id = job.event.id.description
        let seconds = self.time.now().seconds
        let body = job.event.payload.utf8
        return await self.sender.post(
            job.url,
            [
                ("content-type", "application/json"), ("user-agent", "gatehouse"), ("webhook-id", id),
                ("webhook-timestamp", String(seconds)),
                (
                    "webhook-signature",
                    WebhookSignature.field(job.secrets, id: id, timestamp: seconds, body: body)
                ),
            ], body: body, attempt: job.claim.attempt)
    }

    private func store(_ result: WebhookSender.Result, of job: Job) async throws -> Outcome {
        let now = self.time.now()
        let error = result.error ?? result.status.map { "the receiver answered \($0)" }
        let next = WebhookSchedule.next(
            after: job.claim.attempt, at: now, jitter: self.jitter(), retryAfter: result.retryAfter)
        return try await self.database.transaction { tx in
            let (claim, status) = (job.claim, result.status)
            if let status, (200..<300).contains(status) {
                try WebhookDeliveryStore.finish(
                    claim, state: .delivered, next: now, status: status, error: nil, at: now, &tx)
                return .delivered
            }
            if status == 410 {
                try WebhookDeliveryStore.finish(
                    claim, state: .failed, next: now, status: status, error: error, at: now, &tx)
                try WebhookDisabling.disable(claim.webhook, event: claim.event, at: now, &tx)
                return .gone
            }
            try WebhookDeliveryStore.finish(
                claim, state: next == nil ? .failed : .pending, next: next ?? now, status: status, error: error,
                at: now, &tx)
            return next == nil ? .failed : .retried
        }
    }

    private func failed(_ message: Logger.Message, _ error: any Error) {
        self.state.withLock { $0.failures += 1 }
        self.logger.error(message, metadata: ["error": "\(error)"])
    }
}
