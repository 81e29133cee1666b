/// Rows under headings, as wide as the terminal at most.
package struct Table: Sendable {
    package var headings: [String]
    package var rows: [[String]]
    private static let gap = 2
    /// Columns narrower than this say nothing when they are cut.
    private static let narrowest = 8

    package init(_ headings: [String], rows: [[String]] = []) {
        self.headings = headings
        self.rows = rows
    }

    /// Members of things as a table; the heading of `grant.role` is `ROLE`.
    package init(_ items: [JSON], paths: [String]) {
        let short = paths.map { String($0.split(separator: ".").last ?? "") }
        self.headings = zip(paths, short).map { path, last in
            TerminalText.line((short.count { $0 == last } > 1 ? path : last).uppercased())
        }
        self.rows = items.map { item in paths.map { Self.cell(item.value(at: $0)) } }
    }

    /// Cuts what is wider than so many columns.
    package mutating func cut(to columns: Int) {
        self.rows = self.rows.map { row in row.map { TerminalText.cut($0, to: columns) } }
    }

    /// A value in one line.
    package static func cell(_ value: JSON?) -> String {
        switch value {
        case nil, .null: "-"
        case .array(let elements): elements.isEmpty ? "-" : elements.map { Self.cell($0) }.joined(separator: ",")
        case .object([:]): "-"
        case .object(let members):
            members.sorted { $0.key < $1.key }.map { TerminalText.line($0.key) + "=" + Self.cell($0.value) }
                .joined(separator: ",")
        case .string(let text): text.isEmpty ? "-" : TerminalText.line(Self.shortened(text))
        case .bool(let value): value ? "true" : "false"
        case .number(let digits): digits
        }
    }

    /// Instants to the second: what is below it is for programs.
    static func shortened(_ text: String) -> String {
        let bytes = Array(text.utf8)
        guard bytes.count == 27, bytes[10] == UInt8(ascii: "T"), bytes[19] == UInt8(ascii: "."),
            bytes[26] == UInt8(ascii: "Z")
        else { return text }
        return text.prefix(19) + "Z"
    }

    /// - Parameter width: columns of the terminal: what has no room is left out from the right, and what is too wide
    ///   then is cut; nil for all of it.
    package func text(width: Int?) -> String {
        guard !self.headings.isEmpty else { return "" }
        var widths = self.headings.indices.map { column in
            max(TerminalText.width(self.headings[column]), self.rows.map { TerminalText.width($0[column]) }.max() ?? 0)
        }
        if let width { widths = self.fitted(widths, width) }
        var text = ""
        for row in [self.headings] + self.rows {
            var line = ""
            for (column, columns) in widths.enumerated() {
                let cell = TerminalText.cut(row[column], to: columns)
                line += cell
                guard column < widths.count - 1 else { continue }
                line += String(repeating: " ", count: max(0, columns - TerminalText.width(cell)) + Self.gap)
            }
            text += String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
        }
        return text
    }

    /// Half of an identifier says nothing.
    private func hasIdentifiers(_ column: Int) -> Bool { self.rows.contains { Words.isIdentifier($0[column]) } }

    private func fitted(_ widths: [Int], _ width: Int) -> [Int] {
        var widths = widths
        func total() -> Int { widths.reduce(0, +) + (widths.count - 1) * Self.gap }
        // The first two say which one it is.
        while total() > width, widths.count > 2 {
            let others = total() - (widths.last ?? 0)
            // The last may be cut when something is left of it.
            if widths.count > 3, !self.hasIdentifiers(widths.count - 1), width - others >= Self.narrowest * 2 {
                widths[widths.count - 1] = width - others
            } else {
                widths.removeLast()
            }
        }
        if total() > width, widths.count > 1 {
            widths[widths.count - 1] = max(Self.narrowest, width - (total() - widths[widths.count - 1]))
        }
        return widths
    }
}
