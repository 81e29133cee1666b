import DataPlane
import TestKit
import Testing

@Suite struct StreamedTextTests {
    private static func event(_ text: String) -> [UInt8] {
        Array(
            #"data: {"id":"chatcmpl-0123456789012345678901234567","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":null}]}"#
                .utf8)
    }

    private static func measured(_ texts: [String]) -> StreamedText {
        var text = StreamedText()
        for piece in texts { text.note(Self.event(piece).span) }
        return text
    }

    @Test func `text is what events have beyond the shortest of them`() {
        var random = SeededRandom("streamed text")
        for _ in 0..<100 {
            let pieces =
                [""]
                + (0..<Int.random(in: 1...300, using: &random)).map { _ in
                    String(repeating: "x", count: Int.random(in: 0...40, using: &random))
                }
            let total = Int64(pieces.reduce(0) { $0 + $1.count })
            let found = Self.measured(pieces).bytes
            #expect(found >= total && found <= total + Int64(pieces.count), "\(total): \(found)")
        }
    }

    @Test(arguments: [200, 1000, 20_000])
    func `large pieces of one size are text`(_ size: Int) {
        let pieces = Array(repeating: String(repeating: #"\""#, count: size / 2), count: 50)
        let found = Self.measured(pieces).bytes
        // What may be an identifier is taken for one.
        #expect(found >= 50 * Int64(size - 72) && found <= 50 * Int64(size), "\(found)")
    }

    @Test func `nothing is nothing, and an event is at least a token`() {
        #expect(StreamedText().isEmpty && StreamedText().bytes == 0 && StreamedText().usualTokens == 0)
        let even = Self.measured(Array(repeating: "a", count: 30))
        #expect(even.bytes == 30 && even.usualTokens == 30 && !even.isEmpty)
    }
}
