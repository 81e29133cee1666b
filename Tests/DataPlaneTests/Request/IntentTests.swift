import DataPlane
import Testing

/// The intent of a body that arrives byte by byte, or the error as "code member offset".
private func read(_ body: String, _ endpoint: Intent.Endpoint = .chatCompletions) -> Result<Intent, IntentError> {
    var reader = IntentReader()
    do throws(IntentError) {
        for byte in body.utf8 { try reader.scan([byte].span) }
        return .success(try reader.finish(for: endpoint))
    } catch {
        return .failure(error)
    }
}

private func refusal(_ body: String) -> String {
    switch read(body) {
    case .success: "accepted"
    case .failure(let error): "\(error.code.rawValue) \(error.member) \(error.offset)"
    }
}

extension ShortText {
    var text: String { self.withSpan { span in String(decoding: span.indices.map { span[$0] }, as: UTF8.self) } }
}

@Suite struct IntentTests {
    @Test func `a request says what it wants`() throws {
        let body =
            #"{"messages":[{"role":"user","content":"hi \"model\":\"x\""}],"mod\u0065l":"gpt-4o\/m\u0069ni","#
            + #""stream":true,"stream_options":{"include_usage":false},"max_tokens":5,"max_completion_tokens":7,"n":3,"#
            + #""service_tier":"flex","tools":[{}],"user":"u"}"#
        let intent = try read(body).get()
        #expect(intent.model.text == "gpt-4o/mini")
        #expect(Array(Array(body)[intent.modelRange]).text == #""gpt-4o\/m\u0069ni""#)
        #expect(intent.streams && intent.includeUsage == .no)
        #expect(intent.outputBound == 7 && intent.choices == 3 && intent.serviceTier == .flex)
        #expect(intent.features == [.tools] && intent.bodyBytes == body.utf8.count)
    }

    static let clues: [(String, Intent.Features)] = [
        (#"{"model":"m","messages":[{"content":[{"type":"text","text":"image_url file_id"}]}]}"#, []),
        (#"{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#, [.references]),
        (#"{"model":"m","messages":[{"content":[{"type":"file","file":{"file_id":"x"}}]}]}"#, [.references]),
        (#"{"model":"m","messages":[{"content":[{"im\u0061ge_url":{"url":"x"}}]}]}"#, [.references]),
        (#"{"model":"m","input":[{"type":"input_image","file":1}]}"#, [.references]),
        (#"{"model":"m","input":[{"type" : "item_reference","id":"x"}]}"#, [.references]),
        (#"{"model":"m","tools":[{"type":"function","name":"web_search"}]}"#, [.tools]),
        (#"{"model":"m","tools":[{"name":"x","type":"web_search_preview"}]}"#, [.tools, .hostedTools]),
        (#"{"model":"m","tools":[{"\u0074ype":"mcp"}]}"#, [.tools, .references, .hostedTools]),
        (#"{"model":"m","tools":[{"type":"\u006dcp"}]}"#, [.tools, .references, .hostedTools]),
        (
            #"{"model":"m","tools":[{"type":"function","parameters":{"type":"object","properties":{"file":{"type":"string"}}}}]}"#,
            [.tools]
        ),
        (#"{"model":"m","tools":[],"input":[{"type":"web_search_call"}]}"#, []),
    ]

    @Test(arguments: Self.clues)
    func `what the body only names is seen, in pieces of any size`(_ body: String, _ expected: Intent.Features) throws {
        let bytes = Array(body.utf8)
        for size in [1, 2, 3, 7, 19, 20, 21, bytes.count] {
            var reader = IntentReader()
            for start in stride(from: 0, to: bytes.count, by: size) {
                try reader.scan(Array(bytes[start..<min(bytes.count, start + size)]).span)
            }
            let features = try reader.finish(for: .responses).features
            #expect(features == expected, "pieces of \(size)")
        }
    }

    @Test func `only the bound that the endpoint heeds counts`() throws {
        let body = #"{"model":"m","max_tokens":10,"max_output_tokens":1,"best_of":4}"#
        #expect(try read(body, .chatCompletions).get().outputBound == 10)
        #expect(try read(body, .chatCompletions).get().choices == 1)
        #expect(try read(body, .completions).get().outputBound == 10)
        #expect(try read(body, .completions).get().choices == 4)
        #expect(try read(body, .responses).get().outputBound == 1)
        #expect(try read(body, .embeddings).get().outputBound == nil)
    }

    @Test func `null is absent`() throws {
        let body = #"{"model":"m","stream":null,"max_tokens":null,"n":null,"stream_options":null,"service_tier":null}"#
        let intent = try read(body).get()
        #expect(!intent.streams && intent.outputBound == nil && intent.choices == 1 && intent.serviceTier == .absent)
        #expect(intent.includeUsage == .absent)
    }

    static let refused: [(String, String)] = [
        (#"{"stream":true}"#, "missing_member model 0"),
        (#"{"model":null}"#, "missing_member model 0"),
        (#"{"model":7}"#, "wrong_type model 9"),
        (#"{"model":""}"#, "out_of_range model 9"),
        (#"{"model":"a\u0000b"}"#, "out_of_range model 9"),
        (#"{"model":"a\ud800"}"#, "out_of_range model 9"),
        (#"{"model":"a\nb"}"#, "out_of_range model 9"),
        (#"{"model":"m","stream":"true"}"#, "wrong_type stream 22"),
        (#"{"model":"m","stream":1}"#, "wrong_type stream 22"),
        (#"{"model":"m","max_tokens":"5"}"#, "wrong_type max_tokens 26"),
        (#"{"model":"m","max_tokens":-1}"#, "out_of_range max_tokens 26"),
        (#"{"model":"m","max_tokens":1.0}"#, "out_of_range max_tokens 26"),
        (#"{"model":"m","max_tokens":1e3}"#, "out_of_range max_tokens 26"),
        (#"{"model":"m","max_tokens":9999999999999999999}"#, "out_of_range max_tokens 26"),
        (#"{"model":"m","n":0}"#, "out_of_range n 17"),
        (#"{"model":"m","stream_options":true}"#, "wrong_type stream_options 30"),
        (#"{"model":"m","stream_options":{"include_usage":1}}"#, "wrong_type stream_options.include_usage 47"),
        (#"{"model":"m","model":"n"}"#, "duplicate_member model 13"),
        (#"{"model":"m","Stream":true}"#, "ambiguous_member stream 13"),
        (#"{"model":"m"} x"#, "invalid_json  14"),
        (#"["model"]"#, "invalid_json  0"),
        ("{\"model\":\"" + String(repeating: "m", count: 257) + "\"}", "too_long model 9"),
    ]

    @Test(arguments: refused)
    func `a refusal names the member and the place`(_ body: String, _ expected: String) {
        #expect(refusal(body) == expected)
    }

    @Test func `a reader serves one request after another`() throws {
        var reader = IntentReader()
        for name in ["first", "second", "third"] {
            reader.reset()
            try reader.scan(Array("{\"model\":\"\(name)\"").span)
            try reader.scan(Array("}").span)
            #expect(try reader.finish(for: .responses).model.text == name)
        }
    }
}

@Suite struct BodySpliceTests {
    /// The outgoing body of `body` with another model and usage asked for; fed in segments of `size`.
    private func spliced(_ body: String, model: String, usage: Bool = true, segment size: Int = 7) throws -> String {
        let intent = try read(body).get()
        var splice = BodySplice()
        splice.reset(for: intent)
        let modelFits = splice.replaceModel(Array(model).span, in: intent)
        #expect(modelFits)
        if usage {
            let usageFits = splice.includeUsage(in: intent)
            #expect(usageFits)
        }
        let bytes = Array(body)
        let segments = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        let lengths = segments.map(\.count)
        var out: [UInt8] = []
        let text = splice.text
        splice.forEachPiece { piece in
            switch piece {
            case .original(let range):
                BodySplice.forEachSlice(of: range, segments: lengths.span) { out += segments[$0][$1] }
            case .replacement(let range): out += text[range]
            }
        }
        #expect(splice.contentLength == out.count)
        return out.text
    }

    static let cases: [(String, String)] = [
        (#"{"model":"a","stream":true}"#, #"{"stream_options":{"include_usage":true},"model":"B\"","stream":true}"#),
        (#" { "x": 1 , "model" : "a" }"#, #" {"stream_options":{"include_usage":true}, "x": 1 , "model" : "B\"" }"#),
        (#"{"stream_options":null,"model":"a"}"#, #"{"stream_options":{"include_usage":true},"model":"B\""}"#),
        (#"{"stream_options":{ },"model":"a"}"#, #"{"stream_options":{"include_usage":true},"model":"B\""}"#),
        (
            #"{"model":"a","stream_options":{"include_obfuscation":false}}"#,
            #"{"model":"B\"","stream_options":{"include_usage":true,"include_obfuscation":false}}"#
        ),
        (
            #"{"model":"a","stream_options":{"x":[],"include_usage":false}, "z":"é"}"#,
            #"{"model":"B\"","stream_options":{"x":[],"include_usage":true}, "z":"é"}"#
        ),
        (
            #"{"model":"a","stream_options":{"include_usage": null }}"#,
            #"{"model":"B\"","stream_options":{"include_usage": true }}"#
        ),
        (
            #"{"model":"a","stream_options":{"include_usage":true}}"#,
            #"{"model":"B\"","stream_options":{"include_usage":true}}"#
        ),
    ]

    @Test(arguments: cases)
    func `only the model and the wish for usage change`(_ body: String, _ expected: String) throws {
        for size in 1...9 { #expect(try self.spliced(body, model: "B\"", segment: size) == expected) }
    }

    @Test func `a spliced random body means the same but for the edits`() throws {
        var maker = JSONMaker(random: SplitMix64(seed: testSeed))
        for _ in 0..<500 {
            let body = maker.document(["model", "user", "x", "y"]).text
            guard case .success = read(body) else { continue }
            let out = Array(try self.spliced(body, model: "new\u{1}", segment: 1 + maker.random.below(40)))
            guard case .object(let before) = NaiveParser.parse(Array(body))?.value,
                case .object(let after) = NaiveParser.parse(out)?.value
            else {
                Issue.record("not JSON: \(out.text)")
                continue
            }
            #expect(after.count == before.count + 1)
            for (old, new) in zip(before, after.dropFirst()) {
                #expect(old.name == new.name)
                let isModel = old.name == "model".unicodeScalars.map(\.value)
                #expect(
                    Array(out[new.value.range])
                        == (isModel ? Array(#""new\u0001""#) : Array(Array(body)[old.value.range]))
                )
            }
        }
    }
}
