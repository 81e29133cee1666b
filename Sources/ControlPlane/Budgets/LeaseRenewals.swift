package import Postgres
package import Shared
import Synchronization

/// Renews for all gateways that ask this replica, with few connections: whoever asks while others are renewed waits, and
/// then those that wait are renewed together.
///
/// So an account that a hundred gateways spend from is locked and written once for all of them, and usage and everything
/// else always have connections. In order of arrival; what waits is bounded.
package final class LeaseRenewals: Sendable {
    /// What may be decided at once, and what may wait.
    package struct Limits: Sendable {
        /// Transactions that renew several gateways at the same time: while one writes, the other reads.
        package var lanes = 2
        /// Transactions besides that renew one which has to wait for its usage, or with which others failed.
        package var lanesAlone = 2
        /// Gateways, and accounts, in one transaction.
        package var gatewaysAtOnce = 32
        package var asksAtOnce = LeaseRequest.asksLimit
        /// Gateways, and accounts, that wait.
        package var gatewaysWaiting = 1024
        package var asksWaiting = 1 << 18
        /// Nanoseconds: gateways give up after ten seconds and ask again.
        package var longestWait: UInt64 = 8_000_000_000

        package init() {}
    }

    package struct Figures: Sendable, Equatable {
        /// Gateways that wait.
        package var waiting = 0
        /// Transactions under way.
        package var running = 0
        package var transactions = 0
        package var renewals = 0
        /// Renewed on their own because usage of theirs was being stored, or because renewing them with others failed.
        package var alone = 0
        package var refused = 0
    }

    private struct Waiter {
        let word: LeaseWord
        let arrived: UInt64
        let continuation: CheckedContinuation<LeaseReply, any Error>

        var asks: Int { self.word.request.asks.count + self.word.request.shares.count }
    }

    private struct State {
        /// In order of arrival.
        var waiting: [Waiter] = []
        /// Of those.
        var asks = 0
        /// Those that are renewed on their own; they are no more than were taken in.
        var alone: [Waiter] = []
        var running = 0
        var runningAlone = 0
        var figures = Figures()
    }

    private let database: Database
    private let time: TimeSource
    private let limits: Limits
    private let state = Mutex(State())

    package init(database: Database, time: TimeSource, limits: Limits = Limits()) {
        self.database = database
        self.time = time
        self.limits = limits
    }

    package var figures: Figures {
        self.state.withLock { state in
            var figures = state.figures
            figures.waiting = state.waiting.count + state.alone.count
            figures.running = state.running + state.runningAlone
            return figures
        }
    }

    /// - Returns: a reply without the hash of its request.
    package func renew(_ word: LeaseWord) async throws -> LeaseReply {
        try await withCheckedThrowingContinuation { continuation in
            let waiter = Waiter(word: word, arrived: self.time.uptime(), continuation: continuation)
            let outcome = self.state.withLock { state -> (isTaken: Bool, starts: Bool) in
                guard state.waiting.count + state.alone.count < self.limits.gatewaysWaiting,
                    state.waiting.isEmpty || state.asks + waiter.asks <= self.limits.asksWaiting
                else {
                    state.figures.refused += 1
                    return (false, false)
                }
                state.waiting.append(waiter)
                state.asks += waiter.asks
                guard state.running < self.limits.lanes else { return (true, false) }
                state.running += 1
                return (true, true)
            }
            if !outcome.isTaken { continuation.resume(throwing: Self.busy) }
            if outcome.starts { Task { await self.run() } }
        }
    }

    private static let busy = ControlError(
        .unavailable, "renewals_waiting", "Too many renewals wait; try again in a second.")

    /// Renews until nobody waits.
    private func run() async {
        while true {
            let (batch, late) = self.state.withLock { self.take(&$0) }
            for waiter in late { waiter.continuation.resume(throwing: Self.busy) }
            if batch.isEmpty { return }
            await self.renew(batch, isAlone: false)
        }
    }

    /// Renews those that are alone until there are none.
    private func runAlone() async {
        while true {
            let next = self.state.withLock { state -> Waiter? in
                guard state.alone.isEmpty else { return state.alone.removeFirst() }
                state.runningAlone -= 1
                return nil
            }
            guard let next else { return }
            if self.time.uptime() > next.arrived + self.limits.longestWait {
                self.state.withLock { $0.figures.refused += 1 }
                next.continuation.resume(throwing: Self.busy)
            } else {
                await self.renew([next], isAlone: true)
            }
        }
    }

    /// The first one that waits, and those after it that can be renewed with it: of its group, one of each gateway.
    ///
    /// Nobody waits: the lane is given up.
    private func take(_ state: inout State) -> (batch: [Waiter], late: [Waiter]) {
        let now = self.time.uptime()
        var batch: [Waiter] = []
        var late: [Waiter] = []
        var rest: [Waiter] = []
        var gateways: Set<GatewayID> = []
        var asks = 0
        for waiter in state.waiting {
            let caller = waiter.word.caller
            if now > waiter.arrived + self.limits.longestWait {
                late.append(waiter)
            } else if batch.isEmpty
                || (batch.count < self.limits.gatewaysAtOnce
                    && batch[0].word.caller.group == caller.group && asks + waiter.asks <= self.limits.asksAtOnce
                    && !gateways.contains(caller.id))
            {
                batch.append(waiter)
                gateways.insert(caller.id)
                asks += waiter.asks
            } else {
                rest.append(waiter)
                // What is of the same gateway keeps its order.
                gateways.insert(caller.id)
            }
        }
        state.waiting = rest
        state.asks = rest.reduce(0) { $0 + $1.asks }
        state.figures.refused += late.count
        if batch.isEmpty { state.running -= 1 }
        return (batch, late)
    }

    private func renew(_ batch: [Waiter], isAlone: Bool) async {
        let words = batch.map(\.word)
        do {
            let now = self.time.now()
            let replies = try await self.database.transaction(retrySerialization: 5) { tx in
                var replies = try LeaseRenewal.renew(&tx, words, waits: isAlone, now: now)
                try ShareRenewal.lock(&tx, words, at: now)
                for (index, word) in words.enumerated() where replies[index] != nil {
                    replies[index]?.shares = try ShareRenewal.renew(
                        &tx, word.request, from: word.caller, isFrozen: word.isFenced, now: now)
                }
                return replies
            }
            self.state.withLock { state in
                state.figures.transactions += 1
                state.figures.renewals += replies.count { $0 != nil }
            }
            for (waiter, reply) in zip(batch, replies) {
                if let reply { waiter.continuation.resume(returning: reply) } else { self.repeatAlone([waiter]) }
            }
        } catch {
            if batch.count > 1, Self.mayBeOfOne(error) {
                self.repeatAlone(batch)
            } else {
                for waiter in batch { waiter.continuation.resume(throwing: error) }
            }
        }
    }

    private func repeatAlone(_ waiters: [Waiter]) {
        let starts = self.state.withLock { state -> Int in
            state.figures.alone += waiters.count
            state.alone += waiters
            let starts = min(state.alone.count, self.limits.lanesAlone - state.runningAlone)
            state.runningAlone += starts
            return starts
        }
        for _ in 0..<starts { Task { await self.runAlone() } }
    }

    /// Whether the others may succeed without the one that made it fail.
    private static func mayBeOfOne(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return !(error is CancellationError) }
        switch error {
        case .connection, .closed, .poolExhausted, .timeout, .commitUnknown: return false
        case .server, .decoding, .encoding: return true
        }
    }
}
