import DataPlane
import Testing

/// What an answer told, as values `#expect` can compare.
struct Told: Equatable {
    var usage: TokenUsage?
    var model = ""
    var finished = false
    var serviceTier = Intent.ServiceTier.absent
    var notes: [UsageScanner.EventNote] = []
}

func usage(
    _ uncached: Int64,
    _ output: Int64,
    read: Int64 = 0,
    write: Int64 = 0,
    reasoning: Int64 = 0,
    audio: (Int64, Int64) = (0, 0),
    unattributed: Int64 = 0
) -> TokenUsage {
    var usage = TokenUsage()
    usage.uncachedInput = uncached
    usage.output = output
    usage.cacheRead = read
    usage.cacheWrite = write
    usage.reasoning = reasoning
    usage.audioInput = audio.0
    usage.audioOutput = audio.1
    usage.unattributed = unattributed
    return usage
}

/// Scans a JSON answer that arrives in `pieces`.
func tellDocument(_ pieces: [[UInt8]]) -> Told {
    var scanner = UsageScanner()
    for piece in pieces { scanner.scan(piece.span) }
    scanner.finish()
    return Told(
        usage: scanner.usage,
        model: scanner.model.text,
        finished: scanner.finished,
        serviceTier: scanner.serviceTier
    )
}

/// Scans a stream that arrives in `pieces`.
func tellStream(_ pieces: [[UInt8]]) -> Told {
    var events = SSEScanner()
    var scanner = UsageScanner()
    var told = Told()
    var held: [UInt8] = []
    for (number, piece) in pieces.enumerated() {
        held += piece
        var start = 0
        while case .event = events.next(held.span, &start) { told.notes.append(scanner.read(held.span, events)) }
        if number == pieces.count - 1, case .event = events.finish(held.span, &start) {
            told.notes.append(scanner.read(held.span, events))
        }
        held.removeFirst(start)
    }
    told.usage = scanner.usage
    told.model = scanner.model.text
    told.finished = scanner.finished
    told.serviceTier = scanner.serviceTier
    return told
}

@Suite struct UsageScannerTests {
    static let documents: [(String, TokenUsage?)] = [
        (#"{"usage":{"prompt_tokens":8,"completion_tokens":377,"total_tokens":385}}"#, usage(8, 377)),
        (
            #"{"usage":{"prompt_tokens":320,"completion_tokens":180,"prompt_tokens_details":{"cached_tokens":12,"#
                + #""audio_tokens":240},"completion_tokens_details":{"reasoning_tokens":15,"audio_tokens":90}}}"#,
            usage(308, 180, read: 12, reasoning: 15, audio: (240, 90))
        ),
        (
            #"{"usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":5,"cache_write_tokens":6},"#
                + #""output_tokens":4,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":24}}"#,
            usage(9, 4, read: 5, write: 6, reasoning: 3)
        ),
        (#"{"usage":{"prompt_tokens":7,"total_tokens":7}}"#, usage(7, 0)),
        (#"{"usage":{"prompt_tokens":7,"completion_tokens":null,"prompt_tokens_details":null}}"#, usage(7, 0)),
        (#"{"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":4,"completion_tokens":1}}"#, usage(6, 1, read: 4)),
        // xAI counts reasoning beside the completion.
        (
            #"{"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":42,"#
                + #""completion_tokens_details":{"reasoning_tokens":30}}}"#,
            usage(10, 32, reasoning: 30)
        ),
        (#"{"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":20}}"#, usage(10, 2, unattributed: 8)),
        (
            #"{"usage":{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,"#
                + #""completion_tokens_details":{"reasoning_tokens":11}}}"#,
            usage(43, 10, reasoning: 10)
        ),
        (
            #"{"usage":{"prompt_tokens":4,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":5}}}"#,
            usage(4, 7, reasoning: 5)
        ),
        (#"{"response":{"usage":{"input_tokens":1,"output_tokens":2}}}"#, usage(1, 2)),
        (#"{"choices":[{"usage":{"prompt_tokens":1,"completion_tokens":1}}]}"#, nil),
        (#"{"usage":null}"#, nil), (#"{"usage":{}}"#, nil), (#"{"usage":[]}"#, nil), (#"{}"#, nil),
        (#"{"usage":{"prompt_tokens":-1,"completion_tokens":1}}"#, nil),
        (#"{"usage":{"prompt_tokens":1.5,"completion_tokens":1}}"#, nil),
        (#"{"usage":{"prompt_tokens":"1","completion_tokens":1}}"#, nil),
        (#"{"usage":{"prompt_tokens":99999999999999999999,"completion_tokens":1}}"#, nil),
        (#"{"usage":{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}}"#, nil),
        (#"{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":1}}"#, nil),
        (#"{"usage":{"prompt_tokens":1,"completion_tokens":1}"#, nil),
        (#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}x"#, nil),
    ]

    @Test(arguments: documents)
    func `documents tell their usage at every split`(_ text: String, _ expected: TokenUsage?) {
        let bytes = Array(text.utf8)
        for at in 0...bytes.count {
            #expect(tellDocument([Array(bytes[..<at]), Array(bytes[at...])]).usage == expected)
        }
    }

    static let chat = [
        #"{"id":"c","model":"gpt-x","service_tier":"default","choices":[{"delta":{"content":"\"usage\":{"}}]}"#,
        #"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#,
        #"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#,
        "[DONE]",
    ]

    @Test func `a chat stream tells its usage in an event of its own`() {
        let bytes = Array(Self.chat.map { "data: \($0)\n\n" }.joined().utf8)
        let expected = Told(
            usage: usage(12, 3),
            model: "gpt-x",
            finished: true,
            serviceTier: .standard,
            notes: [[], .finish, [.usage, .usageOnly], .done]
        )
        for at in 0...bytes.count { #expect(tellStream([Array(bytes[..<at]), Array(bytes[at...])]) == expected) }
    }

    @Test func `a cut stream is not finished`() {
        let told = tellStream([Array("data: \(Self.chat[0])\n\n".utf8)])
        #expect(told == Told(usage: nil, model: "gpt-x", finished: false, serviceTier: .standard, notes: [[]]))
    }

    @Test(arguments: ["completed", "incomplete", "failed"])
    func `a response stream tells its usage in its last event`(_ end: String) {
        let text =
            "event: response.created\ndata: {\"type\":\"response.created\","
            + "\"response\":{\"model\":\"m\",\"usage\":null}}\n\n"
            + "event: response.\(end)\ndata: {\"type\":\"response.\(end)\",\"response\":{\"model\":\"m\",\n"
            + "data: \"service_tier\":\"flex\","
            + "\"usage\":{\"input_tokens\":5,\"input_tokens_details\":{\"cached_tokens\":2},"
            + "\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":1},\"total_tokens\":12}}}\n\n"
        let told = tellStream([Array(text.utf8)])
        #expect(told.usage == usage(3, 7, read: 2, reasoning: 1))
        #expect(told.finished && told.model == "m" && told.serviceTier == .flex)
        #expect(told.notes == [[], [.usage, .finish]])
    }

    @Test func `usage repeated in every chunk counts once, the last`() {
        let chunks = (1...3).map {
            "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":\($0)}}\n\n"
        }
        let told = tellStream([Array(chunks.joined().utf8)])
        #expect(told.usage == usage(4, 3))
        #expect(told.notes == [.usage, .usage, .usage])
    }

    @Test func `damaged answers never trap and never count below zero`() {
        var random = SplitMix64(seed: testSeed)
        let stream = Array(Self.chat.map { "data: \($0)\n\n" }.joined().utf8)
        let alphabet = Array("{}[]\",:-0123456789usage_tokens\n\r ".utf8)
        for _ in 0..<5_000 {
            let document = Array(random.pick(Self.documents).0.utf8).mutated(with: &random, alphabet: alphabet)
            let damaged = stream.mutated(with: &random, alphabet: alphabet)
            let told = tellDocument(document.split(with: &random))
            #expect(told.usage == tellDocument([document]).usage)
            let streamed = tellStream(damaged.split(with: &random))
            for usage in [told.usage, streamed.usage].compactMap({ $0 }) {
                #expect(usage.uncachedInput >= 0 && usage.output >= usage.audioOutput && usage.unattributed >= 0)
            }
        }
    }
}

@Suite(.enabled(if: Fixtures.isPresent, "needs ../shared/fixtures"))
struct RecordedUsageTests {
    static let spans = Fixtures.manifest.filter { $0["compare"]?.string == "usage" }

    @Test(arguments: spans.indices)
    func `recorded exchanges tell what an independent span counted`(_ index: Int) throws {
        let entry = Self.spans[index]
        let output = try #require(entry["output"]?.string)
        let extracted = try #require(entry["extracted"]?.string)
        let expected = try #require(NaiveParser.parse(Fixtures.bytes(extracted)))
        let bytes = Fixtures.bytes(output)
        let told = output.hasSuffix(".sse") ? tellStream([bytes]) : tellDocument([bytes])
        func count(_ name: String) -> Int64? { expected["llm.token_count." + name]?.string.flatMap { Int64($0) } }
        if let prompt = count("prompt") {
            let usage = try #require(told.usage)
            #expect(usage.uncachedInput + usage.cacheRead + usage.cacheWrite == prompt)
            #expect(usage.output == count("completion") ?? 0)
            #expect(usage.cacheRead == count("prompt_details.cache_read") ?? 0)
            #expect(usage.reasoning == count("completion_details.reasoning") ?? 0)
            #expect(usage.audioOutput == count("completion_details.audio") ?? 0)
            #expect(usage.unattributed == 0)
        } else {
            #expect(told.usage == nil)
        }
        if let model = (expected["llm.model_name"] ?? expected["embedding.model_name"])?.string, !told.model.isEmpty {
            #expect(told.model == model)
        }
        var random = SplitMix64(seed: testSeed)
        let pieces = bytes.split(with: &random)
        #expect((output.hasSuffix(".sse") ? tellStream(pieces) : tellDocument(pieces)) == told)
    }

    /// The last usage object a slow parser finds in the documents of one answer.
    private func lastUsage(_ documents: [[UInt8]]) -> NaiveNode? {
        let reports = documents.compactMap { bytes -> NaiveNode? in
            let document = NaiveParser.parse(bytes)
            guard let usage = document?["usage"] ?? document?["response"]?["usage"], case .object = usage.value else {
                return nil
            }
            return usage
        }
        return reports.last
    }

    private func check(_ told: Told, _ documents: [[UInt8]], _ name: String) {
        let reported = self.lastUsage(documents)
        guard let reported, let input = (reported["prompt_tokens"] ?? reported["input_tokens"])?.integer else {
            #expect(told.usage == nil, "\(name)")
            return
        }
        guard let usage = told.usage else {
            Issue.record("no usage: \(name)")
            return
        }
        let output = (reported["completion_tokens"] ?? reported["output_tokens"])?.integer ?? 0
        #expect(usage.uncachedInput + usage.cacheRead + usage.cacheWrite == input, "\(name)")
        #expect(usage.output == output || usage.output == output + usage.reasoning, "\(name)")
        if let total = reported["total_tokens"]?.integer {
            #expect(input + usage.output + usage.unattributed == total || total < input + output, "\(name)")
        }
    }

    static let openAILike = ["openai", "groq", "deepseek", "openrouter", "cerebras", "zai", "mistral", "xai", "azure"]

    @Test func `every recorded exchange of the OpenAI shape is read`() {
        var exchanges = 0
        for name in Self.openAILike {
            for (number, line) in Fixtures.lines("pydantic-ai/\(name).jsonl").enumerated() {
                guard let entry = NaiveParser.parse(line) else { continue }
                let label = "\(name):\(number + 1)"
                if let response = entry["response"], case .object = response.value {
                    let body = Array(line[response.range])
                    check(tellDocument([body]), [body], label)
                } else if let stream = entry["response_sse"]?.string {
                    let bytes = Array(stream.utf8)
                    let documents = naiveEvents(bytes).map { event in
                        event.data.joined(separator: "\n").unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
                    }
                    check(tellStream([bytes]), documents, label)
                } else {
                    continue
                }
                exchanges += 1
            }
        }
        print("recorded exchanges of the OpenAI shape: \(exchanges)")
        #expect(exchanges > 100)
    }

    @Test func `recorded chunks and documents of other SDKs are read`() {
        let kinds = [
            "openai", "openai.chat", "openai.responses", "openai-compatible", "xai", "groq", "deepseek", "azure",
        ]
        var answers = 0
        for entry in Fixtures.manifest {
            guard let kind = entry["kind"]?.string, kind.hasPrefix("upstream-"), let from = entry["from"]?.string,
                kinds.contains(from), let input = entry["input"]?.string
            else { continue }
            if input.hasSuffix(".chunks.txt") {
                let events = Fixtures.lines(input)
                let stream = events.flatMap { event -> [UInt8] in Array("data: ".utf8) + event + [0x0A, 0x0A] }
                check(tellStream([stream]), events, input)
            } else if input.hasSuffix(".json") {
                let bytes = Fixtures.bytes(input)
                check(tellDocument([bytes]), [bytes], input)
            } else {
                continue
            }
            answers += 1
        }
        print("recorded answers of other SDKs: \(answers)")
        #expect(answers > 20)
    }

    @Test func `recorded request bodies are read as intents`() {
        var bodies = 0
        for line in Fixtures.lines("pydantic-ai/openai.jsonl") {
            guard let entry = NaiveParser.parse(line), let request = entry["request"],
                let model = request["model"]?.string, let url = entry["http"]?["url"]?.string
            else { continue }
            var reader = IntentReader()
            let body = Array(line[request.range])
            let endpoint: Intent.Endpoint = url.hasSuffix("/responses") ? .responses : .chatCompletions
            do throws(IntentError) {
                try reader.scan(body.span)
                let intent = try reader.finish(for: endpoint)
                #expect(intent.model.text == model)
                bodies += 1
            } catch {
                Issue.record("\(error): \(body.text.prefix(200))")
            }
        }
        #expect(bodies > 50)
    }
}
