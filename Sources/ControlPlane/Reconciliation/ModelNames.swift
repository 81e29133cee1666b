package import Shared

/// Finds our model for what a provider calls it in an invoice: `Claude Haiku 4.5`, `gpt-4o-2024-08-06`.
package struct ModelNames: Sendable {
    private let exact: [String: ModelID]
    private let plain: [String: ModelID]
    /// By the name without its date, when there is one model only of that name.
    private let undated: [String: ModelID]

    package init(_ models: [(id: ModelID, name: String)]) {
        var undated: [String: [ModelID]] = [:]
        for model in models { undated[Self.undated(Self.plain(model.name)), default: []].append(model.id) }
        self.exact = Dictionary(models.map { ($0.name, $0.id) }, uniquingKeysWith: { $1 })
        self.plain = Dictionary(models.map { (Self.plain($0.name), $0.id) }, uniquingKeysWith: { $1 })
        self.undated = undated.compactMapValues { $0.count == 1 ? $0.first : nil }
    }

    package func model(named name: String) -> ModelID? {
        let plain = Self.plain(name)
        return self.exact[name] ?? self.plain[plain] ?? self.undated[Self.undated(plain)]
    }

    /// Lower case, with a hyphen for every run of what is no letter or digit.
    private static func plain(_ name: String) -> String {
        name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }

    /// Without the date at its end: `-2024-08-06`, `-20240806`, `-0806`.
    private static func undated(_ name: String) -> String {
        var parts = name.split(separator: "-")
        func isNumber(_ part: Substring, _ count: Int) -> Bool {
            part.utf8.count == count && part.utf8.allSatisfy { (48...57).contains($0) }
        }
        if parts.count > 3, isNumber(parts[parts.count - 3], 4), isNumber(parts[parts.count - 2], 2),
            isNumber(parts[parts.count - 1], 2)
        {
            parts.removeLast(3)
        } else if parts.count > 1, isNumber(parts[parts.count - 1], 8) || isNumber(parts[parts.count - 1], 4) {
            parts.removeLast()
        }
        return parts.joined(separator: "-")
    }
}
