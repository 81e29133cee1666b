import DataPlane
import Glibc
import Testing

/// Prints how fast the request path's values read; set `GATEHOUSE_BENCH=1` and build for release.
@Suite(.serialized, .enabled(if: getenv("GATEHOUSE_BENCH") != nil))
struct ThroughputTests {
    /// Runs `body` for about half a second and prints bytes per second and nanoseconds per run.
    private func measure(_ name: String, bytes: Int, _ body: () -> Void) {
        let clock = ContinuousClock()
        body()
        var rounds = 0
        let start = clock.now
        while clock.now - start < .milliseconds(500) {
            for _ in 0..<16 { body() }
            rounds += 16
        }
        let elapsed = (clock.now - start) / rounds
        let seconds = Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds)
        print("\(name): \(Int(Double(bytes) / seconds / 1e6)) MB/s, \(Int(seconds * 1e9)) ns for \(bytes) bytes")
    }

    @Test func `JSON bodies`() {
        let english = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 24_000)
        let code = String(repeating: #"    if (a == \"b\") {\n        return c[i];\n    }\n"#, count: 20_000)
        let chinese = String(repeating: "敏捷的棕色狐狸跳过了懒狗", count: 30_000)
        let base64 = String(repeating: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", count: 24_000)
        let messages = String(repeating: #"{"role":"user","content":"What is the weather in Paris?"},"#, count: 20_000)
        let numbers = String(repeating: "-0.025138280,0.007132122,", count: 40_000)
        for (name, content) in [
            ("english", "\"\(english)\""), ("code", "\"\(code)\""), ("chinese", "\"\(chinese)\""),
            ("base64", "\"\(base64)\""), ("messages", "[\(messages)0]"), ("numbers", "[\(numbers)0]"),
        ] {
            let body = Array("{\"model\":\"gpt-4o\",\"messages\":\(content),\"stream\":true}")
            var reader = IntentReader()
            self.measure("JSON \(name)", bytes: body.count) {
                reader.reset()
                var span = body.span.extracting(...)
                do throws(IntentError) {
                    while span.count > 0 {
                        let piece = min(span.count, 64 * 1024)
                        try reader.scan(span.extracting(first: piece))
                        span = span.extracting(droppingFirst: piece)
                    }
                    _ = try reader.finish(for: .chatCompletions)
                } catch {
                    Issue.record("\(error)")
                }
            }
        }
    }

    @Test func `a small intent`() {
        let small = Array(
            #"{"model":"gpt-4o","messages":[{"role":"user","content":"Say hello"}],"stream":true,"max_tokens":100}"#
        )
        var reader = IntentReader()
        self.measure("JSON small intent", bytes: small.count) {
            reader.reset()
            do throws(IntentError) {
                try reader.scan(small.span)
                _ = try reader.finish(for: .chatCompletions)
            } catch {
                Issue.record("\(error)")
            }
        }
    }

    @Test func `request and response heads`() {
        let requestLines: [String] = [
            "POST /v1/chat/completions HTTP/1.1", "Host: gateway.example:8080", "Accept-Encoding: gzip, deflate",
            "Connection: keep-alive", "Accept: application/json", "Content-Type: application/json",
            "User-Agent: OpenAI/Python 2.54.0", "X-Stainless-Lang: python", "X-Stainless-OS: Linux",
            "X-Stainless-Arch: x64", "X-Stainless-Runtime: CPython", "X-Stainless-Retry-Count: 0",
            "Authorization: Bearer sk-gh-AbCdEfGhIjKlMnOp-0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi",
            "Content-Length: 123", "", "",
        ]
        let request: [UInt8] = Array(requestLines.joined(separator: "\r\n").utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        self.measure("request head, 13 fields", bytes: request.count) {
            parser.reset()
            if parser.parse(request.span, into: &head) != .complete(length: request.count) {
                Issue.record("not parsed")
            }
        }
        let responseLines: [String] = [
            "HTTP/1.1 200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Type: text/event-stream",
            "Transfer-Encoding: chunked", "x-request-id: req_0123456789", "openai-processing-ms: 300", "", "",
        ]
        let response: [UInt8] = Array(responseLines.joined(separator: "\r\n").utf8)
        var responseParser = ResponseHeadParser()
        var responseHead = ResponseHead()
        self.measure("response head, 5 fields", bytes: response.count) {
            responseParser.reset()
            let progress = responseParser.parse(response.span, isHead: false, into: &responseHead)
            if progress != .complete(length: response.count) { Issue.record("not parsed") }
        }
        var out: [UInt8] = []
        out.reserveCapacity(1_024)
        let date = HTTPDate(second: 1_700_000_000)
        self.measure("response head written", bytes: 130) {
            out.removeAll(keepingCapacity: true)
            out.writeStatusLine(200)
            out.writeField("content-type", "application/json")
            out.writeDate(date)
            out.writeField("content-length", decimal: 12_345)
            out.endHead()
        }
    }

    @Test func `streams`() {
        let chunk = """
            data: {"id":"chatcmpl-C4HqHBe4xca0k0EzsCnf1t6V3YFXp","object":"chat.completion.chunk","created":1755137933,\
            "model":"gpt-5-nano-2025-08-07","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,\
            "delta":{"content":" about"},"finish_reason":null}],"usage":null,"obfuscation":"AhjV0cXZqo72k8"}


            """
        let usage = """
            data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":100,"total_tokens":112}}

            data: [DONE]


            """
        let stream: [UInt8] = Array((String(repeating: chunk, count: 2_000) + usage).utf8)
        var events = SSEScanner()
        var scanner = UsageScanner()
        self.measure("SSE framing, 2002 events", bytes: stream.count) {
            events.reset()
            var start = 0
            while case .event = events.next(stream.span, &start) {}
        }
        self.measure("SSE framing and usage, 2002 events", bytes: stream.count) {
            events.reset()
            scanner.reset()
            var start = 0
            while case .event = events.next(stream.span, &start) { _ = scanner.read(stream.span, events) }
        }
        let embedding: String = (0..<1_536).map { "-0.0\($0)251" }.joined(separator: ",")
        let text = "{\"data\":[{\"embedding\":[\(embedding)]}],\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}"
        let document: [UInt8] = Array(text.utf8)
        self.measure("embeddings document", bytes: document.count) {
            scanner.reset()
            scanner.scan(document.span)
            scanner.finish()
        }
    }

    @Test func `chunked bodies`() {
        var wire: [UInt8] = []
        let piece = [UInt8](repeating: 0x61, count: 8_192)
        for _ in 0..<128 {
            wire.beginChunk(piece.count)
            wire.write(piece.span)
            wire.endChunk()
        }
        wire.writeLastChunk()
        var decoder = BodyDecoder()
        self.measure("chunked body, 8 KiB chunks", bytes: wire.count) {
            decoder.reset(.chunked, limit: 1 << 30)
            var index = 0
            while case .body = decoder.next(wire.span, &index) {}
        }
    }
}
