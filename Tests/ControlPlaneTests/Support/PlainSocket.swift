import Glibc
import TestKit

/// A TCP connection of a client that minds no manners.
final class PlainSocket {
    private let descriptor: Int32

    /// - Parameter receiveBuffer: bytes that the kernel takes in for us before it makes the sender wait.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(self.descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(self.descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw TestKitError("cannot connect") }
    }

    deinit { close(self.descriptor) }

    /// - Returns: whether the connection still takes something.
    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(
                    self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count < 0 { return errno == EAGAIN }
            sent += count
        }
        return true
    }

    enum Received: Equatable {
        case bytes(String)
        case nothing
        case end
    }

    /// What comes within a time.
    ///
    /// Looks now and then, and lets others run between: what answers runs on the same few threads as the test.
    func receive(milliseconds: Int) async throws -> Received {
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(milliseconds))
        while true {
            var waiting = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, 0) > 0 {
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = read(self.descriptor, &buffer, buffer.count)
                return count > 0 ? .bytes(String(decoding: buffer[..<count], as: UTF8.self)) : .end
            }
            guard ContinuousClock.now < deadline else { return .nothing }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
