import DataPlane
import Shared
import Testing

extension OverSockets {
    /// What the provider sends is what the client gets, and its usage is counted.
    @Suite
    struct RelayTests {
        /// Sends one streaming request and gives answer and record.
        private func stream(
            _ answer: [UInt8], piece: Int = .max, asks: Bool = false, _ check: (RawMessage, UsageRecord) throws -> Void
        ) async throws {
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                if piece < answer.count {
                    try await connection.send(answer, inPiecesOf: piece)
                } else {
                    try await connection.send(answer)
                }
                try await connection.closed(within: .seconds(30))
            }
            let options = asks ? #","stream_options":{"include_usage":true}"# : ""
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(#"{"model":"fast","messages":[],"stream":true\#(options)}"#))
                try check(try await client.answer(), try await gateway.records(1)[0])
            }
        }

        @Test(arguments: [1, 7, 1000, Int.max])
        func `events are the same however they are split, without the usage that was not asked for`(piece: Int)
            async throws
        {
            let deltas = (0..<20).map { Answers.delta("word \($0)") }
            let answer = Answers.events(deltas + [Answers.usage(21, 43), Answers.done])
            try await self.stream(answer, piece: piece) { answer, record in
                #expect(answer.text == deltas.joined() + Answers.done)
                #expect(answer["content-type"] == "text/event-stream")
                #expect(record.counters.input == 21 && record.counters.output == 43)
                #expect(record.outcome == .completed && !record.isEstimate && record.isStream)
                // 21 at one dollar and 43 at two dollars a million, in billionths.
                #expect(record.cost.amount == 21_000 + 86_000)
                #expect(record.firstByteMicroseconds > 0)
            }
        }

        @Test(arguments: [1, 33, Int.max])
        func `a client that asked for usage gets every byte`(piece: Int) async throws {
            let chunks = [Answers.delta("a"), Answers.usage(5, 6), Answers.done]
            try await self.stream(Answers.events(chunks), piece: piece, asks: true) { answer, record in
                #expect(answer.text == chunks.joined())
                #expect(record.counters.input == 5 && record.counters.output == 6)
            }
        }

        @Test(arguments: [1, 5, Int.max])
        func `lines may end with CR LF, and comments pass`(piece: Int) async throws {
            let chunks = [": hello\r\n\r\n", Answers.delta("a", end: "\r\n\r\n"), Answers.delta("b", end: "\r\n\r\n")]
            let end = "data: [DONE]\r\n\r\n"
            let answer = Answers.events([(chunks + [Answers.usage(3, 4, end: "\r\n\r\n"), end]).joined()])
            try await self.stream(answer, piece: piece) { answer, record in
                #expect(answer.text == chunks.joined() + end)
                #expect(record.counters.input == 3 && record.counters.output == 4)
            }
        }

        @Test(arguments: [70_000, 600_000])
        func `large events are read like small ones`(size: Int) async throws {
            let deltas = [Answers.delta(String(repeating: "é", count: size / 2)), Answers.delta("b")]
            try await self.stream(Answers.events(deltas + [Answers.usage(8, 9), Answers.done])) { answer, record in
                #expect(answer.text == deltas.joined() + Answers.done)
                #expect(record.counters.input == 8 && record.counters.output == 9)
            }
        }

        @Test func `an event beyond the limit passes, and what follows is not read`() async throws {
            let chunks = [Answers.delta(String(repeating: "x", count: 3 << 20)), Answers.usage(8, 9), Answers.done]
            try await self.stream(Answers.events(chunks)) { answer, record in
                #expect(answer.text == chunks.joined())
                #expect(record.isEstimate && record.outcome == .completed)
                // Every byte relayed, but no more tokens than the model can answer with.
                #expect(record.counters.output == 4096)
            }
        }

        @Test func `a stream without usage is charged by its text`() async throws {
            let text = String(repeating: "x", count: 501)
            let chunks = [Answers.delta(""), Answers.delta("a"), Answers.delta(text), Answers.done]
            try await self.stream(Answers.events(chunks)) { answer, record in
                #expect(answer.text == chunks.joined())
                #expect(record.isEstimate)
                // A token for two bytes, and one for each event.
                #expect(record.counters.output == (501 + 1 + 3) / 2)
                #expect(record.counters.input > 0)
            }
        }

        @Test func `the last event may lack its empty line`() async throws {
            let text = Answers.delta("a") + String(Answers.usage(3, 4).dropLast(2))
            try await self.stream(Answers.events([text])) { answer, record in
                #expect(answer.text == Answers.delta("a"))
                #expect(record.counters.input == 3 && record.counters.output == 4)
            }
        }

        @Test func `many events that never end with a read do not pile up`() async throws {
            let delta = Answers.delta(String(repeating: "y", count: 700))
            let upstream = try await ScriptedUpstream.start { connection, _ in
                _ = try await connection.request()
                try await connection.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
                // Each write ends inside an event.
                var bytes = Array(String(repeating: delta, count: 200).utf8)
                let tail = Array(bytes.suffix(100))
                bytes.removeLast(100)
                try await connection.send(bytes)
                for _ in 0..<700 {
                    try await connection.send(tail + bytes)
                }
                try await connection.send(tail)
            }
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                client.countOnly()
                try await client.send(Requests.chat(Requests.stream))
                let before = ProcessMemory.resident
                let record = try await gateway.records(1)[0]
                #expect(record.outcome == .completed)
                #expect(record.counters.output == 4096)
                #expect(ProcessMemory.resident - before < 60 << 20)
            }
        }

        @Test(arguments: [100, 5000, 66_000, 1 << 20, 20 << 20])
        func `a document is relayed as it is`(size: Int) async throws {
            let document =
                #"{"usage":{"prompt_tokens":2,"completion_tokens":3},"x":"\#(String(repeating: "z", count: size))"}"#
            let upstream = try await ScriptedUpstream.answering(Answers.json(document))
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                for _ in 0..<2 {
                    try await client.send(Requests.chat())
                    let answer = try await client.answer()
                    #expect(answer["content-length"] == "\(document.utf8.count)")
                    #expect(answer.text == document)
                }
                let records = try await gateway.records(2)
                #expect(records.allSatisfy { $0.counters.input == 2 && $0.counters.output == 3 && !$0.isEstimate })
                #expect(upstream.accepted == 1)
            }
        }

        @Test func `what is not JSON is relayed unread`() async throws {
            let audio = [UInt8]((0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            let head = "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: \(audio.count)\r\n\r\n"
            let upstream = try await ScriptedUpstream.answering(Array(head.utf8) + audio)
            try await TestGateway.run([upstream]) { gateway in
                let client = try await gateway.client()
                try await client.send(Requests.chat(#"{"model":"fast","input":"Hi"}"#, path: "/v1/audio/speech"))
                let answer = try await client.answer()
                #expect(answer["content-type"] == "audio/mpeg" && answer.body == audio)
            }
        }
    }
}
