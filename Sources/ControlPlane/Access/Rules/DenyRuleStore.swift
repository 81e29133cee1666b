import Postgres
import Shared

/// The SQL of deny rules.
enum DenyRuleStore {
    private static let columns: SQL = """
        select r.id, r.organization_id, r.name, r.subject_kind, r.subject_id, r.permissions, r.scope_id,
            n.kind as scope_kind, r.reason, r.expires_at, r.revision, r.created_at, r.updated_at
        from deny_rule r left join scope_node n on n.id = r.scope_id
        """

    static func fetch(_ id: DenyRuleID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> DenyRule {
        let locking: SQL = forUpdate ? " for update of r" : ""
        let row = try tx.queryOne(self.columns + " where r.id = $1 and r.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("deny rule") }
        return try self.read(row)
    }

    static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [DenyRule] {
        try tx.query(
            self.columns + """
                 where r.deleted_at is null and ($1::uuid is null or r.organization_id = $1)
                and ($2::uuid is null or r.id > $2) and
                """ + Sight.condition("r.scope_id", 4) + """
                     order by r.id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(self.read)
    }

    static func insert(_ rule: DenyRule, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into deny_rule (id, organization_id, name, subject_kind, subject_id, permissions, scope_id, reason,
                expires_at, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4::text, $5::uuid, $6, $7::uuid, $8, $9::timestamptz, $10, $11, $11)
            """, rule.id, rule.organization, rule.name, rule.subject?.kind.rawValue, rule.subject?.id,
            rule.permissions.names, rule.scope?.node, rule.reason, rule.expiresAt, rule.stamps.revision,
            rule.stamps.createdAt)
    }

    static func save(_ rule: DenyRule, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update deny_rule set name = $2, permissions = $3, reason = $4, expires_at = $5::timestamptz, revision = $6,
                updated_at = $7
            where id = $1
            """, rule.id, rule.name, rule.permissions.names, rule.reason, rule.expiresAt, rule.stamps.revision,
            rule.stamps.updatedAt)
    }

    static func remove(_ id: DenyRuleID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update deny_rule set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
    }

    @Sendable private static func read(_ row: Row) throws -> DenyRule {
        DenyRule(
            id: try row.get("id"), organization: try row.optional("organization_id"), name: try row.get("name"),
            subject: try AccessSubject(row, "subject"), permissions: try AccessStore.permissions(row),
            scope: try ScopeReference(row, kind: "scope_kind", id: "scope_id"), reason: try row.get("reason"),
            expiresAt: try row.optional("expires_at"), stamps: try Stamps(row))
    }
}
