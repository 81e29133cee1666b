import DataPlane
import NIOCore
import Shared
import Testing

extension OverSockets {
    /// Everything that a provider can do wrong, and what the client is told.
    @Suite
    struct UpstreamFailureTests {
        /// A provider that takes a request and then sends `bytes`, ending with a reset or properly.
        private func once(_ bytes: [UInt8], reset: Bool = false) async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                if !bytes.isEmpty { try await connection.send(bytes) }
                // A reset takes what the other side has not read yet with it.
                if reset {
                    try await Task.sleep(for: .milliseconds(50))
                    try await connection.reset()
                }
            }
        }

        /// The answer to one request, and its record.
        private func ask(
            _ upstreams: [ScriptedUpstream], body: String = #"{"model":"fast","messages":[]}"#,
            targets: [TestPolicy.Target] = [], _ check: (RawMessage, UsageRecord) throws -> Void
        ) async throws {
            try await TestGateway.run(upstreams, .init { $0.targets = targets }) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(body))
                let answer = try await client.answer()
                try check(answer, try await gateway.records(1)[0])
            }
        }

        @Test func `nobody listens`() async throws {
            let gone = try await ScriptedUpstream.start { _, _ in }
            await gone.close()
            try await self.ask([gone]) { answer, record in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_unreachable")
                #expect(answer["retry-after"] == "1")
                #expect(record.outcome == .upstreamFailed && record.cost == .zero && record.attempts == 1)
            }
        }

        @Test(arguments: [false, true])
        func `the connection ends before an answer`(reset: Bool) async throws {
            try await self.ask([try await self.once([], reset: reset)]) { answer, record in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_failed")
                #expect(record.cost == .zero)
            }
        }

        @Test(arguments: [false, true])
        func `the connection ends inside the head`(reset: Bool) async throws {
            let upstream = try await self.once(Array("HTTP/1.1 200 OK\r\ncontent-".utf8), reset: reset)
            try await self.ask([upstream]) { answer, _ in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_failed")
            }
        }

        @Test(arguments: [
            "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 700 X\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 20),
        ])
        func `the answer is not one`(text: String) async throws {
            try await self.ask([try await self.once(Array(text.utf8))]) { answer, record in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_protocol_error")
                #expect(record.cost == .zero)
            }
        }

        @Test(arguments: [false, true], [false, true])
        func `the connection ends inside the body`(chunked: Bool, reset: Bool) async throws {
            let framing =
                chunked
                ? "transfer-encoding: chunked\r\n\r\n10\r\n{\"id\":\"123456789" : "content-length: 40\r\n\r\n{\"id\":1"
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            try await self.ask([try await self.once(Array((head + framing).utf8), reset: reset)]) { answer, record in
                #expect(answer.status == 200)
                #expect(!answer.isComplete)
                #expect(answer.text.hasPrefix("{\"id\":"))
                #expect(record.outcome == .upstreamFailed && record.isEstimate && record.status == 200)
            }
        }

        @Test func `a chunk is malformed`() async throws {
            let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabX"
            try await self.ask([try await self.once(Array(text.utf8))]) { answer, record in
                #expect(!answer.isComplete)
                #expect(record.outcome == .upstreamFailed)
            }
        }

        @Test func `a body until the close is whole when the close is proper, and cut when it is a reset`() async throws
        {
            let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\(Answers.chat)"
            try await self.ask([try await self.once(Array(text.utf8))]) { answer, record in
                #expect(answer.isComplete && answer.text == Answers.chat)
                #expect(record.outcome == .completed && record.counters.input == 11 && record.counters.output == 7)
            }
            try await self.ask([try await self.once(Array(text.utf8), reset: true)]) { answer, record in
                #expect(!answer.isComplete)
                #expect(record.outcome == .upstreamFailed)
            }
        }

        @Test func `interim answers are passed over`() async throws {
            let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
            try await self.ask([try await self.once(Array(text.utf8) + Answers.json(Answers.chat))]) { answer, _ in
                #expect(answer.status == 200 && answer.text == Answers.chat)
            }
        }

        @Test(arguments: [204, 304]) func `answers without a body`(status: Int) async throws {
            let text = "HTTP/1.1 \(status) Fine\r\n\r\n"
            let upstream = try await ScriptedUpstream.answering(Array(text.utf8))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                for _ in 0..<3 {
                    try await client.send(Requests.chat())
                    let answer = try await client.answer()
                    #expect(answer.status == status && answer["content-length"] == nil)
                }
                #expect(upstream.accepted == 1)
            }
        }

        @Test func `an empty body is said to be empty`() async throws {
            try await self.ask([try await self.once(Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8))]) {
                answer, _ in
                #expect(answer.status == 200 && answer["content-length"] == "0")
            }
        }

        @Test(arguments: [401, 403]) func `the gateway's own credential is refused`(status: Int) async throws {
            let secret = "you cannot use org-12345 with sk-abc"
            let answer = Answers.json(secret, status: "\(status) No", fields: "x-account: org-12345\r\n")
            try await self.ask([try await ScriptedUpstream.answering(answer)]) { answer, record in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_rejected_credential")
                #expect(!answer.text.contains("org-") && answer["x-account"] == nil)
                #expect(record.cost == .zero)
            }
        }

        @Test func `what the client did wrong is the client's to read`() async throws {
            let error = #"{"error":{"message":"bad temperature","code":null}}"#
            let answer = Answers.json(
                error, status: "400 Bad Request", fields: "set-cookie: a=b\r\nx-request-id: up-1\r\n")
            try await self.ask([try await ScriptedUpstream.answering(answer)]) { answer, record in
                #expect(answer.status == 400 && answer.text == error)
                #expect(answer["set-cookie"] == nil && answer["x-upstream-request-id"] == "up-1")
                #expect(record.outcome == .completed && record.cost == .zero)
            }
        }

        @Test(arguments: [429, 500, 503]) func `the last target's failure is the answer`(status: Int) async throws {
            let answer = Answers.json("{}", status: "\(status) No", fields: "retry-after: 17\r\n")
            let upstreams = [
                try await ScriptedUpstream.answering(answer), try await ScriptedUpstream.answering(answer),
            ]
            try await self.ask(upstreams) { answer, record in
                #expect(answer.status == (status == 429 ? 429 : 502))
                #expect(answer["retry-after"] == "17")
                #expect(record.attempts == 2 && record.cost == .zero)
            }
        }

        @Test func `a host without an address`() async throws {
            let target = TestPolicy.Target(url: "http://no-such-host.invalid/v1")
            try await self.ask([], targets: [target]) { answer, _ in
                #expect(answer.status == 502)
                #expect(answer.code == "upstream_unreachable")
            }
        }

        @Test func `a name whose first address refuses`() async throws {
            // `localhost` is ::1 and 127.0.0.1 where both are set up; only the latter is listened on.
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            let target = TestPolicy.Target(url: "http://localhost:\(upstream.port)/v1")
            try await TestGateway.run([], .init { $0.targets = [target] }) { gateway in
                let client = try await gateway.client()
                for _ in 0..<3 {
                    try await client.send(Requests.chat())
                    #expect(try await client.answer().status == 200)
                }
                #expect(upstream.accepted == 1)
            }
            await upstream.close()
        }
    }
}
