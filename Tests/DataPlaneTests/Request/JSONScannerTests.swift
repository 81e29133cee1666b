import DataPlane
import Testing

private let table = JSONTable([
    JSONWanted("model", capture: 64),
    JSONWanted("stream"),
    JSONWanted("stream_options"),
    JSONWanted("include_usage", in: 2),
    JSONWanted("kind", capture: 16, oversize: .forget),
])

/// What a scan of `pieces` ends with, as values `#expect` can compare.
private struct Outcome: Equatable {
    var error: JSONError?
    var ranges: [Range<Int>?] = []
    var kinds: [JSONKind?] = []
    var captures: [[UInt8]?] = []
}

private func scan(_ pieces: [[UInt8]], _ scanner: inout JSONScanner) -> Outcome {
    var outcome = Outcome()
    scanner.reset()
    do throws(JSONError) {
        for piece in pieces { try scanner.scan(piece.span) }
        try scanner.finish()
    } catch {
        outcome.error = error
        return outcome
    }
    for index in 0..<table.wanted.count {
        let value = scanner.value(index)
        outcome.ranges.append(value?.range)
        outcome.kinds.append(value?.kind)
        outcome.captures.append(value.map { Array(scanner.captures[$0.captured]) })
    }
    return outcome
}

private func scan(_ text: String) -> Outcome {
    var scanner = JSONScanner(table)
    return scan([Array(text)], &scanner)
}

@Suite struct JSONScannerTests {
    static let accepted = [
        "{}", " {\r\n\t} ", #"{"a":[1,-0,0.5,1e9,1E-2,-1.25e+7]}"#, #"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#,
        #"{"a":"\ud800"}"#, #"{"é":"日本語😀"}"#, #"{"a":{"a":{"a":[[],{}]}}}"#, #"{"a":true,"b":false,"c":null}"#,
        #"{"":0}"#, #"{"a":1,"a":2}"#, #"{"x":{"model":1,"model":2}}"#, #"{"model":"m","stream":true}"#,
        #"{"stream_options":{"include_usage":true,"x":{"include_usage":1}},"include_usage":5}"#,
        #"{"modelx":1,"mode":2,"model":"a"}"#, #"{"stream_options":[{"include_usage":1,"include_usage":2}]}"#,
    ]

    @Test(arguments: accepted)
    func `valid documents are accepted at every split`(_ text: String) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(table)
        let whole = scan([bytes], &scanner)
        #expect(whole.error == nil)
        for at in 0...bytes.count {
            #expect(scan([Array(bytes[..<at]), Array(bytes[at...])], &scanner) == whole)
        }
        #expect(scan(bytes.map { [$0] }, &scanner) == whole)
    }

    static let refused: [(String, JSONError.Code, Int)] = [
        ("", .incomplete, 0), ("{", .incomplete, 1), (#"{"a":1"#, .incomplete, 6), ("[]", .notAnObject, 0),
        ("1", .notAnObject, 0), ("\"a\"", .notAnObject, 0), ("{}{}", .trailingBytes, 2), ("{},", .trailingBytes, 2),
        (#"{"a":01}"#, .syntax, 6), (#"{"a":1.}"#, .syntax, 7), (#"{"a":.5}"#, .syntax, 5), (#"{"a":+1}"#, .syntax, 5),
        (#"{"a":1e}"#, .syntax, 7), (#"{"a":-}"#, .syntax, 6), (#"{"a":tru}"#, .syntax, 8),
        (#"{"a":True}"#, .syntax, 5),
        (#"{"a":NaN}"#, .syntax, 5), (#"{"a":1,}"#, .syntax, 7), (#"{,"a":1}"#, .syntax, 1), (#"{"a" 1}"#, .syntax, 5),
        (#"{"a":[1,]}"#, .syntax, 8), (#"{"a":[1 2]}"#, .syntax, 8), (#"{"a":[1}"#, .syntax, 7),
        (#"{"a":{]}"#, .syntax, 6),
        (#"{'a':1}"#, .syntax, 1), (#"{a:1}"#, .syntax, 1), (#"{"a":"\x"}"#, .syntax, 7),
        (#"{"a":"\u12g4"}"#, .syntax, 10),
        ("{\"a\":\"\n\"}", .syntax, 6), ("{\"a\":\"\u{0}\"}", .syntax, 6), ("\u{FEFF}{}", .syntax, 0),
        (#"{"a":1}//x"#, .trailingBytes, 7), (#"{"model":"a","model":"b"}"#, .duplicateMember, 13),
        (#"{"model":"a","mod\u0065l":"b"}"#, .duplicateMember, 13),
        (#"{"stream_options":{"include_usage":true,"include_usage":false}}"#, .duplicateMember, 40),
        (#"{"Model":"a"}"#, .ambiguousMember, 1), (#"{"model":"a","MODEL":"b"}"#, .ambiguousMember, 13),
        (#"{"ſtream":true}"#, .ambiguousMember, 1), (#"{"\u017Ftream":true}"#, .ambiguousMember, 1),
        ("{\"\u{212A}ind\":1}", .ambiguousMember, 1), (#"{"model\u0000x":1}"#, .ambiguousMember, 12),
        (#"{"mod\ud800el":1}"#, .ambiguousMember, 11), (#"{"mod\udc00el":1}"#, .ambiguousMember, 10),
        (#"{"stream_options":{"Include_usage":true}}"#, .ambiguousMember, 19),
    ]

    @Test(arguments: refused)
    func `broken or ambiguous documents are refused at every split`(_ text: String, _ code: JSONError.Code, _ at: Int) {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(table)
        for split in 0...bytes.count {
            let error = scan([Array(bytes[..<split]), Array(bytes[split...])], &scanner).error
            #expect(error?.code == code, "\(text) split at \(split)")
            #expect(error?.offset == at, "\(text) split at \(split)")
        }
        #expect(scan(bytes.map { [$0] }, &scanner).error?.code == code)
    }

    @Test func `strings that are not UTF-8 are refused`() {
        let sequences: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x28, 0xA1],
        ]
        var scanner = JSONScanner(table)
        for sequence in sequences {
            for padding in 0...9 {
                let filler = Array(String(repeating: "x", count: padding))
                let bytes = Array("{\"a\":\"") + filler + sequence + filler + Array("\"}")
                #expect(scan([bytes], &scanner).error?.code == .notUTF8)
                #expect(scan(bytes.map { [$0] }, &scanner).error?.code == .notUTF8)
            }
        }
    }

    @Test func `depth is bounded and counts the document`() {
        func nested(_ depth: Int) -> String {
            "{\"a\":" + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
        }
        #expect(scan(nested(Limits.jsonDepth - 1)).error == nil)
        #expect(scan(nested(Limits.jsonDepth)).error?.code == .tooDeep)
        let objects = String(repeating: "{\"a\":", count: 127) + "{}" + String(repeating: "}", count: 127)
        #expect(scan(objects).error == nil)
    }

    @Test func `wanted values are located, typed and captured`() {
        let text =
            #" {"x":[1,{"model":2}], "model" : "a\"b" , "stream_options":{"y":[],"include_usage": true},"kind":12.5}"#
        let outcome = scan(text)
        let parts = outcome.ranges.map { $0.map { Array(Array(text)[$0]).text } }
        #expect(parts == [#""a\"b""#, nil, #"{"y":[],"include_usage": true}"#, "true", "12.5"])
        #expect(outcome.kinds == [.string, nil, .object, .yes, .number])
        #expect(outcome.captures[0] == Array(#"a\"b"#))
        #expect(outcome.captures[4] == Array("12.5"))
    }

    @Test func `a capture is bounded`() {
        let exact = String(repeating: "m", count: 64)
        #expect(scan("{\"model\":\"\(exact)\"}").captures[0] == Array(exact))
        let error = scan("{\"model\":\"\(exact)m\"}").error
        #expect(error == JSONError(code: .memberTooLong, offset: 9, member: 0))
        let forgotten = scan("{\"kind\":\"\(exact)\",\"model\":\"m\"}")
        #expect(forgotten.error == nil)
        #expect(forgotten.captures[4] == [])
        #expect(forgotten.captures[0] == [0x6D])
    }

    @Test func `random documents agree with a plain parser, whole, in pieces and damaged`() {
        var maker = JSONMaker(random: SplitMix64(seed: testSeed))
        var scanner = JSONScanner(table)
        let alphabet = Array("{}[]\",:\\u0123456789-+.eEtfn \n\u{e9}")
        for round in 0..<3_000 {
            var bytes = maker.document(["model", "stream", "stream_options", "kind", "Model", "include_usage"])
            if round % 2 == 1 { bytes = bytes.mutated(with: &maker.random, alphabet: alphabet) }
            let whole = scan([bytes], &scanner)
            let pieces = scan(bytes.split(with: &maker.random), &scanner)
            // Which of two errors is met first may depend on the pieces: a capture is checked at a piece's end.
            if pieces.error?.code != .memberTooLong || whole.error == nil { #expect(pieces == whole, "\(bytes.text)") }
            compare(whole, NaiveParser.parse(bytes), bytes)
        }
    }

    /// The scanner refuses what the plain parser refuses, and beyond that only what its policy names.
    private func compare(_ outcome: Outcome, _ node: NaiveNode?, _ bytes: [UInt8]) {
        guard let node, case .object(let members) = node.value else {
            // Policy errors may come before the syntax error.
            #expect(outcome.error != nil, "accepted: \(bytes.text)")
            return
        }
        switch outcome.error?.code {
        case .none:
            for (index, wanted) in table.wanted.enumerated() where wanted.parent < 0 {
                let name = wanted.name.description.unicodeScalars.map(\.value)
                #expect(outcome.ranges[index] == members.first { $0.name == name }?.value.range, "\(bytes.text)")
            }
        case .duplicateMember, .ambiguousMember, .memberTooLong: break
        case .some(let code): Issue.record("\(code): \(bytes.text)")
        }
    }
}
