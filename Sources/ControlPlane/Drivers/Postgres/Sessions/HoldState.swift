import Synchronization

/// What the thread that holds a lock and those who wait for its end have in common.
final class HoldState: Sendable {
    private struct State {
        var isHeld = true
        var nextID = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    let waker: Waker
    private let state = Mutex(State())

    init(waker: Waker) { self.waker = waker }

    var isHeld: Bool { self.state.withLock { $0.isHeld } }

    func end() {
        let waiters = self.state.withLock { state in
            state.isHeld = false
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when the hold has ended or the task is cancelled.
    func waitForEnd() async {
        let id = self.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state in
                    guard state.isHeld, !Task.isCancelled else { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = self.state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume()
        }
    }
}
