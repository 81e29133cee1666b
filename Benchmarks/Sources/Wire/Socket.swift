import Glibc

/// TCP on this machine, non-blocking.
package enum Socket {
    package static func listen(port: Int) -> Int32 {
        let socket = self.make()
        var on: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let bound = self.withAddress(port) { bind(socket, $0, $1) }
        guard bound == 0, Glibc.listen(socket, 4096) == 0 else { stop("port \(port) cannot be listened on: \(errno)") }
        return socket
    }

    /// The next connection that waits; nil when there is none.
    package static func accept(_ listener: Int32) -> Int32? {
        let socket = Glibc.accept(listener, nil, nil)
        guard socket >= 0, fcntl(socket, F_SETFL, O_NONBLOCK) == 0 else { return nil }
        self.setNoDelay(socket)
        return socket
    }

    /// Begins to connect; the socket can be written when it is done.
    package static func connect(port: Int) -> Int32 {
        let socket = self.make()
        self.setNoDelay(socket)
        let result = self.withAddress(port) { Glibc.connect(socket, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else { stop("port \(port) cannot be reached: \(errno)") }
        return socket
    }

    private static func make() -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(AF_INET, kind, 0)
        guard socket >= 0 else { stop("no socket: \(errno)") }
        return socket
    }

    private static func setNoDelay(_ socket: Int32) {
        var on: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func withAddress<Result>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
        -> Result
    {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
