/// Writes JSON: members in the order of their names, and nothing that a terminal would obey.
///
/// What is no printable character is escaped, which JSON reads as the same text.
package enum JSONWriter {
    /// In one line, without spaces: for requests and cells.
    package static func line(_ value: JSON) -> String {
        var text = ""
        Self.write(value, indent: nil, to: &text)
        return text
    }

    /// In lines, indented by two: for people.
    package static func lines(_ value: JSON) -> String {
        var text = ""
        Self.write(value, indent: 0, to: &text)
        return text
    }

    private static func write(_ value: JSON, indent: Int?, to text: inout String) {
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let digits): text += digits
        case .string(let string): Self.write(string, to: &text)
        case .array(let elements):
            Self.write(elements, "[", "]", indent, to: &text) { Self.write($0, indent: $1, to: &$2) }
        case .object(let members):
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            Self.write(sorted, "{", "}", indent, to: &text) { member, indent, text in
                Self.write(member.key, to: &text)
                text += indent == nil ? ":" : ": "
                Self.write(member.value, indent: indent, to: &text)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], _ open: Character, _ close: Character, _ indent: Int?, to text: inout String,
        _ one: (Element, Int?, inout String) -> Void
    ) {
        text.append(open)
        let inner = indent.map { $0 + 2 }
        for (index, element) in elements.enumerated() {
            if index > 0 { text.append(",") }
            if let inner { text += "\n" + String(repeating: " ", count: inner) }
            one(element, inner, &text)
        }
        if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
        text.append(close)
    }

    private static func write(_ string: String, to text: inout String) {
        text.append("\"")
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if TerminalText.isHarmless(scalar) {
                    text.unicodeScalars.append(scalar)
                } else {
                    for unit in String(scalar).utf16 { text += "\\u" + TerminalText.hexadecimal(UInt32(unit), 4) }
                }
            }
        }
        text.append("\"")
    }
}
