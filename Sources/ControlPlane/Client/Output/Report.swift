/// Shows results in the form that was asked for.
package struct Report: Sendable {
    package let format: OutputFormat
    package let console: Console

    /// Columns of one cell, where not all of it is asked for.
    private static let widest = 80

    package init(format: OutputFormat, console: Console) {
        self.format = format
        self.console = console
    }

    /// That it was done, where there is nothing to show: a program goes by the exit code.
    package func done() {
        if self.format == .table || self.format == .wide { self.console.line("Done.") }
    }

    /// One thing; nothing when the answer had none.
    package func one(_ value: JSON) {
        switch self.format {
        case .table, .wide: self.console.write(Detail.text(value))
        case .json: self.console.line(JSONWriter.lines(value))
        case .name: self.console.line(TerminalText.line(Self.name(value)))
        case .csv: self.list([value], of: nil)
        case .value(let path): self.console.line(Self.plain(value.value(at: path)))
        }
    }

    /// A list of things that look like `shape`.
    package func list(_ items: [JSON], of shape: Shape?) {
        switch self.format {
        case .table, .wide:
            guard !items.isEmpty else { return self.console.note("There are none.") }
            let columns = Columns.of(shape, items: items, isWide: self.format == .wide)
            var table = Table(items, paths: columns)
            guard self.format == .table else { return self.console.write(table.text(width: nil)) }
            table.cut(to: Self.widest)
            self.console.write(table.text(width: self.console.width))
        case .json: self.console.line(JSONWriter.lines(.array(items)))
        case .name: self.console.write(items.map { TerminalText.line(Self.name($0)) + "\n" }.joined())
        case .csv:
            let columns = Columns.of(shape, items: items, isWide: true)
            self.console.write(CSV.text(items, paths: columns))
        case .value(let path):
            self.console.write(items.map { Self.plain($0.value(at: path)) + "\n" }.joined())
        }
    }

    /// What names a thing: its id, or who or what it is about.
    private static func name(_ item: JSON) -> String {
        for member in ["id", "request", "member", "subject"] {
            if let text = item[member]?.string { return text }
        }
        return item.object?.values.lazy.compactMap(\.string).first { Words.isIdentifier($0) } ?? item.plainText
    }

    private static func plain(_ value: JSON?) -> String {
        guard let value else { return "" }
        if let elements = value.array, elements.allSatisfy({ $0.object == nil && $0.array == nil }) {
            return elements.map { TerminalText.lines($0.plainText) }.joined(separator: "\n")
        }
        return TerminalText.lines(value.plainText)
    }
}
