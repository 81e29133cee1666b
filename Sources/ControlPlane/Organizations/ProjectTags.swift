import Postgres
package import Shared

/// The tags that a project declares.
package enum ProjectTags {
    static let schema = Schema.array(
        of: .object([
            .required("name", .string(.tagName)),
            .optional(
                "required",
                Schema.bool.described("A request that has it neither from its key nor in gatehouse-tags is refused.")),
        ]), count: 0...TagText.countLimit
    ).described("Tags that requests may carry; a list replaces the one before.")

    /// Of a list that `schema` accepts, by ascending name; empty for nil.
    package static func read(_ value: JSONValue?) throws(ControlError) -> [TagDeclaration] {
        var tags: [String: TagDeclaration] = [:]
        for (index, item) in (value?.array ?? []).enumerated() {
            let name = item["name"]?.string ?? ""
            let tag = TagDeclaration(name: name, isRequired: item["required"]?.bool ?? false)
            guard tags.updateValue(tag, forKey: name) == nil else {
                throw .invalid("The tag '\(name)' occurs twice.", at: "/tags/\(index)/name")
            }
        }
        return tags.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    package static func json(_ tags: [TagDeclaration]) -> JSONValue {
        .array(tags.map { ["name": .string($0.name), "required": .bool($0.isRequired)] })
    }

    /// Refuses to take back what a key of the project has a value for, and to leave free what a budget or a rate limit of
    /// the project, or of a node above it, goes by.
    ///
    /// - Parameter before: nil for a new project; both are below the same nodes.
    static func check(_ before: ScopeNode?, _ after: ScopeNode, _ tx: inout Transaction) throws {
        guard (before?.tags ?? []) != after.tags else { return }
        try SubjectLock.take(after.organization, &tx)
        if let before { try self.checkKeys(before, after, &tx) }
        let required = after.tags.filter(\.isRequired).map(\.name)
        let free = Set(((before?.tags ?? []) + after.tags).map(\.name)).subtracting(required).sorted()
        guard !free.isEmpty else { return }
        let row = try tx.queryOne(
            """
            select b.id as budget, null::uuid as rate_limit, b.tag_name
            from scope_closure c join budget b on b.node_id = c.ancestor_id
            where c.descendant_id = $1 and b.deleted_at is null and b.tag_name = any ($2::text[])
            union all
            select null, l.id, l.tag_name from scope_closure c join rate_limit l on l.node_id = c.ancestor_id
            where c.descendant_id = $1 and l.deleted_at is null and l.tag_name = any ($2::text[])
            limit 1
            """, after.reference.node, free)
        guard let row else { return }
        let budget = try row.optional("budget", as: BudgetID.self).map { "budget \($0)" }
        let limit = try row.optional("rate_limit", as: RateLimitID.self).map { "rate limit \($0)" }
        throw ControlError(
            .conflict, "tag_in_use",
            "The \(budget ?? limit ?? "budget") needs the tag '\(try row.get("tag_name", as: String.self))' to be declared"
                + " and required.", pointer: "/tags")
    }

    private static func checkKeys(_ before: ScopeNode, _ after: ScopeNode, _ tx: inout Transaction) throws {
        let gone = before.tags.map(\.name).filter { name in !after.tags.contains { $0.name == name } }
        guard !gone.isEmpty else { return }
        let row = try tx.queryOne(
            """
            select k.id, t.name from virtual_key k join unnest($2::text[]) t (name) on k.tags ->> t.name is not null
            where k.project_id = $1 and k.deleted_at is null limit 1
            """, before.reference.node, gone
        )
        guard let row else { return }
        throw ControlError.conflict(
            "tag_in_use",
            "The key \(try row.get("id", as: VirtualKeyID.self)) has the tag '\(try row.get("name", as: String.self))'."
        )
    }
}

/// The tags of a virtual key itself.
package enum KeyTags {
    static let schema = Schema.map(valueLength: TagText.valueLimit, count: TagText.countLimit, nullValues: false)
        .described(
            "Tags of all its requests, in place of what those say: names that the project declares; values of"
                + " \(TagText.valueRule).")
    static let patchSchema = Schema.map(valueLength: TagText.valueLimit, count: 64, nullValues: true)
        .described("Merged into what is there; null removes a tag.")

    /// The tags with what a patch says.
    static func merged(_ tags: [String: String], _ patch: JSONValue) throws(ControlError) -> [String: String] {
        let merged = JSONValue(tags).merging(patch)
        guard !merged.isNull else { return [:] }
        try Self.schema.validate(merged, at: "/tags")
        let result = Metadata.read(merged)
        for (name, value) in result.sorted(by: { $0.key < $1.key }) {
            guard TagText.isName(name) else {
                throw .invalid("The name of the tag '\(name)' must be \(TagText.nameRule).", at: "/tags")
            }
            guard TagText.isValue(value) else {
                throw .invalid("The value of the tag '\(name)' must be \(TagText.valueRule).", at: "/tags/\(name)")
            }
        }
        return result
    }

    /// Refuses a name that the project does not declare.
    static func check(_ tags: [String: String], of project: ScopeNode) throws(ControlError) {
        for name in tags.keys.sorted() where !project.tags.contains(where: { $0.name == name }) {
            throw .invalid("The project does not declare the tag '\(name)'.", at: "/tags/\(name)")
        }
    }
}
