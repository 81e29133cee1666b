import DataPlane
import NIOCore
import NIOSSL
import Shared
import TestKit
import Testing

extension OverSockets {
    /// The same over TLS, on both sides.
    @Suite
    struct TLSTests {
        private func server(_ certificate: String, _ key: String) throws -> NIOSSLContext {
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8)).map { .certificate($0) },
                    privateKey: .privateKey(NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
                )
            )
        }

        private func trust() throws -> TLSConfiguration {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .certificates(
                try [TestCertificates.authority, TestCertificates.address].flatMap {
                    try NIOSSLCertificate.fromPEMBytes(Array($0.utf8))
                }
            )
            return configuration
        }

        private func options(
            _ upstream: ScriptedUpstream?, host: String = "localhost",
            _ change: @escaping (inout TestGateway.Options) -> Void = { _ in }
        ) throws -> TestGateway.Options {
            let trust = try self.trust()
            return TestGateway.Options { options in
                options.upstreamTLS = trust
                if let upstream { options.targets = [.init(url: "https://\(host):\(upstream.port)/v1")] }
                change(&options)
            }
        }

        @Test(arguments: ["localhost", "127.0.0.1"])
        func `clients and providers over TLS`(host: String) async throws {
            let tls = try self.server(TestCertificates.local, TestCertificates.localKey)
            let text = String(repeating: "t", count: 300_000)
            let upstream = try await ScriptedUpstream.answering(Answers.json("\"\(text)\""), tls: tls)
            try await TestGateway.run([], try self.options(upstream, host: host) { $0.tls = tls }) { gateway in
                let client = try await gateway.client(
                    tls: NIOSSLContext(configuration: self.trust()), serverName: "localhost")
                for _ in 0..<5 {
                    try await client.send(Requests.chat("{\"model\":\"fast\",\"user\":\"\(text)\"}"))
                    #expect(try await client.answer().text == "\"\(text)\"")
                }
                #expect(upstream.accepted == 1)
                #expect(upstream.requests.first?["host"] == "\(host):\(upstream.port)")
                try await client.send(Requests.chat(fields: "connection: close\r\n"))
                #expect(try await client.answer().status == 200)
                try await client.closed()
            }
            await upstream.close()
        }

        @Test func `a provider that is meant by its address proves that`() async throws {
            let tls = try self.server(TestCertificates.address, TestCertificates.addressKey)
            let upstream = try await ScriptedUpstream.answering(Answers.json("\"x\""), tls: tls)
            try await TestGateway.run([], try self.options(upstream, host: "127.0.0.1")) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
            }
            await upstream.close()
        }

        @Test func `a refused client over TLS sees the refusal and the close`() async throws {
            let tls = try self.server(TestCertificates.local, TestCertificates.localKey)
            try await TestGateway.run([], try self.options(nil) { $0.tls = tls }) { gateway in
                let client = try await gateway.client(
                    tls: NIOSSLContext(configuration: self.trust()), serverName: "localhost")
                try await client.send("nonsense\r\n\r\n")
                #expect(try await client.answer().status == 400)
                try await client.closed()
            }
        }

        @Test func `a stream over TLS ends upstream when the client leaves`() async throws {
            let tls = try self.server(TestCertificates.local, TestCertificates.localKey)
            let upstream = try await ScriptedUpstream.start(tls: tls) { connection, _ in
                _ = try await connection.request()
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                while !connection.isClosed {
                    try await connection.send(Answers.delta("more"))
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            try await TestGateway.run([], try self.options(upstream) { $0.tls = tls }) { gateway in
                let client = try await gateway.client(
                    tls: NIOSSLContext(configuration: self.trust()), serverName: "localhost")
                try await client.send(Requests.chat(Requests.stream))
                try await eventually("something came") { client.receivedCount > 1000 }
                client.close()
                #expect(try await gateway.records(1)[0].outcome == .clientAborted)
                try await eventually("the provider is told") { upstream.open == 0 }
            }
            await upstream.close()
        }

        enum Stranger: CaseIterable { case anotherName, onlyTheAddress, untrusted, noTLS }

        @Test(arguments: Stranger.allCases)
        func `a provider that cannot prove itself is not sent anything`(who: Stranger) async throws {
            let tls: NIOSSLContext? =
                switch who {
                case .anotherName: try self.server(TestCertificates.elsewhere, TestCertificates.elsewhereKey)
                case .onlyTheAddress: try self.server(TestCertificates.address, TestCertificates.addressKey)
                case .untrusted: try self.server(TestCertificates.stranger, TestCertificates.strangerKey)
                case .noTLS: nil
                }
            let upstream = try await ScriptedUpstream.start(tls: tls) { connection, _ in
                if tls == nil { try await connection.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
                try await connection.closed(within: .seconds(20))
                #expect(tls == nil || connection.receivedCount == 0)
            }
            try await TestGateway.run([], try self.options(upstream)) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                let answer = try await client.answer()
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_unreachable")
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .upstreamFailed && record.cost == .zero)
                try await eventually("the connection is closed") { upstream.open == 0 }
            }
            await upstream.close()
        }

        @Test func `a provider that accepts and does not finish its handshake costs nothing`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                try await connection.closed(within: .seconds(20))
            }
            let options = try self.options(upstream) { $0.timeouts.connect = .milliseconds(200) }
            try await TestGateway.run([], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                let answer = try await client.answer()
                #expect(answer.status == 504)
                #expect(try await gateway.records(1)[0].cost == .zero)
                try await eventually("the connection is closed") { upstream.open == 0 }
            }
            await upstream.close()
        }

        @Test func `a provider's answer that is cut without a TLS close is not whole`() async throws {
            let tls = try self.server(TestCertificates.local, TestCertificates.localKey)
            let upstream = try await ScriptedUpstream.start(tls: tls) { connection, _ in
                _ = try await connection.request()
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\(Answers.chat)")
                try await Task.sleep(for: .milliseconds(100))
                // Below TLS: the connection ends without its farewell.
                try await connection.channel.eventLoop.submit {
                    let tls = try connection.channel.pipeline.syncOperations.context(
                        handlerType: NIOSSLServerHandler.self)
                    tls.close(promise: nil)
                }.get()
            }
            try await TestGateway.run([], try self.options(upstream)) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().isComplete == false)
                #expect(try await gateway.records(1)[0].outcome == .upstreamFailed)
            }
            await upstream.close()
        }
    }
}
