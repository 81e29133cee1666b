import Postgres
import Shared

// A tag whose requests something bounds, as the API and the database name it.
extension SubjectTag {
    static let schema = Schema.object([
        .required("name", .string(.tagName)),
        .required("value", Schema.string(.length(1...TagText.valueLimit)).described("\(TagText.valueRule).")),
    ]).described(
        "Of what is below the scope, only requests that have this tag count. Every project there that declares it must"
            + " require it.")

    var json: JSONValue { ["name": .string(self.name), "value": .string(self.value)] }

    /// Of a value that `schema` accepts; nil for nil.
    static func read(_ value: JSONValue?) throws -> SubjectTag? {
        guard let value else { return nil }
        let (name, text) = (value["name"]?.string ?? "", value["value"]?.string ?? "")
        guard let tag = SubjectTag(name: name, value: text) else {
            throw ControlError.invalid("It must be \(TagText.valueRule).", at: "/tag/value")
        }
        return tag
    }

    /// Of a row with `tag_name` and `tag_value`; nil without them.
    static func read(_ row: Row) throws -> SubjectTag? {
        guard let name: String = try row.optional("tag_name"), let value: String = try row.optional("tag_value")
        else { return nil }
        guard let tag = SubjectTag(name: name, value: value) else {
            throw PublishingFailure("a tag of a budget or a rate limit is of a newer release")
        }
        return tag
    }

    /// Refuses a tag that requests below a node cannot have, or need not have: those would go past what it bounds.
    func checkDeclared(
        below scope: ScopeReference, of organization: OrganizationID, _ tx: inout Transaction
    ) throws {
        let row = try tx.queryOne(
            """
            select n.id, n.tags @> jsonb_build_array(jsonb_build_object('name', $2::text, 'required', true)) as required
            from scope_node n join scope_closure c on c.ancestor_id = $1 and c.descendant_id = n.id
            where n.organization_id = $3 and n.kind = 'project' and n.deleted_at is null
                and n.tags @> jsonb_build_array(jsonb_build_object('name', $2::text))
            order by required, n.id limit 1
            """, scope.node, self.name, organization)
        guard let row else {
            let who = scope.kind == .project ? "The project does not declare" : "No project of it declares"
            throw ControlError.invalid("\(who) the tag '\(self.name)'.", at: "/tag/name")
        }
        guard try row.get("required") else {
            throw ControlError.invalid(
                "The project \(ProjectID(try row.get("id", as: NodeID.self).value)) does not require the tag"
                    + " '\(self.name)': a request could go without it.", at: "/tag/name")
        }
    }
}

/// What is to be one after the other in an organization: declaring tags, and bounding what they or nodes stand for.
enum SubjectLock {
    /// "GHTG" as a number.
    private static let space: Int64 = 0x4748_5447

    /// Held until the transaction ends.
    static func take(_ organization: OrganizationID, _ tx: inout Transaction) throws {
        _ = try tx.query(
            "select pg_advisory_xact_lock($1::bigint::integer, hashtext($2::uuid::text))", Self.space, organization)
    }
}
