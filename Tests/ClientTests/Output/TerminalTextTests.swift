import AdminClient
import Testing

@Suite struct TerminalTextTests {
    @Test(arguments: [
        ("plain", "plain"), ("Zürich 東京", "Zürich 東京"), ("a\u{1B}[31mred", "a\\u{1b}[31mred"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"), ("\u{9B}31m", "\\u{9b}31m"), ("\u{7F}", "\\u{7f}"),
        ("\u{202E}txt.exe", "\\u{202e}txt.exe"), ("\u{200B}", "\\u{200b}"), ("\u{2028}", "\\u{2028}"),
        ("\u{E000}", "\\u{e000}"), ("\u{0}", "\\u{00}"),
    ])
    func `what a terminal would obey is written as its number`(_ text: String, _ expected: String) {
        #expect(TerminalText.line(text) == expected)
    }

    @Test func `lines keep their ends, and nothing else`() {
        #expect(TerminalText.lines("a\n\tb\u{1B}[2J\r") == "a\n\tb\\u{1b}[2J\\r")
    }

    @Test func `no scalar that is not harmless gets through`() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let shown = TerminalText.line(String(scalar))
            guard !TerminalText.isHarmless(scalar) else { continue }
            if !shown.unicodeScalars.allSatisfy({ (0x20..<0x7F).contains($0.value) }) {
                Issue.record("U+\(String(value, radix: 16)) gets through")
                return
            }
        }
    }

    @Test func `widths are those of a terminal`() {
        #expect(TerminalText.width("abc") == 3)
        #expect(TerminalText.width("東京") == 4)
        #expect(TerminalText.width("e\u{301}") == 1)
        #expect(TerminalText.cut("東京都", to: 5) == "東京…")
        #expect(TerminalText.cut("abc", to: 3) == "abc")
        #expect(TerminalText.cut("abcd", to: 3) == "ab…")
    }
}
