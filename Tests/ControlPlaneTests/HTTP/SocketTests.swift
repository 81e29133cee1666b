import ControlPlane
import Glibc
import Shared
import Synchronization
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct SocketTests {
    /// One exchange over a real connection that is closed afterwards.
    private static func exchange(_ port: Int, _ request: String) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw TestKitError("cannot connect") }
        let bytes = Array(request.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        var reply: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            reply += buffer[..<count]
        }
        return String(decoding: reply, as: UTF8.self)
    }

    @Test func `requests travel over a socket and the server drains`() async throws {
        try await TestControlPlane.with { plane in
            let port = Atomic(0)
            let server = HTTPServer(
                api: plane.api, host: "127.0.0.1", port: 0, tls: nil, limits: ConnectionLimits(),
                logger: plane.database.logger
            ) {
                port.store($0, ordering: .releasing)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                try await eventually("the server listens") { port.load(ordering: .acquiring) != 0 }
                let number = port.load(ordering: .acquiring)
                let head = "Host: x\r\nAuthorization: Bearer \(plane.root)\r\nConnection: close\r\n"
                let body = "{\"name\":\"over the wire\"}"
                let made = try Self.exchange(
                    number,
                    "POST /v1/organizations HTTP/1.1\r\n\(head)Content-Type: application/json\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                #expect(made.hasPrefix("HTTP/1.1 201 Created\r\n"))
                #expect(made.lowercased().contains("location: /v1/organizations/org_"))
                #expect(made.lowercased().contains("etag: \"1\""))
                let listed = try Self.exchange(number, "GET /v1/organizations?limit=5 HTTP/1.1\r\n\(head)\r\n")
                #expect(listed.contains("over the wire"))
                let large = try Self.exchange(
                    number,
                    "POST /v1/organizations HTTP/1.1\r\n\(head)Content-Type: application/json\r\n"
                        + "Content-Length: 1100000\r\n\r\n" + String(repeating: " ", count: 1_100_000)
                )
                #expect(large.hasPrefix("HTTP/1.1 413"))
                let nowhere = try Self.exchange(number, "GET /x HTTP/1.1\r\n\(head)\r\n")
                #expect(nowhere.contains("application/problem+json"))
                group.cancelAll()
            }
        }
    }
}
