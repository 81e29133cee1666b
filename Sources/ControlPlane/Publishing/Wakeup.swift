import Synchronization

/// Lets one task sleep until another says that there is something to do, or a time has passed.
///
/// A signal that comes while nobody waits is kept; several are one.
package final class Wakeup: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func signal() { self.continuation.yield() }

    /// Returns at the next signal, after `duration`, or when the task is cancelled.
    package func wait(upTo duration: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.stream { break } }
            group.addTask { try? await Task.sleep(for: duration) }
            await group.next()
            group.cancelAll()
        }
    }
}
