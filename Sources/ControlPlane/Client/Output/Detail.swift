/// One thing with everything that is said of it, a member a line.
package enum Detail {
    private static let first = ["id", "request", "name", "login", "alias", "kind", "type", "status", "secret"]
    private static let last = ["revision", "created_at", "updated_at"]

    package static func text(_ value: JSON) -> String {
        var lines: [String] = []
        Self.write(value, indent: 0, to: &lines)
        return lines.map { $0 + "\n" }.joined()
    }

    private static func write(_ value: JSON, indent: Int, to lines: inout [String]) {
        let space = String(repeating: " ", count: indent)
        guard let members = value.object else {
            lines.append(space + Table.cell(value))
            return
        }
        let names = members.keys.sorted { Self.place($0) < Self.place($1) }
        let width = names.map { TerminalText.width(TerminalText.line($0)) }.max() ?? 0
        for name in names {
            let shown = TerminalText.line(name)
            switch members[name] {
            case .object(let inner)? where !inner.isEmpty:
                lines.append(space + shown + ":")
                Self.write(.object(inner), indent: indent + 2, to: &lines)
            case .array(let elements)? where elements.contains { $0.object != nil }:
                lines.append(space + shown + ":")
                Self.write(elements, indent: indent + 2, to: &lines)
            case let value:
                let gap = String(repeating: " ", count: width - TerminalText.width(shown) + 2)
                lines.append(space + shown + ":" + gap + Self.scalar(value))
            }
        }
    }

    /// A list of things: each under the one before, marked.
    private static func write(_ elements: [JSON], indent: Int, to lines: inout [String]) {
        for element in elements {
            var inner: [String] = []
            Self.write(element, indent: indent + 2, to: &inner)
            guard let head = inner.first else { continue }
            lines.append(String(repeating: " ", count: indent) + "- " + head.dropFirst(indent + 2))
            lines += inner.dropFirst()
        }
    }

    private static func scalar(_ value: JSON?) -> String {
        guard case .array(let elements)? = value, !elements.isEmpty else { return Table.cell(value) }
        return elements.map { Table.cell($0) }.joined(separator: ", ")
    }

    private static func place(_ name: String) -> (Int, String) {
        if let place = Self.first.firstIndex(of: name) { return (place, "") }
        return Self.last.firstIndex(of: name).map { (1000 + $0, "") } ?? (100, name)
    }
}
