import ControlPlane
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import Shared
import Synchronization
import TestKit
import Testing

/// Clients that take their time are ended; those that wait for us are not.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SlowClientTests {
    /// Each bound short, the others long: what ends a connection is the one that is meant.
    private static var patient: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.head = .minutes(10)
        limits.idle = .minutes(10)
        limits.body = .minutes(10)
        limits.answer = .minutes(10)
        return limits
    }

    private static let large = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)

    /// Serves three endpoints that need no database.
    private func serve(
        _ limits: ConnectionLimits, tls: ControlPlaneConfig.TLS? = nil, _ body: (Int) async throws -> Void
    ) async throws {
        try await TestControlPlane.with { plane in
            let api = plane.services.api(
                [
                    Endpoint(.get, "/fast", "test.fast", "f", auth: .open, success: .empty) { _ in Answer() },
                    Endpoint(.get, "/slow", "test.slow", "s", auth: .open, success: .empty) { _ in
                        try await Task.sleep(for: .seconds(4))
                        return Answer()
                    },
                    Endpoint(.get, "/large", "test.large", "l", auth: .open, success: .bytes(type: "text/plain")) { _ in
                        Answer(body: .bytes(Self.large, type: "text/plain"))
                    },
                    Endpoint(
                        .post, "/take", "test.take", "t", auth: .open, body: .bytes(limit: 1000), success: .empty
                    ) { _ in Answer() },
                ], logger: TestPostgres.logger, authenticateGateway: ControlPlaneServices.noGateways
            )
            let port = Atomic(0)
            let server = HTTPServer(
                api: api, host: "127.0.0.1", port: 0, tls: tls, limits: limits, logger: TestPostgres.logger
            ) { port.store($0, ordering: .releasing) }
            // Ended as a process ends it: a cancelled server drops connections that it has not looked at yet, which
            // NIO does not allow.
            let group = ServiceGroup(
                services: [server], gracefulShutdownSignals: [], cancellationSignals: [], logger: TestPostgres.logger
            )
            let running = Task { try await group.run() }
            try await eventually("the server listens") { port.load(ordering: .acquiring) != 0 }
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(port.load(ordering: .acquiring)))
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            _ = await running.result
            try result.get()
        }
    }

    /// Sends a byte at a time for as long as it is taken, and returns what came back.
    private func drip(_ socket: PlainSocket, _ text: String) async throws -> String {
        var rest = Array(text)[...]
        var received = ""
        let deadline = ContinuousClock.now + .seconds(300)
        while ContinuousClock.now < deadline {
            if let next = rest.popFirst() { socket.send(String(next)) }
            switch try await socket.receive(milliseconds: 20) {
            case .bytes(let bytes): received += bytes
            case .nothing: continue
            case .end: return received
            }
        }
        throw TestKitError("the connection is open still; \(rest.count) bytes are left to send; received: \(received)")
    }

    @Test func `a head that comes byte by byte, or never, is not waited for`() async throws {
        var limits = Self.patient
        limits.head = .milliseconds(400)
        try await self.serve(limits) { port in
            let head = "GET /fast HTTP/1.1\r\nHost: x\r\nX-Long: " + String(repeating: "a", count: 4000)
            let dripping = try PlainSocket(port: port)
            #expect(try await self.drip(dripping, head).isEmpty)
            let silent = try PlainSocket(port: port)
            #expect(try await self.drip(silent, "").isEmpty)
        }
    }

    @Test func `a client that never begins its handshake is ended`() async throws {
        let made = try SelfSignedCertificate.create(hosts: ["localhost"], days: 1, now: TimeSource.system.now())
        let file = "/tmp/gatehouse-tls-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { for name in [".crt", ".key"] { Files.remove(file + name) } }
        try Files.replace(file + ".crt", with: Array(made.certificate.utf8), mode: 0o600)
        try Files.replace(file + ".key", with: Array(made.key.reveal().utf8), mode: 0o600)
        var settings = try Settings(environment: [
            "GATEHOUSE_DATABASE_URL": "x", "GATEHOUSE_KEK_FILE": "x", "GATEHOUSE_CONTROL_TLS_CERT": file + ".crt",
            "GATEHOUSE_CONTROL_TLS_KEY": file + ".key",
        ])
        let config = try ControlPlaneConfig(&settings, executable: "/x/y")
        var limits = Self.patient
        limits.head = .milliseconds(400)
        try await self.serve(limits, tls: config.tls) { port in
            let silent = try PlainSocket(port: port)
            #expect(try await self.drip(silent, "").isEmpty)
        }
    }

    @Test func `a body that comes byte by byte is not waited for`() async throws {
        var limits = Self.patient
        limits.body = .milliseconds(400)
        try await self.serve(limits) { port in
            let head = "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"
            let socket = try PlainSocket(port: port)
            socket.send(head)
            #expect(try await !self.drip(socket, String(repeating: "b", count: 800)).contains("200 OK"))
            // Nor one that is refused for its length and goes on and on.
            let endless = try PlainSocket(port: port)
            endless.send("POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            endless.send("7D0\r\n" + String(repeating: "c", count: 2000) + "\r\n")
            #expect(try await self.drip(endless, String(repeating: "1\r\nd\r\n", count: 4000)).contains("413"))
        }
    }

    @Test func `a connection that is kept without use is ended`() async throws {
        var limits = Self.patient
        limits.idle = .milliseconds(400)
        try await self.serve(limits) { port in
            let socket = try PlainSocket(port: port)
            socket.send("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await self.drip(socket, "").contains("200 OK"))
            // The same for one that said it would close, and does not.
            let closing = try PlainSocket(port: port)
            closing.send("GET /fast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(try await self.drip(closing, "").contains("200 OK"))
        }
    }

    @Test func `a client that does not read its answers is ended`() async throws {
        var limits = Self.patient
        limits.answer = .milliseconds(400)
        try await self.serve(limits) { port in
            let socket = try PlainSocket(port: port, receiveBuffer: 4096)
            for _ in 0..<20 { socket.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n") }
            try await eventually("the connection is ended") {
                !socket.send("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
            }
        }
    }

    @Test func `whoever waits for us may wait, and may ask again`() async throws {
        var limits = ConnectionLimits()
        // Less than the slow answer takes, and enough for a busy machine to read what is there.
        limits.head = .seconds(3)
        limits.body = .seconds(3)
        limits.answer = .seconds(3)
        limits.idle = .seconds(60)
        try await self.serve(limits) { port in
            let socket = try PlainSocket(port: port)
            // Two at once: the second is not late because the first takes its time.
            socket.send(
                "GET /slow HTTP/1.1\r\nHost: x\r\n\r\nPOST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb")
            var answers = ""
            while answers.components("200 OK") < 2 {
                guard case .bytes(let more) = try await socket.receive(milliseconds: 30_000) else { break }
                answers += more
            }
            #expect(answers.components("200 OK") == 2)
            socket.send("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            guard case .bytes(let last) = try await socket.receive(milliseconds: 30_000) else {
                throw TestKitError("no answer")
            }
            #expect(last.contains("200 OK"))
        }
    }

    @Test func `no more connections are taken than there may be`() async throws {
        var limits = Self.patient
        limits.connections = 2
        try await self.serve(limits) { port in
            let request = "GET /fast HTTP/1.1\r\nHost: x\r\n\r\n"
            var held = [try PlainSocket(port: port), try PlainSocket(port: port)]
            for socket in held {
                socket.send(request)
                guard case .bytes = try await socket.receive(milliseconds: 30_000) else {
                    throw TestKitError("no answer")
                }
            }
            let third = try PlainSocket(port: port)
            third.send(request)
            #expect(try await third.receive(milliseconds: 500) == .nothing)
            held.removeLast()
            guard case .bytes(let answer) = try await third.receive(milliseconds: 30_000) else {
                throw TestKitError("no answer")
            }
            #expect(answer.contains("200 OK"))
        }
    }
}

extension String {
    /// How often `text` occurs.
    fileprivate func components(_ text: String) -> Int {
        self.split(separator: text, omittingEmptySubsequences: false).count - 1
    }
}
