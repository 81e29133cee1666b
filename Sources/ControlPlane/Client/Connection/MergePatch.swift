/// JSON merge patch (RFC 7396).
package enum MergePatch {
    /// What makes `wanted` of `current`; members that `wanted` lacks stay at the top, and are removed below it.
    package static func difference(from current: JSON, to wanted: JSON) -> JSON {
        .object(Self.members(from: current.object ?? [:], to: wanted.object ?? [:]))
    }

    private static func members(from current: [String: JSON], to wanted: [String: JSON]) -> [String: JSON] {
        var changes: [String: JSON] = [:]
        for (name, value) in wanted where current[name] != value {
            guard let before = current[name]?.object, let after = value.object else {
                changes[name] = value
                continue
            }
            var inner = Self.members(from: before, to: after)
            for removed in before.keys where after[removed] == nil { inner[removed] = .null }
            changes[name] = .object(inner)
        }
        return changes
    }
}
