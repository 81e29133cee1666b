import DataPlane
import Shared
import TestKit
import Testing

extension OverSockets {
    /// How connections end when the gateway stops.
    @Suite
    struct DrainTests {
        /// A provider that answers with `after` once told to.
        private func slow(_ first: [UInt8], then rest: [UInt8], after time: Duration) async throws -> ScriptedUpstream {
            try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                if !first.isEmpty { try await connection.send(first) }
                try await Task.sleep(for: time)
                try await connection.send(rest)
                try await connection.closed(within: .seconds(30))
            }
        }

        @Test func `idle connections end, and running requests get their answers`() async throws {
            let answer = Answers.json(Answers.chat)
            let upstream = try await self.slow([], then: answer, after: .seconds(3))
            try await TestGateway.run([upstream], .init { $0.loops = 2 }) { gateway in
                let idle = try await gateway.client()
                let busy = try await gateway.client()
                let late = try await gateway.client()
                try await busy.send(Requests.chat())
                try await late.send(Array(Requests.chat().dropLast(5)))
                try await eventually("both are under way") { await gateway.loops.figures().counters.inFlight == 2 }
                async let drained: Void = gateway.service.drain()
                try await idle.closed()
                #expect(idle.received.isEmpty)
                try await late.send(Array(Requests.chat().suffix(5)))
                for client in [busy, late] {
                    let answer = try await client.answer()
                    #expect(answer.status == 200 && answer.text == Answers.chat)
                    #expect(answer["connection"] == "close")
                    try await client.closed()
                    client.close()
                }
                idle.close()
                await drained
                #expect(await gateway.loops.figures().upstreamOpen == 0)
                await #expect(throws: (any Error).self) { try await gateway.client() }
            }
        }

        @Test func `what still runs after the time is cut, told, and settled`() async throws {
            let head = Array("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\(Answers.delta("a"))".utf8)
            let upstream = try await ScriptedUpstream.start { connection, number in
                let request = try await connection.request()
                if request.text.contains("stream") { try await connection.send(head) }
                try await connection.closed(within: .seconds(30))
            }
            try await TestGateway.run([upstream], .init { $0.drain = .milliseconds(200) }) { gateway in
                let stream = try await gateway.client()
                let waiting = try await gateway.client()
                let sending = try await gateway.client()
                try await stream.send(Requests.chat(Requests.stream))
                try await waiting.send(Requests.chat())
                try await sending.send(Array(Requests.chat().dropLast()))
                try await eventually("the stream runs") { stream.receivedCount > 100 }
                try await eventually("all are under way") { await gateway.loops.figures().counters.inFlight == 3 }
                try await eventually("both were sent") { upstream.open == 2 }
                async let drained: Void = gateway.service.drain()
                let cut = try await stream.answer()
                #expect(cut.text.hasPrefix(Answers.delta("a")) && cut.code == "gateway_draining", "\(cut.text)")
                for client in [waiting, sending] { #expect(try await client.answer().status == 503) }
                for client in [stream, waiting, sending] { client.close() }
                await drained
                let records = try await gateway.records(3)
                #expect(records.filter { $0.outcome == .interrupted && $0.isEstimate }.count == 2)
                #expect(records.filter { $0.outcome == .refused && $0.cost == .zero }.count == 1)
                #expect(await gateway.loops.figures().connections == 0)
                try await eventually("no provider is waited for") { upstream.open == 0 }
            }
        }
    }
}
