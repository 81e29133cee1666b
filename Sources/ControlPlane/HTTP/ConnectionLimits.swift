import Glibc
package import NIOCore

/// How long a client may take, and how many there may be.
///
/// Each bound ends a connection that makes no use of it; a request that we take long to answer is not touched.
package struct ConnectionLimits: Sendable {
    /// From the connection, TLS included, to the end of its first head.
    package var head: TimeAmount = .seconds(15)
    /// From the end of an answer to the end of the next head.
    package var idle: TimeAmount = .seconds(75)
    /// From the end of a head to the end of its body.
    package var body: TimeAmount = .seconds(60)
    /// From the first byte of an answer until the client has taken all of it.
    package var answer: TimeAmount = .seconds(120)
    /// Most connections; whoever comes then waits to be accepted.
    package var connections = 4096
    /// Most bytes of a head, and fields in it.
    package var headBytes = 32 << 10
    package var headFields = 100

    /// Descriptors that are needed for other things: the database, notifications, files.
    private static let otherDescriptors = 300

    package init() {}

    /// Raises the process's soft limit of descriptors as far as it may, and takes no more connections than fit.
    package mutating func fitDescriptors() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = rlim_t(self.connections + Self.otherDescriptors)
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = min(wanted, limit.rlim_max)
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        guard limit.rlim_cur < wanted else { return }
        self.connections = max(64, Int(limit.rlim_cur) - Self.otherDescriptors)
    }
}
