import DataPlane
import Shared
import Synchronization
import TestKit
import Testing

extension OverSockets {
    /// When a provider's connection serves the next request, and when it must not.
    @Suite
    struct UpstreamPoolTests {
        /// Sends requests one after the other and says how many connections the provider saw.
        private func connections(
            _ requests: Int, pause: Duration = .zero, _ script: @escaping ScriptedUpstream.Script
        ) async throws -> Int {
            let upstream = try await ScriptedUpstream.start(script)
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                for _ in 0..<requests {
                    try await client.send(Requests.chat())
                    let answer = try await client.answer()
                    #expect(answer.status == 200 && answer.text == Answers.chat)
                    if pause > .zero { try await Task.sleep(for: pause) }
                }
                let records = try await gateway.records(requests)
                #expect(records.allSatisfy { $0.attempts == 1 && $0.outcome == .completed })
            }
            return upstream.accepted
        }

        @Test func `an answer split at every byte`() async throws {
            let answer = Answers.json(Answers.chat, fields: "x-a: b\r\n")
            let count = try await self.connections(3) { connection, _ in
                while true {
                    _ = try await connection.request()
                    try await connection.send(answer, inPiecesOf: 1)
                }
            }
            #expect(count == 1)
        }

        @Test func `a connection with bytes after the answer is not used again`() async throws {
            let count = try await self.connections(3) { connection, _ in
                while true {
                    _ = try await connection.request()
                    try await connection.send(Answers.json(Answers.chat) + Array("HTTP/1.1 200 OK\r\n".utf8))
                }
            }
            #expect(count == 3)
        }

        @Test func `a connection that speaks unasked is not used again`() async throws {
            let count = try await self.connections(3, pause: .milliseconds(100)) { connection, _ in
                while true {
                    _ = try await connection.request()
                    try await connection.send(Answers.json(Answers.chat))
                    try await Task.sleep(for: .milliseconds(30))
                    try await connection.send(Answers.json("stolen"))
                }
            }
            #expect(count == 3)
        }

        @Test func `a provider that says close is believed`() async throws {
            let count = try await self.connections(3) { connection, _ in
                while true {
                    _ = try await connection.request()
                    try await connection.send(Answers.json(Answers.chat, fields: "connection: close\r\n"))
                }
            }
            #expect(count == 3)
        }

        @Test func `a connection that the provider closed while idle is forgotten`() async throws {
            let count = try await self.connections(3, pause: .milliseconds(60)) { connection, _ in
                _ = try await connection.request()
                try await connection.send(Answers.json(Answers.chat))
            }
            #expect(count == 3)
        }

        @Test func `a connection that closes under a request is replaced once`() async throws {
            // The second request on each connection is met by a close, as an idle timeout does that is just over.
            let count = try await self.connections(6) { connection, _ in
                _ = try await connection.request()
                try await connection.send(Answers.json(Answers.chat))
                _ = try await connection.request()
            }
            #expect(count == 6)
        }

        @Test func `a replaced connection that closes as well is a failure`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, number in
                _ = try await connection.request()
                if number == 1 { try await connection.send(Answers.json(Answers.chat)) }
                if number == 1 { _ = try await connection.request() }
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat() + Requests.chat())
                #expect(try await client.answer().status == 200)
                #expect(try await client.answer().status == 502)
                #expect(upstream.accepted == 2)
                #expect(try await gateway.records(2)[1].attempts == 1)
            }
        }

        @Test func `an unwanted body is read to its end, and the connection kept`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                let error = Answers.json(String(repeating: "x", count: 30_000), status: "500 No")
                try await connection.send(Array(error[..<9000]))
                try await Task.sleep(for: .milliseconds(100))
                try await connection.send(Array(error[9000...]))
                _ = try await connection.request()
                try await connection.send(Answers.json(Answers.chat))
                _ = try await connection.request()
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 502)
                try await eventually("the connection is idle again") { await gateway.loops.figures().upstreamIdle == 1 }
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                #expect(upstream.accepted == 1)
            }
        }

        @Test func `an unwanted body that is long is not read`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send(Answers.json(String(repeating: "x", count: 1 << 20), status: "500 No"))
                try await connection.closed()
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 502)
                try await eventually("the connection is closed") { upstream.open == 0 }
            }
        }

        @Test func `a provider that answers before it has read the request loses its connection`() async throws {
            let upstream = try await ScriptedUpstream.start { connection, number in
                if number > 1 { _ = try await connection.request() } else { try await connection.setReading(false) }
                try await connection.send(Answers.json(Answers.chat))
                try await connection.closed(within: .seconds(90))
            }
            try await TestGateway.run([upstream], .init { $0.maxBodyBytes = 32 << 20 }) { gateway in
                let client = try await gateway.client()
                let padding = String(repeating: "x", count: 24 << 20)
                try await client.send(Requests.chat("{\"model\":\"fast\",\"user\":\"\(padding)\"}"))
                #expect(try await client.answer().status == 200)
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                #expect(upstream.accepted == 2)
            }
        }
    }
}
