import DataPlane
import Testing

/// One event as the standard's own algorithm would dispatch it, plus the ones without data that a relay passes on.
struct StreamEvent: Equatable {
    var type = ""
    var data: [String] = []
}

/// Reads a whole stream line by line, from the text of the standard.
func naiveEvents(_ bytes: [UInt8]) -> [StreamEvent] {
    var text = latin(bytes)
    if text.hasPrefix("\u{EF}\u{BB}\u{BF}") { text.removeFirst(3) }
    var events: [StreamEvent] = []
    var event = StreamEvent()
    var line = ""
    var previousWasCR = false
    for scalar in text.unicodeScalars {
        let afterCR = previousWasCR
        previousWasCR = scalar == "\r"
        if scalar == "\n" && afterCR { continue }
        guard scalar == "\n" || scalar == "\r" else {
            line.unicodeScalars.append(scalar)
            continue
        }
        if line.isEmpty {
            if !event.data.isEmpty { events.append(event) }
            event = StreamEvent()
        } else {
            let parts = line.unicodeScalars.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            var value = parts.count > 1 ? String(parts[1]) : ""
            if value.unicodeScalars.first == " " { value.unicodeScalars.removeFirst() }
            switch String(parts[0]) {
            case "data": event.data.append(value)
            case "event": event.type = value
            default: break
            }
        }
        line = ""
    }
    return events
}

/// Feeds `pieces` the way a relay does, keeping only the unfinished event; answers the events that have data.
func scanEvents(_ pieces: [[UInt8]], _ scanner: inout SSEScanner, finish: Bool = false) -> [StreamEvent] {
    scanner.reset()
    var events: [StreamEvent] = []
    var held: [UInt8] = []
    var total = 0
    func note(_ scanner: borrowing SSEScanner) {
        guard scanner.dataLineCount > 0 else { return }
        let count = min(scanner.dataLineCount, Limits.eventDataLineCount)
        let data = (0..<count).map { latin(held[scanner.data($0)]) }
        events.append(StreamEvent(type: latin(held[scanner.eventType]), data: data))
    }
    for (number, piece) in pieces.enumerated() {
        held += piece
        total += piece.count
        var start = 0
        reading: while true {
            switch scanner.next(held.span, &start) {
            case .event: note(scanner)
            case .needMore, .tooLarge: break reading
            }
        }
        if finish, number == pieces.count - 1, case .event = scanner.finish(held.span, &start) { note(scanner) }
        held.removeFirst(start)
    }
    #expect(scanner.position == total - held.count)
    return events
}

@Suite struct SSEScannerTests {
    static let streams: [(String, [StreamEvent])] = [
        ("data: a\n\n", [.init(data: ["a"])]),
        ("data:a\r\n\r\ndata:  b\r\r", [.init(data: ["a"]), .init(data: [" b"])]),
        ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", [.init(data: ["a"])]),
        (": comment\n\n\n\ndata: a\n\n", [.init(data: ["a"])]),
        ("event: x\ndata: a\ndata\ndata:\ndata: b\n\n", [.init(type: "x", data: ["a", "", "", "b"])]),
        ("event: x\n\ndata: a\n\n", [.init(data: ["a"])]),
        ("datax: 1\ndata : 2\nid: 3\nretry: 4\n:data: 5\ndata: [DONE]\n\n", [.init(data: ["[DONE]"])]),
        ("data: é\r\ndata: \u{1F600}\n\r\n", [.init(data: [latin("é".utf8), latin("😀".utf8)])]),
        ("data: unfinished", []), ("data: unfinished\n", []), ("", []), ("\n", []),
        ("\u{FEFF}\n\ndata: a\n\n", [.init(data: ["a"])]),
    ]

    @Test(arguments: streams)
    func `streams are framed the same at every split`(_ text: String, _ expected: [StreamEvent]) {
        let bytes = Array(text.utf8)
        var scanner = SSEScanner()
        #expect(naiveEvents(bytes) == expected)
        #expect(scanEvents([bytes], &scanner) == expected)
        for at in 0...bytes.count {
            #expect(scanEvents([Array(bytes[..<at]), Array(bytes[at...])], &scanner) == expected)
        }
        #expect(scanEvents(bytes.map { [$0] }, &scanner) == expected)
    }

    @Test func `an event cut at the end of the stream is told when the stream ends`() {
        var scanner = SSEScanner()
        for text in ["data: a\n\ndata: b", "data: a\n\ndata: b\n", "data: a\n\ndata: b\r", "data: a\n\ndata: b\r\n"] {
            let bytes = Array(text.utf8)
            #expect(scanEvents([bytes], &scanner, finish: true).map(\.data) == [["a"], ["b"]])
            #expect(scanEvents(bytes.map { [$0] }, &scanner, finish: true).map(\.data) == [["a"], ["b"]])
        }
    }

    @Test func `the end mark of OpenAI is known, and only that`() {
        for (text, expected) in [
            ("data: [DONE]\n\n", true), ("data:[DONE]\r\n\r\n", true), ("data: [DONE] \n\n", false),
            ("data: x\ndata: [DONE]\n\n", false), ("data: [DONE]\ndata: x\n\n", false), ("[DONE]\n\n", false),
        ] {
            var scanner = SSEScanner()
            var start = 0
            _ = scanner.next(Array(text.utf8).span, &start)
            let isDone = scanner.isDone
            #expect(isDone == expected, "\(text)")
        }
    }

    @Test func `an event is bounded in bytes and in lines`() {
        var scanner = SSEScanner()
        var start = 0
        let long = Array("data: ".utf8) + Array(repeating: 0x61, count: Limits.eventBytes)
        #expect(scanner.next(long.span, &start) == .tooLarge)
        scanner.reset()
        start = 0
        #expect(scanner.next(long.span.extracting(first: Limits.eventBytes), &start) == .needMore)
        let many = Array(String(repeating: "data: a\n", count: Limits.eventDataLineCount + 1).utf8) + [0x0A]
        scanner.reset()
        start = 0
        #expect(scanner.next(many.span, &start) == .event(0..<many.count))
        let isTruncated = scanner.isTruncated
        #expect(isTruncated)
    }

    @Test func `random streams agree with the plain reader, in pieces`() {
        var random = SplitMix64(seed: testSeed)
        var scanner = SSEScanner()
        let parts = [
            "data: ", "data:", "data", "event: x", ":", " ", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "{\"a\":1}", "é",
            "\u{FEFF}", "[DONE]", "id: 7",
        ]
        for _ in 0..<10_000 {
            let bytes = Array((0..<random.below(24)).map { _ in random.pick(parts) }.joined().utf8)
            let expected = naiveEvents(bytes)
            #expect(scanEvents([bytes], &scanner) == expected, "\(bytes.text.debugDescription)")
            #expect(scanEvents(bytes.split(with: &random), &scanner) == expected, "\(bytes.text.debugDescription)")
        }
    }
}
