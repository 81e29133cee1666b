import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// Every wait has an end, and nobody can hold a connection by doing nothing.
    @Suite
    struct WaitTests {
        private func short(_ change: @escaping (inout GatewayConfig.Timeouts) -> Void) -> TestGateway.Options {
            TestGateway.Options { options in change(&options.timeouts) }
        }

        @Test(arguments: [
            "nonsense\r\n\r\n", "POST /v1/chat/completions HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\nhost: g\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
            "POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\nhost: g\n\n", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nhost: g\r\n\r\n",
        ])
        func `a malformed head is answered, and the connection closed`(text: String) async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                try await client.send(text + text)
                let answer = try await client.answer()
                #expect(answer.status == 400)
                #expect(answer["connection"] == "close")
                try await client.closed()
                #expect(client.received.isEmpty)
            }
        }

        @Test func `a head that does not end is refused when it is too long`() async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                client.post(Array(("GET / HTTP/1.1\r\nhost: g\r\nx: " + String(repeating: "x", count: 100_000)).utf8))
                #expect(try await client.answer().status == 400)
                try await client.closed()
            }
        }

        @Test func `a slow head is given up, however it trickles`() async throws {
            let options = self.short {
                $0.header = .milliseconds(300)
                $0.idle = .seconds(20)
            }
            try await TestGateway.run([], options) { gateway in
                let client = try await gateway.client()
                // It goes on for as long as the connection does: a wait for each byte would never end.
                let trickle = Task {
                    while !client.isClosed {
                        try await client.send("x")
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                #expect(try await client.answer().status == 408)
                trickle.cancel()
            }
        }

        @Test func `a head that begins late in an idle connection has its own time`() async throws {
            let options = self.short {
                $0.header = .seconds(5)
                $0.idle = .milliseconds(800)
            }
            try await TestGateway.run([], options) { gateway in
                let client = try await gateway.client()
                try await Task.sleep(for: .milliseconds(200))
                try await client.send("GET /none HTTP/1.1\r\n")
                try await Task.sleep(for: .milliseconds(900))
                try await client.send("host: g\r\n\r\n")
                #expect(try await client.answer().status == 404)
            }
        }

        @Test func `a slow body is given up`() async throws {
            try await TestGateway.run([], self.short { $0.body = .milliseconds(200) }) { gateway in
                let client = try await gateway.client()
                try await client.send(Array(Requests.chat().dropLast()))
                let answer = try await client.answer()
                #expect(answer.status == 408)
                #expect(answer["connection"] == "close")
                #expect(try await gateway.records(1)[0].code == "request_timeout")
            }
        }

        @Test func `an idle connection is closed without a word`() async throws {
            let upstream = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream], self.short { $0.idle = .milliseconds(500) }) { gateway in
                let silent = try await gateway.client()
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                for connection in [silent, client] {
                    try await connection.closed()
                    #expect(connection.received.isEmpty)
                }
            }
        }

        @Test func `a provider that does not answer is given up, and charged at the bound`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                try await connection.closed(within: .seconds(30))
            }
            let spare = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            try await TestGateway.run([upstream, spare], self.short { $0.firstByte = .milliseconds(200) }) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                let answer = try await client.answer()
                #expect(answer.status == 504)
                #expect(answer.code == "upstream_timeout")
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .upstreamFailed)
                #expect(record.isEstimate && record.cost.amount > 0)
                #expect(record.attempts == 1)
                try await eventually("the provider is told") { upstream.open == 0 }
            }
        }

        @Test func `a stream that stalls is ended with an error event`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                let answer = Answers.events([Answers.delta("a"), "data: {\"half\":"])
                try await connection.send(Array(answer.dropLast(5)))
                try await connection.closed(within: .seconds(30))
            }
            try await TestGateway.run([upstream], self.short { $0.write = .milliseconds(300) }) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Requests.stream))
                let answer = try await client.answer()
                #expect(answer.isComplete)
                #expect(answer.text.hasPrefix(Answers.delta("a") + "data: {\"error\":"))
                #expect(answer.code == "upstream_timeout")
                #expect(answer.text.hasSuffix("\n\n"))
                try await client.closed()
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .upstreamFailed && record.isEstimate)
            }
        }

        @Test func `a request ends when its time is over, whatever it does`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                while !connection.isClosed {
                    try await connection.send(Answers.delta("again"))
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            try await TestGateway.run([upstream], .init { $0.requestSeconds = 1 }) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Requests.stream))
                let answer = try await client.answer()
                #expect(answer.text.hasPrefix(Answers.delta("again")))
                #expect(answer.code == "upstream_timeout")
                let record = try await gateway.records(1)[0]
                #expect((900_000..<5_000_000).contains(record.durationMicroseconds))
            }
        }

        @Test func `connections beyond the most are closed`() async throws {
            try await TestGateway.run([], .init { $0.maxConnections = 2 }) { gateway in
                let first = try await gateway.client()
                _ = try await gateway.client()
                try await eventually("both are counted") { await gateway.loops.figures().connections == 2 }
                try await gateway.client().closed()
                first.close()
                try await eventually("one is gone") { await gateway.loops.figures().connections == 1 }
                let next = try await gateway.client()
                try await next.send("GET /none HTTP/1.1\r\nhost: g\r\n\r\n")
                #expect(try await next.answer().status == 404)
            }
        }
    }
}
