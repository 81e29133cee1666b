import Synchronization

/// Lets one task sleep until another says that there is something to do, or a time has passed.
///
/// A signal that comes while nobody waits is kept; several are one. One task waits at a time.
package final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func signal() {
        let waiter = self.state.withLock { state in
            state.isSignalled = state.waiter == nil
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Returns at the next signal, after `duration`, or when the task is cancelled.
    package func wait(upTo duration: Duration) async {
        let timer = Task {
            guard (try? await Task.sleep(for: duration)) != nil else { return }
            self.resume()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = self.state.withLock { state in
                    if state.isSignalled || Task.isCancelled || state.waiter != nil {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            self.resume()
        }
        timer.cancel()
    }

    /// Ends the wait without a signal.
    private func resume() {
        self.state.withLock { $0.waiter.take() }?.resume()
    }
}
