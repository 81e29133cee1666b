import Glibc
import Synchronization

/// TCP ports on the loopback address.
package enum LocalPort {
    /// Below what Linux gives to outgoing connections: a program that is stopped finds its port free when it returns.
    private static let range = 10_000..<32_000
    private static let offset = Atomic(Int.random(in: Self.range))

    /// A port that was free a moment ago, and that this process has not been given lately.
    package static func free() throws(TestKitError) -> Int {
        for _ in 0..<1_000 {
            let offset = self.offset.wrappingAdd(1, ordering: .relaxed).newValue
            let port = Self.range.lowerBound + offset % Self.range.count
            if self.isFree(port) { return port }
        }
        throw TestKitError("no free port")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = self.loopback(port: UInt16(truncatingIfNeeded: port))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    static func accepts(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = self.loopback(port: UInt16(truncatingIfNeeded: port))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
