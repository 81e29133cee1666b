/// What others wrote, made fit to be shown: nothing in it moves the cursor, changes colours or turns the direction.
package enum TerminalText {
    /// In one line: every character that is not seen is written as its number.
    package static func line(_ text: some StringProtocol) -> String { Self.escaped(text, keeping: "") }

    /// Text of several lines: line feeds and tabs stay.
    package static func lines(_ text: some StringProtocol) -> String { Self.escaped(text, keeping: "\n\t") }

    private static func escaped(_ text: some StringProtocol, keeping kept: String) -> String {
        if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return String(text) }
        var result = ""
        for scalar in text.unicodeScalars {
            if Self.isHarmless(scalar) || kept.unicodeScalars.contains(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += Self.escape(scalar)
            }
        }
        return result
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{\(Self.hexadecimal(scalar.value, 2))}"
        }
    }

    static func hexadecimal(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Whether a terminal only shows the character.
    package static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20..<0x7F).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            return false
        default: return true
        }
    }

    /// Columns that a text takes: marks take none, wide characters two.
    package static func width(_ text: some StringProtocol) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.unicodeScalars.reduce(0) { $0 + Self.width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        // East Asian Width W and F, in ranges: Hangul, kana and ideographs, full-width forms, emoji.
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF,
            0x1F900...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    /// The text in at most so many columns; what is cut away is shown by `…`.
    package static func cut(_ text: String, to columns: Int) -> String {
        guard Self.width(text) > columns else { return text }
        var result = "", used = 0
        for character in text {
            let width = Self.width(String(character))
            guard used + width < columns else { break }
            result.append(character)
            used += width
        }
        return result + "…"
    }
}
