import Postgres
import Shared

/// The SQL of what needs approvals.
enum ApprovalRuleStore {
    private static let columns: SQL = """
        select r.id, r.organization_id, r.scope_id, n.kind as scope_kind, r.name, r.permissions, r.above_nano_usd,
            r.required, r.approvers, r.valid_seconds, r.reason, r.revision, r.created_at, r.updated_at
        from approval_rule r left join scope_node n on n.id = r.scope_id
        """

    static func fetch(_ id: ApprovalRuleID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> ApprovalRule {
        let locking: SQL = forUpdate ? " for update of r" : ""
        let row = try tx.queryOne(self.columns + " where r.id = $1 and r.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("approval rule") }
        return try self.read(row)
    }

    static func find(_ ids: [ApprovalRuleID], _ tx: inout Transaction) throws -> [ApprovalRule] {
        try tx.query(
            self.columns + " where r.id = any ($1) and r.deleted_at is null order by r.id", ids.map { SQLUUID($0) }
        ).map(self.read)
    }

    /// Those about a permission, of the instance and of an organization.
    static func about(
        _ permission: Permission, of organization: OrganizationID?, _ tx: inout Transaction
    ) throws -> [ApprovalRule] {
        try tx.query(
            self.columns + """
                 where access_partition(r.organization_id) = any (array[access_partition($1), access_partition(null)])
                and r.permissions @> array[$2::text] and r.deleted_at is null order by r.id limit 100
                """, organization, permission.rawValue
        ).map(self.read)
    }

    static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [ApprovalRule] {
        try tx.query(
            self.columns + """
                 where r.deleted_at is null and ($1::uuid is null or r.organization_id = $1)
                and ($2::uuid is null or r.id > $2) and
                """ + Sight.condition("r.scope_id", 4) + """
                     order by r.id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(self.read)
    }

    /// How many an organization, or the instance, has of them.
    static func count(of organization: OrganizationID?, _ tx: inout Transaction) throws -> Int64 {
        try tx.queryOne(
            """
            select count(*) as count from approval_rule
            where access_partition(organization_id) = access_partition($1) and deleted_at is null
            """, organization)?.get("count") ?? 0
    }

    static func insert(_ rule: ApprovalRule, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into approval_rule (id, organization_id, scope_id, name, permissions, above_nano_usd, required, approvers,
                valid_seconds, reason, revision, created_at, updated_at)
            values ($1, $2::uuid, $3::uuid, $4, $5, $6::bigint, $7, $8, $9, $10, $11, $12, $12)
            """, rule.id, rule.organization, rule.scope?.node, rule.name, rule.permissions.names, rule.above,
            Int32(rule.required), rule.approvers.map(\.text), rule.validSeconds, rule.reason, rule.stamps.revision,
            rule.stamps.createdAt)
    }

    static func save(_ rule: ApprovalRule, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update approval_rule set name = $2, permissions = $3, above_nano_usd = $4::bigint, required = $5,
                approvers = $6, valid_seconds = $7, reason = $8, revision = $9, updated_at = $10
            where id = $1
            """, rule.id, rule.name, rule.permissions.names, rule.above, Int32(rule.required),
            rule.approvers.map(\.text), rule.validSeconds, rule.reason, rule.stamps.revision, rule.stamps.updatedAt)
    }

    static func remove(_ id: ApprovalRuleID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update approval_rule set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id,
            time)
    }

    @Sendable private static func read(_ row: Row) throws -> ApprovalRule {
        ApprovalRule(
            id: try row.get("id"), organization: try row.optional("organization_id"),
            scope: try ScopeReference(row, kind: "scope_kind", id: "scope_id"), name: try row.get("name"),
            permissions: try AccessStore.permissions(row), above: try row.optional("above_nano_usd"),
            required: Int(try row.get("required", as: Int32.self)),
            approvers: try row.get("approvers", as: [String].self).compactMap { AccessSubject($0) },
            validSeconds: try row.get("valid_seconds"), reason: try row.get("reason"), stamps: try Stamps(row))
    }
}
