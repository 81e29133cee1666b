import DataPlane
import Testing

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var end = BodyDecoder.Step.needMore
    /// Bytes used up to the end of the body.
    var used = 0
    var closed: HTTPFailure?
}

private func decode(_ framing: BodyFraming, _ pieces: [[UInt8]], limit: Int = 1_000_000) -> Decoded {
    var decoder = BodyDecoder()
    decoder.reset(framing, limit: limit)
    var result = Decoded()
    for piece in pieces where result.end == .needMore {
        var index = 0
        reading: while true {
            let step = decoder.next(piece.span, &index)
            if case .body(let range) = step {
                result.body += piece[range]
            } else {
                result.end = step
                break reading
            }
        }
        result.used += index
    }
    result.closed = decoder.closed()
    return result
}

@Suite struct BodyDecoderTests {
    static let accepted: [(BodyFraming, String, String, Int)] = [
        (.none, "next", "", 4),
        (.length(5), "hellonext", "hello", 4),
        (.chunked, "0\r\n\r\nnext", "", 4),
        (.chunked, "5\r\nhello\r\n0\r\n\r\nnext", "hello", 4),
        (
            .chunked, "5;a=b;c=\"d\"\r\nhello\r\n00A\r\n0123456789\r\n000;x\r\nT: v\r\nU:\r\n\r\nnext",
            "hello0123456789", 4
        ),
        (.chunked, "f\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcde", 0),
    ]

    @Test(arguments: accepted)
    func `bodies are found at every split`(_ framing: BodyFraming, _ text: String, _ body: String, _ rest: Int) {
        let bytes = Array(text.utf8)
        for at in 0...bytes.count {
            let result = decode(framing, [Array(bytes[..<at]), Array(bytes[at...])])
            #expect(result == Decoded(body: Array(body), end: .complete, used: bytes.count - rest, closed: nil))
        }
        #expect(decode(framing, bytes.map { [$0] }).body == Array(body))
    }

    static let refused: [(String, HTTPFailure)] = [
        ("\r\n", .chunkSize), ("g\r\n", .chunkSize), ("-1\r\n", .chunkSize), (" 5\r\n", .chunkSize),
        ("0x5\r\n", .chunkSize),
        ("5 \r\nhello", .chunkSize), ("5\nhello\n", .chunkSize), ("5\r\r\n", .chunkSize), ("5\r\nhelloX", .chunkSize),
        ("5\r\nhello\n", .chunkSize), ("5\r\nhello\rX", .chunkSize), ("5;a\nb\r\n", .chunkExtension),
        ("5;\u{0}\r\n", .chunkExtension), ("ffffffffffffffff\r\n", .chunkSize), ("0000000000000005\r\n", .chunkSize),
        ("7fffffffffffff\r\n", .bodyTooLarge), ("0\r\nX\r\n\r\n", .trailer), ("0\r\n folded\r\n\r\n", .trailer),
        ("0\r\nX: a\nY: b\r\n\r\n", .trailer), ("0\r\n: a\r\n\r\n", .trailer), ("0\r\n\rX", .trailer),
        ("0\r\n\n", .trailer),
        ("0\r\nX: a\u{0}\r\n\r\n", .trailer),
        ("1;" + String(repeating: "a", count: Limits.chunkExtensionBytes) + "\r\n", .chunkExtension),
        ("0\r\nX: " + String(repeating: "a", count: Limits.trailerBytes) + "\r\n\r\n", .trailer),
    ]

    @Test(arguments: refused)
    func `broken chunks are refused at every split`(_ text: String, _ failure: HTTPFailure) {
        let bytes = Array(text.utf8)
        for at in stride(from: 0, through: bytes.count, by: bytes.count > 200 ? 101 : 1) {
            #expect(decode(.chunked, [Array(bytes[..<at]), Array(bytes[at...])]).end == .failed(failure))
        }
    }

    @Test func `the limit holds for every framing`() {
        #expect(decode(.length(11), [], limit: 10).closed == .bodyTooLarge)
        #expect(decode(.length(11), [[]], limit: 10).end == .failed(.bodyTooLarge))
        #expect(decode(.length(10), [Array("0123456789".utf8)], limit: 10).end == .complete)
        #expect(
            decode(.untilClose, [Array("0123456789".utf8), Array("x".utf8)], limit: 10).end == .failed(.bodyTooLarge)
        )
        let chunks = Array("6\r\n012345\r\n5\r\n".utf8)
        #expect(decode(.chunked, [chunks], limit: 10).end == .failed(.bodyTooLarge))
        let tiny = (0..<3_000).flatMap { _ in Array("1;e\r\nx\r\n".utf8) }
        #expect(decode(.chunked, [tiny]).end == .failed(.chunkExtension))
    }

    @Test func `a closed connection ends only what has no length`() {
        #expect(decode(.untilClose, [Array("abc".utf8)]).closed == nil)
        #expect(decode(.length(4), [Array("abc".utf8)]).closed == .closedEarly)
        #expect(decode(.chunked, [Array("3\r\nabc\r\n".utf8)]).closed == .closedEarly)
        #expect(decode(.chunked, [Array("3\r\nabc\r\n0\r\n\r\n".utf8)]).closed == nil)
    }

    @Test func `what is written in chunks is read back, and damage never reads past its bytes`() {
        var random = SplitMix64(seed: testSeed)
        let alphabet = Array("0123456789abcdefABCDEF;\r\n\r\n".utf8)
        for round in 0..<5_000 {
            let body = (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var wire: [UInt8] = []
            for piece in body.split(with: &random) where !piece.isEmpty {
                wire.beginChunk(piece.count)
                wire.write(piece.span)
                wire.endChunk()
            }
            wire.writeLastChunk()
            if round % 2 == 0 {
                let result = decode(.chunked, wire.split(with: &random))
                #expect(result == Decoded(body: body, end: .complete, used: wire.count, closed: nil))
            } else {
                let damaged = wire.mutated(with: &random, alphabet: alphabet)
                let whole = decode(.chunked, [damaged])
                let pieces = decode(.chunked, damaged.split(with: &random))
                #expect(whole.body.count <= damaged.count && whole.body == pieces.body)
                #expect(whole.end == pieces.end || damaged.isEmpty)
            }
        }
    }
}
