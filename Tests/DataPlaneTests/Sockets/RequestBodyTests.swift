import Crypto
import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// What clients send after the head: every framing, every bound, and that providers get it byte for byte.
    @Suite
    struct RequestBodyTests {
        /// A body of about `size` bytes around the members that the gateway replaces.
        private func body(_ size: Int, stream: Bool = false) -> String {
            let text = String(repeating: "All work and no play. ", count: size / 22 + 1)
            return
                "{\"messages\":[{\"role\":\"user\",\"content\":\"\(text)\"}],\"model\":\"fast\",\"stream\":\(stream),\"z\":1}"
        }

        private func expected(_ body: String) -> [UInt8] {
            var text = body
            if let range = text.range(of: "\"model\":\"fast\"") {
                text.replaceSubrange(range, with: "\"model\":\"\(TestPolicy.model)\"")
            }
            if body.contains("\"stream\":true") {
                text = "{\"stream_options\":{\"include_usage\":true}," + text.dropFirst()
            }
            return Array(text.utf8)
        }

        @Test(arguments: [0, 3000, 20_000, 70_000, 1 << 20, 6 << 20], [false, true])
        func `a provider gets the client's bytes with another model`(size: Int, chunked: Bool) async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                for stream in [false, true] {
                    let body = self.body(size, stream: stream)
                    let bytes = chunked ? Requests.chunked(body, chunk: max(size / 9, 5)) : Requests.chat(body)
                    try await client.send(bytes)
                    #expect(try await client.answer().status == 200)
                    let sent = upstream.requests.last?.body ?? []
                    #expect(SHA256.hash(data: sent) == SHA256.hash(data: self.expected(body)))
                    #expect(upstream.requests.last?["transfer-encoding"] == nil)
                }
                #expect(upstream.requests.first?["authorization"] == "Bearer \(TestPolicy.credential)")
            }
        }

        @Test func `a body in one-byte chunks is gathered`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let body = self.body(100_000)
                try await client.send(Requests.chunked(body, chunk: 1))
                #expect(try await client.answer().status == 200)
                #expect(upstream.requests.last?.body == self.expected(body))
            }
        }

        @Test func `a body that trickles in is gathered`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let body = self.body(3000)
                try await client.send(Requests.chat(body), inPiecesOf: 13)
                #expect(try await client.answer().status == 200)
                #expect(upstream.requests.last?.body == self.expected(body))
            }
        }

        @Test func `a client that waits for 100 is told to continue`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let request = Requests.chat(self.body(500), fields: "expect: 100-continue\r\n")
                let head = request.count - self.body(500).utf8.count
                try await client.send(Array(request[..<head]))
                #expect(try await client.answer().status == 100)
                try await client.send(Array(request[head...]))
                #expect(try await client.answer().status == 200)
            }
        }

        @Test func `a client that waits for 100 is not asked for a body that will be refused`() async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                try await client.send(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
                )
                let answer = try await client.answer()
                #expect(answer.status == 401)
                #expect(answer["connection"] == "close")
            }
        }

        @Test(arguments: [true, false])
        func `a body beyond the limit is refused`(declared: Bool) async throws {
            try await TestGateway.run([], .init { $0.maxBodyBytes = 100_000 }) { gateway in
                let client = try await gateway.client()
                let body = self.body(150_000)
                client.post(declared ? Requests.chat(body) : Requests.chunked(body, chunk: 1000))
                let answer = try await client.answer()
                #expect(answer.status == 413)
                #expect(answer.code == "body_too_large")
                #expect(answer["connection"] == "close")
                try await client.closed()
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .refused)
                #expect(record.cost == .zero)
            }
        }

        @Test func `a refused body that goes on is read, so that its sender sees the refusal`() async throws {
            try await TestGateway.run([], .init { $0.maxBodyBytes = 4096 }) { gateway in
                let client = try await gateway.client()
                // More than fits the kernel's buffers: a sender that only reads afterwards gets the answer all the same.
                try await client.setReading(false)
                try await client.send(Requests.chat(self.body(30 << 20)))
                try await client.setReading(true)
                #expect(try await client.answer().status == 413)
            }
        }

        @Test func `bodies beyond the memory for bodies are put off`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream], .init { $0.bodyMemory = 500_000 }) { gateway in
                let first = try await gateway.client()
                let second = try await gateway.client()
                let request = Requests.chat(self.body(300_000))
                try await first.send(Array(request[..<280_000]))
                try await eventually("the body is held") { await gateway.loops.figures().bodyBytes > 250_000 }
                second.post(request)
                let answer = try await second.answer()
                #expect(answer.status == 503)
                #expect(answer["retry-after"] == "1")
                try await first.send(Array(request[280_000...]))
                #expect(try await first.answer().status == 200)
            }
        }

        @Test(arguments: [
            ("POST", "content-length: 0\r\n", "", 400), ("POST", "", "", 400),
            ("POST", "content-type: text/plain\r\ncontent-length: 2\r\n", "{}", 415),
            ("POST", "content-encoding: gzip\r\ncontent-length: 2\r\n", "{}", 415),
            ("POST", "content-type: Application/JSON; charset=utf-8\r\ncontent-length: 2\r\n", "{}", 400),
            ("GET", "content-length: 2\r\n", "{}", 405),
        ])
        func `bodies that mean nothing are refused`(method: String, fields: String, body: String, status: Int)
            async throws
        {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                try await client.send(
                    "\(method) /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestPolicy.secret)\r\n"
                        + fields + "\r\n" + body
                )
                #expect(try await client.answer().status == status)
            }
        }

        @Test func `a list with a body is refused`() async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat("{}", method: "GET", path: "/v1/models"))
                let answer = try await client.answer()
                #expect(answer.status == 400)
                #expect(answer["connection"] == "close")
            }
        }
    }
}
