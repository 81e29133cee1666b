import Postgres
import Shared

/// The SQL of what is told of decisions.
enum DecisionStore {
    /// A budget, a rate limit or a key, by its identifier as the API writes it; nil when there was never one.
    static func rule(_ id: String, _ tx: inout Transaction) throws -> Decision.Rule? {
        if let budget = BudgetID(id) {
            return try self.rule(
                """
                select r.name, r.deleted_at, r.node_id, r.key_id, r.owner_id, r.owner_kind, r.tag_name, r.tag_value, n.kind as node_kind
                from budget r left join scope_node n on n.id = r.node_id where r.id = $1
                """, budget, &tx)
        }
        if let limit = RateLimitID(id) {
            return try self.rule(
                """
                select r.name, r.deleted_at, r.node_id, r.key_id, r.owner_id, r.owner_kind, r.tag_name, r.tag_value, n.kind as node_kind
                from rate_limit r left join scope_node n on n.id = r.node_id where r.id = $1
                """, limit, &tx)
        }
        guard let key = VirtualKeyID(id) else { return nil }
        let row = try tx.queryOne("select name, project_id from virtual_key where id = $1 and deleted_at is null", key)
        return try row.map {
            Decision.Rule(name: try $0.get("name"), scope: try $0.get("project_id", as: ProjectID.self).description)
        }
    }

    private static func rule(
        _ sql: SQL, _ id: any SQLEncodable, _ tx: inout Transaction
    ) throws -> Decision.Rule? {
        guard let row = try tx.queryOne(sql, id), try row.optional("deleted_at", as: Timestamp.self) == nil else {
            return nil
        }
        return Decision.Rule(name: try row.get("name"), scope: try BudgetSubject.read(row).scope)
    }

    /// The budgets of accounts, in their order; those that are gone are told too.
    static func payments(_ charges: [Charge], _ tx: inout Transaction) throws -> [Decision.Payment] {
        guard !charges.isEmpty else { return [] }
        let rows = try tx.query(
            """
            select w.minute, b.id, b.name, b.node_id, b.key_id, b.owner_id, b.owner_kind, b.tag_name, b.tag_value, n.kind as node_kind
            from unnest($1::bigint[], $2::bigint[]) with ordinality as w (number, minute, place)
            join budget b on b.number = w.number left join scope_node n on n.id = b.node_id order by w.place
            """, charges.map { Int64($0.budget) }, charges.map { Int64($0.startMinute) })
        return try rows.map { row in
            Decision.Payment(
                budget: try row.get("id"), name: try row.get("name"), scope: try BudgetSubject.read(row).scope,
                windowStartsAt: Timestamp(microseconds: try row.get("minute", as: Int64.self) * 60_000_000))
        }
    }
}
