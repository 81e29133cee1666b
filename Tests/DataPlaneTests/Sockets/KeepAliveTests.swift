import DataPlane
import Shared
import Testing

extension OverSockets {
    /// Several requests on one connection: one after the other, at once, and cut anywhere.
    @Suite
    struct KeepAliveTests {
        /// A provider whose answer says which request it belongs to.
        private func echo() async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                while true {
                    let request = try await connection.request(within: .seconds(60))
                    let number = request.text.components(separatedBy: "\"seed\":").last?.prefix { $0.isNumber } ?? ""
                    try await connection.send(Answers.json("{\"seed\":\(number)}"))
                }
            }
        }

        private func request(_ seed: Int) -> [UInt8] {
            Requests.chat("{\"model\":\"fast\",\"messages\":[],\"seed\":\(seed)}")
        }

        @Test func `one connection serves request after request, over one provider connection`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                for seed in 0..<20 {
                    try await client.send(self.request(seed))
                    let answer = try await client.answer()
                    #expect(answer.status == 200)
                    #expect(answer.text == "{\"seed\":\(seed)}")
                    #expect(answer["connection"] == nil)
                }
                #expect(upstream.accepted == 1)
                #expect(try await gateway.records(20).allSatisfy { $0.outcome == .completed && $0.attempts == 1 })
            }
        }

        @Test func `requests in one packet are answered in order`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send((0..<30).flatMap { self.request($0) })
                for seed in 0..<30 { #expect(try await client.answer().text == "{\"seed\":\(seed)}") }
                #expect(upstream.accepted == 1)
            }
        }

        @Test func `requests may be split at every byte`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let bytes =
                    self.request(1) + Requests.chunked(#"{"model":"fast","seed":2}"#, chunk: 3) + self.request(3)
                try await client.send(bytes, inPiecesOf: 1)
                for seed in 1...3 { #expect(try await client.answer().text == "{\"seed\":\(seed)}") }
            }
        }

        @Test func `two requests may be cut in two anywhere`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let bytes = self.request(1) + self.request(2)
                for cut in stride(from: 1, to: bytes.count, by: 7) {
                    let client = try await gateway.client()
                    try await client.send(Array(bytes[..<cut]))
                    try await Task.sleep(for: .milliseconds(1))
                    try await client.send(Array(bytes[cut...]))
                    for seed in 1...2 { #expect(try await client.answer().text == "{\"seed\":\(seed)}") }
                    client.close()
                }
            }
        }

        @Test func `a request behind a refused one is served`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let refused = Requests.chat(#"{"model":"unknown"}"#) + Requests.chat(#"{"model":5}"#)
                try await client.send(self.request(1) + refused + self.request(2))
                #expect(try await client.answer().text == "{\"seed\":1}")
                #expect(try await client.answer().code == "model_not_found")
                #expect(try await client.answer().code == "invalid_body")
                #expect(try await client.answer().text == "{\"seed\":2}")
            }
        }

        @Test func `the list of models is answered between requests`() async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let list = "GET /v1/models HTTP/1.1\r\nhost: g\r\nauthorization: Bearer \(TestPolicy.secret)\r\n\r\n"
                try await client.send(Array(list.utf8) + self.request(1) + Array(list.utf8))
                #expect(try await client.answer().text.contains("\"id\":\"fast\""))
                #expect(try await client.answer().text == "{\"seed\":1}")
                #expect(try await client.answer().status == 200)
            }
        }

        @Test func `little of what a client pipelines is taken while one request is served`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await Task.sleep(for: .milliseconds(400))
                try await connection.send(Answers.json(Answers.chat))
                while true {
                    _ = try await connection.request(within: .seconds(60))
                    try await connection.send(Answers.json(Answers.chat))
                }
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                let padding = String(repeating: "x", count: 10_000)
                let request = Requests.chat("{\"model\":\"fast\",\"user\":\"\(padding)\"}")
                client.post((0..<2000).flatMap { _ in request })
                try await Task.sleep(for: .milliseconds(300))
                // The limit, and the reads that were under way when it was met.
                #expect(await gateway.loops.figures().counters.bytesIn < 512 << 10)
                for _ in 0..<2000 { #expect(try await client.answer(within: .seconds(20)).status == 200) }
            }
        }

        @Test(arguments: ["connection: close\r\n", "connection: Keep-Alive, CLOSE\r\n"])
        func `a client that wants the connection closed gets that`(field: String) async throws {
            let upstream = try await self.echo()
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(#"{"model":"fast","seed":1}"#, fields: field) + self.request(2))
                let answer = try await client.answer()
                #expect(answer.text == "{\"seed\":1}")
                #expect(answer["connection"] == "close")
                try await client.closed()
                #expect(client.received.isEmpty)
            }
        }

        @Test func `a client of HTTP 1.0 gets an answer that ends with the connection`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.events([Answers.delta("a"), Answers.done]))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(
                    Requests.chat(Requests.stream, version: "1.0", fields: "connection: keep-alive\r\n")
                )
                let answer = try await client.answer()
                #expect(answer["transfer-encoding"] == nil)
                #expect(answer["connection"] == "close")
                #expect(answer.text == Answers.delta("a") + Answers.done)
                try await client.closed()
            }
        }

        @Test func `the answer to HEAD has no body`() async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                try await client.send(
                    "HEAD /v1/models HTTP/1.1\r\nhost: g\r\n\r\nGET /none HTTP/1.1\r\nhost: g\r\n\r\n")
                let first = try await client.message(isAnswer: true, toHead: true)
                #expect(first.status == 405)
                #expect(try await client.answer().status == 404)
            }
        }
    }
}
