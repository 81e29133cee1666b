import Synchronization

/// The right to use a connection: `size` slots, handed to waiting tasks in order of arrival.
///
/// The queue is bounded; a wait ends early by its deadline, by cancellation, or by `close`.
final class SlotQueue: Sendable {
    private struct Waiter {
        let id: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var nextID = 0
        var isClosed = false
    }

    private let state: Mutex<State>
    private let queueSize: Int

    init(size: Int, queueSize: Int) {
        self.state = Mutex(State(free: max(1, size)))
        self.queueSize = queueSize
    }

    /// Slots that are free, and tasks that wait for one.
    var figures: (free: Int, waiting: Int) { self.state.withLock { ($0.free, $0.waiters.count) } }

    /// Returns when a slot is ours; each return needs one `release`.
    ///
    /// Throws `poolExhausted` when the queue is full or `deadline` passes, `closed`, or `CancellationError`.
    func acquire(until deadline: ContinuousClock.Instant) async throws {
        try Task.checkCancellation()
        let id = try self.state.withLock { state throws(PostgresError) -> Int? in
            if state.isClosed { throw .closed }
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            guard state.waiters.count < self.queueSize else { throw .poolExhausted }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        let expiry = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.end(id, with: PostgresError.poolExhausted)
        }
        defer { expiry.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { self.enqueue(Waiter(id: id, continuation: $0), deadline) }
        } onCancel: {
            self.end(id, with: CancellationError())
        }
    }

    func release() {
        let next = self.state.withLock { state -> Waiter? in
            if !state.waiters.isEmpty { return state.waiters.removeFirst() }
            state.free += 1
            return nil
        }
        next?.continuation.resume()
    }

    /// Refuses those who wait and those who come.
    func close() {
        let waiters = self.state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(throwing: PostgresError.closed) }
    }

    private func enqueue(_ waiter: Waiter, _ deadline: ContinuousClock.Instant) {
        let outcome = self.state.withLock { state -> Result<Void, any Error>? in
            if state.isClosed { return .failure(PostgresError.closed) }
            if state.free > 0 {
                state.free -= 1
                return .success(())
            }
            // The deadline or a cancellation may have come before there was a waiter to end.
            if Task.isCancelled { return .failure(CancellationError()) }
            if ContinuousClock.now >= deadline { return .failure(PostgresError.poolExhausted) }
            state.waiters.append(waiter)
            return nil
        }
        if let outcome { waiter.continuation.resume(with: outcome) }
    }

    private func end(_ id: Int, with error: any Error) {
        let waiter = self.state.withLock { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: error)
    }
}
