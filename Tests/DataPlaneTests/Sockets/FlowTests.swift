import DataPlane
import NIOCore
import Shared
import TestKit
import Testing

extension OverSockets {
    /// Slow sides and sides that leave.
    @Suite
    struct FlowTests {
        /// A provider that sends `count` pieces of a stream as fast as it may, and says how far it came.
        private func flood(_ head: String, piece: [UInt8], count: Int) async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send(head)
                for _ in 0..<count { try await connection.send(piece) }
                try await connection.closed(within: .seconds(60))
            }
        }

        @Test(arguments: ["application/json", "text/event-stream"])
        func `a client that does not read holds its provider back`(type: String) async throws {
            let piece = Array(
                (type == "text/event-stream"
                    ? Answers.delta(String(repeating: "x", count: 65_000)) : String(repeating: "y", count: 65_536)).utf8
            )
            let count = 100 << 20 / piece.count
            let head = "HTTP/1.1 200 OK\r\ncontent-type: \(type)\r\ncontent-length: \(piece.count * count)\r\n\r\n"
            let upstream = try await self.flood(head, piece: piece, count: count)
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                client.countOnly()
                try await client.setReading(false)
                try await client.send(
                    Requests.chat(type == "text/event-stream" ? Requests.stream : #"{"model":"fast"}"#))
                var last = -1
                // The kernel's buffers fill, and then nothing moves.
                try await eventually("the stream stands still", within: .seconds(30)) {
                    try await Task.sleep(for: .milliseconds(300))
                    let sent = await gateway.loops.figures().counters.bytesOut
                    defer { last = sent }
                    return sent == last && sent > 0
                }
                #expect(last < 40 << 20)
                try await client.setReading(true)
                try await eventually("everything has come", within: .seconds(60)) {
                    client.receivedCount > piece.count * count
                }
                #expect(try await gateway.records(1)[0].outcome == .completed)
            }
        }

        @Test func `a client that never reads is cut off`() async throws {
            let piece = [UInt8](repeating: 0x20, count: 65_536)
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: \(piece.count * 800)\r\n\r\n"
            let upstream = try await self.flood(head, piece: piece, count: 800)
            try await TestGateway.run([upstream], .init { $0.timeouts.write = .milliseconds(500) }) { gateway in
                let client = try await gateway.client()
                try await client.setReading(false)
                try await client.send(Requests.chat())
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .clientAborted && record.isEstimate)
                try await eventually("the provider is told") { upstream.open == 0 }
                try await eventually("the client is gone") { await gateway.loops.figures().connections == 0 }
            }
        }

        @Test func `an answer that closes reaches a slow client whole`() async throws {
            let document = "\"" + String(repeating: "w", count: 12 << 20) + "\""
            let upstream = try await ScriptedUpstream.answering(Answers.json(document))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.setReading(false)
                try await client.send(Requests.chat(fields: "connection: close\r\n"))
                // Longer than the gateway waits for a client to close.
                try await Task.sleep(for: .milliseconds(2600))
                try await client.setReading(true)
                let answer = try await client.answer(within: .seconds(30))
                #expect(answer.isComplete && answer.body.count == document.utf8.count)
            }
        }

        enum Leaving: CaseIterable { case close, reset, halfClose }

        private func leave(_ client: RawConnection, _ how: Leaving) async throws {
            switch how {
            case .close: client.close()
            case .reset: try await client.reset()
            case .halfClose: try await client.halfClose()
            }
        }

        @Test(arguments: Leaving.allCases)
        func `a client that leaves before the answer ends the request upstream`(how: Leaving) async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.closed(within: .seconds(30))
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                try await eventually("the provider has it") { upstream.open == 1 }
                try await Task.sleep(for: .milliseconds(50))
                try await self.leave(client, how)
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .clientAborted && record.status == 0)
                // It was sent: as far as anybody can tell it is paid for.
                #expect(record.isEstimate && record.cost.amount > 0)
                try await eventually("the provider is told") { upstream.open == 0 }
            }
        }

        @Test(arguments: Leaving.allCases)
        func `a client that leaves in the middle of a stream ends it upstream`(how: Leaving) async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                while !connection.isClosed {
                    try await connection.send(Answers.delta("more"))
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(Requests.stream))
                try await eventually("something came") { client.receivedCount > 1000 }
                try await self.leave(client, how)
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .clientAborted && record.status == 200)
                #expect(record.isEstimate && record.counters.output > 0)
                try await eventually("the provider is told") { upstream.open == 0 }
            }
        }

        @Test(arguments: Leaving.allCases)
        func `a client that leaves during its upload costs nothing`(how: Leaving) async throws {
            try await TestGateway.run { gateway in
                let client = try await gateway.client()
                let request = Requests.chat(
                    "{\"model\":\"fast\",\"user\":\"\(String(repeating: "u", count: 300_000))\"}")
                try await client.send(Array(request[..<200_000]))
                try await eventually("the body is held") { await gateway.loops.figures().bodyBytes > 100_000 }
                try await self.leave(client, how)
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .clientAborted && record.cost == .zero && record.attempts == 0)
            }
        }

        @Test func `a client that leaves while a connection is made leaves the connection`() async throws {
            // An address that does not answer (RFC 5737), so that the connect stays under way.
            let target = TestPolicy.Target(url: "http://192.0.2.1:9/v1")
            let options = TestGateway.Options {
                $0.targets = [target]
                $0.timeouts.connect = .milliseconds(700)
            }
            try await TestGateway.run([], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                try await Task.sleep(for: .milliseconds(100))
                client.close()
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .clientAborted || record.outcome == .upstreamFailed)
                #expect(record.cost == .zero)
            }
        }

        @Test func `a connect that takes too long goes to the next target`() async throws {
            let spare = try await ScriptedUpstream.answering(Answers.json(Answers.chat))
            let targets = [
                TestPolicy.Target(url: "http://192.0.2.1:9/v1", order: 1),
                TestPolicy.Target(url: "http://127.0.0.1:\(spare.port)/v1", order: 2),
            ]
            let options = TestGateway.Options {
                $0.targets = targets
                $0.timeouts.connect = .milliseconds(300)
            }
            try await TestGateway.run([], options) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat())
                #expect(try await client.answer().status == 200)
                #expect(try await gateway.records(1)[0].attempts == 2)
            }
            await spare.close()
        }
    }
}
