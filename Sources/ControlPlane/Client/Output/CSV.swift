/// Comma-separated values after RFC 4180, safe to open in a spreadsheet.
package enum CSV {
    package static func text(_ items: [JSON], paths: [String]) -> String {
        ([paths.map { TerminalText.line($0) }] + items.map { item in paths.map { Self.value(item.value(at: $0)) } }).map
        { row in
            row.map(Self.cell).joined(separator: ",") + "\r\n"
        }.joined()
    }

    private static func value(_ value: JSON?) -> String {
        switch value {
        case .array(let elements)?: elements.map { Self.value($0) }.joined(separator: " ")
        case let value: TerminalText.lines(value?.plainText ?? "")
        }
    }

    /// A text that a spreadsheet would take for a formula is written behind an apostrophe.
    static func cell(_ text: String) -> String {
        var text = text
        if let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first), Double(text) == nil {
            text = "'" + text
        }
        guard text.contains(where: { "\",\r\n".contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
