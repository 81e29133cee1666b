import DataPlane
import Testing

/// What parsing came to, as values `#expect` can compare.
struct HeadOutcome: Equatable {
    var progress: HeadProgress
    var head: NaiveHead?
}

func latin(_ bytes: some Sequence<UInt8>) -> String {
    String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

func describe(_ framing: BodyFraming) -> String {
    switch framing {
    case .none: "none"
    case .length(let length): "length \(length)"
    case .chunked: "chunked"
    case .untilClose: "until close"
    }
}

/// Parses `bytes` that arrive up to each of `ends` in turn.
func parseRequest(_ bytes: [UInt8], ends: [Int]) -> HeadOutcome {
    var parser = RequestHeadParser()
    var head = RequestHead()
    var progress = HeadProgress.needMore
    for end in ends where progress == .needMore {
        progress = parser.parse(bytes.span.extracting(first: end), into: &head)
    }
    guard case .complete = progress else { return HeadOutcome(progress: progress) }
    var summary = NaiveHead()
    let version = head.version == .http11 ? "HTTP/1.1" : "HTTP/1.0"
    let query = head.query.map { latin(bytes[$0]) } ?? "-"
    summary.start = [latin(bytes[head.methodRange]), latin(bytes[head.path]), query, version]
    for index in 0..<head.fields.count {
        let field = head.fields[index]
        summary.fields.append([latin(bytes[field.name]).lowercased(), latin(bytes[field.value])])
    }
    summary.framing = describe(head.framing)
    summary.keepsAlive = head.keepsAlive
    return HeadOutcome(progress: progress, head: summary)
}

func parseRequest(_ text: String) -> HeadOutcome {
    let bytes = Array(text.utf8)
    return parseRequest(bytes, ends: [bytes.count])
}

@Suite struct RequestHeadParserTests {
    static let accepted: [(String, [String], String, Bool)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET", "/", "-", "HTTP/1.1"], "none", true),
        (
            "POST /v1/chat/completions?api-version=2024-10-21&x=%2F HTTP/1.1\r\nhost: gw.example:8080\r\n"
                + "CONTENT-LENGTH:  12 \r\nAuthorization:\tBearer sk-gh-x\t\r\nconnection: Keep-Alive, close\r\n\r\n",
            ["POST", "/v1/chat/completions", "api-version=2024-10-21&x=%2F", "HTTP/1.1"], "length 12", false
        ),
        (
            "\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nX-Empty:\r\n\r\n",
            ["POST", "/x", "-", "HTTP/1.1"], "chunked", true
        ),
        ("GET /x? HTTP/1.0\r\n\r\n", ["GET", "/x", "", "HTTP/1.0"], "none", false),
        ("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ["GET", "/x", "-", "HTTP/1.0"], "none", true),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ["OPTIONS", "*", "-", "HTTP/1.1"], "none", true),
        ("GET HTTP://a:1/b?c HTTP/1.1\r\nHost: a:1\r\n\r\n", ["GET", "/b", "c", "HTTP/1.1"], "none", true),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", ["GET", "", "-", "HTTP/1.1"], "none", true),
        (
            "BREW /...x/.y HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", ["BREW", "/...x/.y", "-", "HTTP/1.1"], "none",
            true
        ),
    ]

    @Test(arguments: accepted)
    func `heads are read the same at every split`(_ text: String, _ start: [String], _ framing: String, _ keeps: Bool) {
        let bytes = Array(text.utf8) + Array("NEXT")
        let whole = parseRequest(bytes, ends: [bytes.count])
        #expect(whole.progress == .complete(length: bytes.count - 4))
        #expect(whole.head?.start == start)
        #expect(whole.head?.framing == framing)
        #expect(whole.head?.keepsAlive == keeps)
        #expect(whole.head == NaiveHead.request(bytes))
        for end in 0..<bytes.count { #expect(parseRequest(bytes, ends: [end, bytes.count]) == whole) }
        #expect(parseRequest(bytes, ends: Array(0...bytes.count)) == whole)
    }

    private static func post(_ fields: String, version: String = "1.1") -> String {
        "POST /x HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n\r\n"
    }

    static let refused: [(String, HTTPFailure, Int)] = [
        ("GET / HTTP/1.1\nHost: a\n\n", .lineEnding, 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", .lineEnding, 400),
        ("\n", .lineEnding, 400),
        ("\r\n\r\n\r\nGET / HTTP/1.1\r\n", .requestLine, 400),
        ("GET / HTTP/1.1\r\n\r\n", .host, 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .duplicateField, 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .host, 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .host, 400),
        ("GET  / HTTP/1.1\r\n", .requestLine, 400),
        ("GET /\r\n", .requestLine, 400),
        ("GET / HTTP/1.1 \r\n", .requestLine, 400),
        ("GET / http/1.1\r\n", .requestLine, 400),
        ("G@T / HTTP/1.1\r\n", .method, 400),
        (" GET / HTTP/1.1\r\n", .method, 400),
        ("GET /\rx HTTP/1.1\r\n", .requestLine, 400),
        ("GET / HTTP/2.0\r\n", .version, 505),
        ("PRI * HTTP/2.0\r\n", .version, 505),
        ("GET / HTTP/1.2\r\n", .version, 505),
        ("GET * HTTP/1.1\r\n", .target, 400),
        ("CONNECT a:443 HTTP/1.1\r\n", .target, 400),
        ("GET ftp://a/ HTTP/1.1\r\n", .target, 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", .authority, 400),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .authority, 400),
        ("GET /#a HTTP/1.1\r\n", .target, 400),
        ("GET /%4 HTTP/1.1\r\n", .target, 400),
        ("GET /%zz HTTP/1.1\r\n", .target, 400),
        ("GET /é HTTP/1.1\r\n", .target, 400),
        ("GET /v1/../admin HTTP/1.1\r\n", .target, 400),
        ("GET /v1/%2E%2e HTTP/1.1\r\n", .target, 400),
        ("GET /. HTTP/1.1\r\n", .target, 400),
        (post("X : y"), .fieldName, 400),
        (post(": y"), .fieldName, 400),
        (post("X"), .fieldName, 400),
        (post("é: y"), .fieldName, 400),
        (post("X: y\r\n folded"), .foldedField, 400),
        (post("X: y\r\n\tfolded"), .foldedField, 400),
        (post("X: a\u{0}b"), .fieldValue, 400),
        (post("X: a\rb"), .fieldValue, 400),
        (post("X: a\u{7f}"), .fieldValue, 400),
        (post("Content-Length: 1\r\nContent-Length: 1"), .duplicateField, 400),
        (post("Content-Length: 1, 1"), .contentLength, 400),
        (post("Content-Length: +1"), .contentLength, 400),
        (post("Content-Length: -1"), .contentLength, 400),
        (post("Content-Length: 0x1"), .contentLength, 400),
        (post("Content-Length:"), .contentLength, 400),
        (post("Content-Length: 1 1"), .contentLength, 400),
        (post("Content-Length: 9999999999999999999"), .contentLength, 400),
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked"), .lengthAndTransferEncoding, 400),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 1"), .lengthAndTransferEncoding, 400),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), .duplicateField, 400),
        (post("Transfer-Encoding: gzip, chunked"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: chunked, chunked"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: xchunked"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: \"chunked\""), .unknownTransferCoding, 501),
        (post("Transfer-Encoding:"), .transferEncoding, 400),
        (post("Transfer-Encoding: chunked", version: "1.0"), .transferEncoding, 400),
        (post("Authorization: a\r\nauthorization: b"), .duplicateField, 400),
        (post("x-api-key: a\r\nX-API-Key: b"), .duplicateField, 400),
        (post("Content-Type: a\r\nContent-Type: b"), .duplicateField, 400),
        (post("Expect: tea"), .expectation, 417),
        (post((0..<100).map { "X\($0): y" }.joined(separator: "\r\n")), .tooManyFields, 431),
        ("GET /" + String(repeating: "a", count: 8_200) + " HTTP/1.1\r\n", .targetTooLong, 414),
        ("GET /" + String(repeating: "a", count: 9_000), .targetTooLong, 414),
        (post("X: " + String(repeating: "a", count: 40_000)), .headTooLarge, 431),
    ]

    @Test(arguments: refused)
    func `heads with two readings are refused at every split`(_ text: String, _ failure: HTTPFailure, _ status: Int) {
        let bytes = Array(text.utf8)
        #expect(parseRequest(bytes, ends: [bytes.count]).progress == .failed(failure))
        #expect(failure.status == status)
        let step = bytes.count > 500 ? 97 : 1
        for end in stride(from: 0, to: bytes.count, by: step) {
            #expect(parseRequest(bytes, ends: [end, bytes.count]).progress == .failed(failure))
        }
        if bytes.count <= 500 {
            #expect(parseRequest(bytes, ends: Array(0...bytes.count)).progress == .failed(failure))
        }
    }

    @Test func `an unfinished head of the greatest size waits, one byte more fails`() {
        let start = Array("GET / HTTP/1.1\r\nX: ".utf8)
        let longest = start + Array(repeating: 0x61, count: Limits.headBytes - start.count)
        #expect(parseRequest(longest, ends: [longest.count]).progress == .needMore)
        #expect(parseRequest(longest + [0x61], ends: [longest.count + 1]).progress == .failed(.headTooLarge))
    }

    @Test func `fields acted on are found in any case, and repeated lists keep the first`() {
        let text =
            "POST / HTTP/1.1\r\nhOsT: a\r\nX-Request-Id: r\r\nACCEPT: one\r\nAccept: two\r\nGatehouse-Tags: k=v\r\n"
            + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
        let bytes = Array(text.utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        let progress = parser.parse(bytes.span, into: &head)
        let values = [KnownField.host, .xRequestID, .accept, .gatehouseTags, .authorization].map { field in
            head.fields[field].map { latin(bytes[$0]) }
        }
        let expects = head.expectsContinue
        #expect(progress == .complete(length: bytes.count))
        #expect(values == ["a", "r", "one", "k=v", nil])
        #expect(expects)
    }

    @Test func `damaged heads agree with a plain parser, whole and in pieces`() {
        var random = SplitMix64(seed: testSeed)
        let seeds =
            Self.accepted.map { Array($0.0.utf8) } + Self.refused.map { Array($0.0.utf8) }.filter { $0.count < 500 }
        let alphabet = Array("\r\n\r\n: \t,;GETPOST/HTTP/1.0content-length: 12transfer-encoding: chunked%2e.\u{0}".utf8)
        for _ in 0..<20_000 {
            let bytes = random.pick(seeds).mutated(with: &random, alphabet: alphabet)
            let whole = parseRequest(bytes, ends: [bytes.count])
            #expect(whole.head == NaiveHead.request(bytes), "\(bytes.text.debugDescription)")
            let ends = (0..<4).map { _ in random.below(bytes.count + 1) }.sorted() + [bytes.count]
            #expect(parseRequest(bytes, ends: ends) == whole)
        }
    }
}
