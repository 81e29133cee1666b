import CEpoll
import Glibc

/// Which of many sockets can be read or written now (epoll, level-triggered).
package final class Poller {
    package struct Event {
        package let token: Int
        package let isReadable: Bool
        package let isWritable: Bool
    }

    private let descriptor: Int32
    private var buffer = [epoll_event](repeating: epoll_event(), count: 512)

    package init() {
        self.descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard self.descriptor >= 0 else { stop("epoll_create1: \(errno)") }
    }

    /// - Parameter token: what an event of this socket is told by.
    package func add(_ socket: Int32, token: Int, writing: Bool = false) {
        self.control(EPOLL_CTL_ADD, socket, token, writing)
    }

    /// Asks to be told when the socket takes bytes, too, or no longer.
    package func change(_ socket: Int32, token: Int, writing: Bool) {
        self.control(EPOLL_CTL_MOD, socket, token, writing)
    }

    private func control(_ operation: Int32, _ socket: Int32, _ token: Int, _ writing: Bool) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (writing ? EPOLLOUT.rawValue : 0)
        event.data.u64 = UInt64(token)
        guard epoll_ctl(self.descriptor, operation, socket, &event) == 0 else { stop("epoll_ctl: \(errno)") }
    }

    /// Waits at most so long (nil: as long as it takes), and hands over what happened.
    package func wait(milliseconds: Int32?, _ body: (Event) -> Void) {
        let count = epoll_wait(self.descriptor, &self.buffer, Int32(self.buffer.count), milliseconds ?? -1)
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let event = self.buffer[index]
            let failed = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            body(
                Event(
                    token: Int(event.data.u64), isReadable: failed || event.events & EPOLLIN.rawValue != 0,
                    isWritable: event.events & EPOLLOUT.rawValue != 0
                ))
        }
    }
}
