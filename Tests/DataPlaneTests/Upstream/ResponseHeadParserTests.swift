import DataPlane
import Testing

/// Parses the response in `bytes`, which arrive up to each of `ends` in turn.
func parseResponse(_ bytes: [UInt8], ends: [Int], isHead: Bool = false) -> HeadOutcome {
    var parser = ResponseHeadParser()
    var head = ResponseHead()
    var progress = HeadProgress.needMore
    for end in ends where progress == .needMore {
        progress = parser.parse(bytes.span.extracting(first: end), isHead: isHead, into: &head)
    }
    guard case .complete = progress else { return HeadOutcome(progress: progress) }
    var summary = NaiveHead()
    summary.start = ["\(head.status)"]
    for index in 0..<head.fields.count {
        let field = head.fields[index]
        summary.fields.append([latin(bytes[field.name]).lowercased(), latin(bytes[field.value])])
    }
    summary.framing = describe(head.framing)
    summary.keepsAlive = head.keepsAlive
    return HeadOutcome(progress: progress, head: summary)
}

@Suite struct ResponseHeadParserTests {
    static let accepted: [(String, String, String, Bool)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200", "length 5", true),
        ("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "200", "chunked", true),
        ("HTTP/1.1 200 \r\n\r\n", "200", "until close", false),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204", "none", true),
        ("HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n", "304", "none", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", "200", "length 1", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n", "200", "length 1", true),
        (
            "HTTP/1.1 429 T\u{e9}\tx\r\nX: \u{e9}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "429", "none",
            false
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 529 Overloaded\r\n"
                + "Content-Length: 2\r\nDate: a\r\nDate: b\r\n\r\n", "529", "length 2", true
        ),
    ]

    @Test(arguments: accepted)
    func `heads are read the same at every split`(_ text: String, _ status: String, _ framing: String, _ keeps: Bool) {
        let bytes = Array(text.utf8) + Array("body")
        let whole = parseResponse(bytes, ends: [bytes.count])
        #expect(whole.progress == .complete(length: bytes.count - 4))
        #expect(whole.head?.start == [status])
        #expect(whole.head?.framing == framing)
        #expect(whole.head?.keepsAlive == keeps)
        for end in 0..<bytes.count { #expect(parseResponse(bytes, ends: [end, bytes.count]) == whole) }
        #expect(parseResponse(bytes, ends: Array(0...bytes.count)) == whole)
    }

    static let refused: [(String, HTTPFailure)] = [
        ("\r\n", .statusLine), ("HTTP/1.1 20 OK\r\n", .statusLine), ("HTTP/1.1 2000 OK\r\n", .statusLine),
        ("HTTP/1.1  200 OK\r\n", .statusLine), ("HTTP/2 200 OK!\r\n", .statusLine), ("HTTP/1.2 200 OK\r\n", .version),
        ("HTTP/1.1 099 X\r\n", .status), ("HTTP/1.1 600 X\r\n", .status), ("HTTP/1.1 101 Switching\r\n", .upgrade),
        ("HTTP/1.1 200 a\rb\r\n", .statusLine), ("HTTP/1.1 200 OK\n", .lineEnding),
        ("HTTP/1.1 200 OK\r\nX: y\n\r\n", .lineEnding), ("HTTP/1.1 200 OK\r\nX : y\r\n", .fieldName),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n", .foldedField),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", .duplicateField),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n", .contentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndTransferEncoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferCoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncoding),
        ("HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Type: b\r\n", .duplicateField),
        (String(repeating: "HTTP/1.1 100 C\r\n\r\n", count: 9), .tooManyInterim),
        (String(repeating: "H", count: 2_000), .statusLine),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 40_000), .headTooLarge),
    ]

    @Test(arguments: refused)
    func `ambiguous answers are refused at every split`(_ text: String, _ failure: HTTPFailure) {
        let bytes = Array(text.utf8)
        for end in stride(from: 0, to: bytes.count, by: bytes.count > 500 ? 97 : 1) {
            #expect(parseResponse(bytes, ends: [end, bytes.count]).progress == .failed(failure))
        }
    }

    @Test func `the answer to HEAD has no body`() {
        let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8)
        #expect(parseResponse(bytes, ends: [bytes.count], isHead: true).head?.framing == "none")
    }

    @Test func `damaged heads never trap and read the same in pieces`() {
        var random = SplitMix64(seed: testSeed)
        let seeds =
            Self.accepted.map { Array($0.0.utf8) } + Self.refused.map { Array($0.0.utf8) }.filter { $0.count < 500 }
        let alphabet = Array("\r\n\r\n: \tHTTP/1.0 2001content-length: 12transfer-encoding: chunked\u{0}".utf8)
        for _ in 0..<20_000 {
            let bytes = random.pick(seeds).mutated(with: &random, alphabet: alphabet)
            let whole = parseResponse(bytes, ends: [bytes.count])
            let ends = (0..<4).map { _ in random.below(bytes.count + 1) }.sorted() + [bytes.count]
            #expect(parseResponse(bytes, ends: ends) == whole)
            if case .complete(let length) = whole.progress { #expect(length <= bytes.count) }
        }
    }
}
