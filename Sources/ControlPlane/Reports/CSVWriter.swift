/// A CSV text as RFC 4180 has it: commas, CRLF, quotes where they are needed.
package struct CSVWriter {
    /// One cell.
    package enum Cell {
        /// Text that people chose: what a spreadsheet would take for a formula is not one.
        case text(String)
        /// Text of ours: numbers, identifiers, instants.
        case value(String)
        case empty
    }

    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func row(_ cells: [Cell]) {
        for (index, cell) in cells.enumerated() {
            if index > 0 { self.bytes.append(UInt8(ascii: ",")) }
            switch cell {
            case .empty: break
            case .value(let text): self.append(text)
            case .text(let text): self.append(Self.harmless(text))
            }
        }
        self.bytes += [13, 10]
    }

    /// The text, behind an apostrophe when it begins as formulas do (OWASP: CSV injection).
    package static func harmless(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, "=+-@\t\r\n＝＋－＠".unicodeScalars.contains(first) else {
            return text
        }
        return "'" + text
    }

    private mutating func append(_ text: String) {
        let special: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: "\""), 13, 10]
        let isEdged = text.first == " " || text.last == " "
        guard isEdged || text.utf8.contains(where: { special.contains($0) }) else {
            self.bytes += text.utf8
            return
        }
        self.bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { self.bytes.append(byte) }
            self.bytes.append(byte)
        }
        self.bytes.append(UInt8(ascii: "\""))
    }
}
