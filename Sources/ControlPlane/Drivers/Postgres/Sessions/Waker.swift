import CLibPQ
import Glibc
import Synchronization

/// Ends a thread's wait on a session from another thread, once and for all.
final class Waker: Sendable {
    enum Event { case readable, woken, timeout }

    private let descriptor: Int32
    private let woken = Atomic(false)

    init() throws(PostgresError) {
        self.descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard self.descriptor >= 0 else { throw .connection("no file descriptor available") }
    }

    deinit { close(self.descriptor) }

    var isWoken: Bool { self.woken.load(ordering: .acquiring) }

    func wake() {
        self.woken.store(true, ordering: .releasing)
        eventfd_write(self.descriptor, 1)
    }

    /// Waits until `socket` has something to read, `wake` is called, or `timeout` has passed.
    func wait(forSocket socket: Int32 = -1, timeout: Duration) -> Event {
        // A negative descriptor is ignored by poll.
        var descriptors = [
            pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, 2, timeout.wholeMilliseconds)
        if self.isWoken { return .woken }
        return descriptors[1].revents != 0 ? .readable : .timeout
    }
}
