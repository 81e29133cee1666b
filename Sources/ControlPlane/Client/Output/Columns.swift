/// Chooses what a table shows of things of a kind: what tells them apart first.
package enum Columns {
    /// Members that say which one it is, in this order.
    private static let first = ["id", "request", "name", "login", "alias", "type", "kind", "index"]
    /// What is seldom looked for in a list.
    private static let seldom: Set<String> = [
        "revision", "created_at", "updated_at", "public_id", "description", "secret_already_issued", "metadata",
    ]
    /// What things refer to that says most of them, and figures that lists are made for.
    private static let references: Set<String> = ["subject", "member", "role", "scope", "project", "key", "model"]
    private static let figures: Set<String> = ["requests", "input", "output", "amount", "meter", "period"]
    private static let usual = 8

    /// Paths of members (`grant.role`), the most telling first.
    package static func of(_ shape: Shape?, items: [JSON], isWide: Bool) -> [String] {
        let fields: [(path: String, score: Int)] = (shape.map { Self.paths($0, "", depth: 0) } ?? Self.paths(items))
            // Nothing is in it: not a column, but when it is asked for.
            .filter { path, _ in isWide || items.contains { Self.isTelling($0.value(at: path)) } }
        let sorted = fields.enumerated().sorted { left, right in
            (left.element.score, left.offset) < (right.element.score, right.offset)
        }.map(\.element)
        guard !isWide else { return sorted.map(\.path) }
        return sorted.filter { $0.score < 100 }.prefix(Self.usual).map(\.path)
    }

    private static func isTelling(_ value: JSON?) -> Bool {
        switch value {
        case nil, .null, .array([]), .object([:]), .string(""), .number("0"): false
        default: true
        }
    }

    private static func paths(_ shape: Shape, _ before: String, depth: Int) -> [(path: String, score: Int)] {
        shape.fields.flatMap { field -> [(path: String, score: Int)] in
            let path = before + field.name
            switch field.shape.kind {
            case .object:
                guard depth < 2 else { return [] }
                return Self.paths(field.shape, path + ".", depth: depth + 1).map { ($0.path, $0.score + 10) }
            case .array:
                guard field.shape.element?.isScalar == true else { return [] }
                return [(path, 60)]
            case .map, .any: return []
            case .string, .integer, .number, .boolean: return [(path, Self.score(field, isNested: depth > 0))]
            }
        }
    }

    private static func score(_ field: Shape.Field, isNested: Bool) -> Int {
        let name = field.name
        if !isNested, let place = Self.first.firstIndex(of: name) { return place }
        if Self.seldom.contains(name) || name.hasSuffix("_nano_usd") || name.hasSuffix("_sha256") { return 100 }
        if name == "secret" { return 8 }
        if name == "status" || name == "state" { return 10 }
        if name.hasSuffix("_usd") { return 12 }
        if field.shape.choices != nil { return 20 }
        if Self.figures.contains(name) { return 13 }
        if let prefixes = field.shape.prefixes {
            return Self.references.contains(name) ? 18 : prefixes == ["org"] ? 50 : 32
        }
        if field.shape.isInstant { return 31 }
        return field.shape.kind == .boolean ? 45 : 40
    }

    /// What there is, where no schema says what there may be.
    private static func paths(_ items: [JSON]) -> [(path: String, score: Int)] {
        var names: Set<String> = []
        for item in items.prefix(100) {
            for (name, value) in item.object ?? [:] where value.object == nil && names.count < 64 { names.insert(name) }
        }
        return names.sorted().map { ($0, Self.first.firstIndex(of: $0) ?? (Self.seldom.contains($0) ? 100 : 40)) }
    }
}
