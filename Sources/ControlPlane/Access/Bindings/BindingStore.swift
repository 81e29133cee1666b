import Postgres
import Shared

/// The SQL of bindings.
enum BindingStore {
    private static let columns: SQL = """
        select b.id, b.organization_id, b.subject_kind, b.subject_id, b.role_id, b.scope_id, n.kind as scope_kind, b.reason,
            b.expires_at, b.created_by_kind, b.created_by, b.last_used_at, b.revision, b.created_at, b.updated_at
        from role_binding b left join scope_node n on n.id = b.scope_id
        """

    /// Which bindings a list has.
    struct Filter {
        var organization: OrganizationID?
        var subject: AccessSubject?
        var role: RoleID?
        var scope: ScopeReference?
    }

    static func fetch(_ id: BindingID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Binding {
        let locking: SQL = forUpdate ? " for update of b" : ""
        let row = try tx.queryOne(self.columns + " where b.id = $1 and b.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("binding") }
        return try self.read(row)
    }

    static func list(
        _ filter: Filter, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Binding] {
        try tx.query(
            self.columns + """
                 where b.deleted_at is null and ($1::uuid is null or b.organization_id = $1)
                and ($2::uuid is null or b.subject_id = $2) and ($3::uuid is null or b.role_id = $3)
                and ($4::uuid is null or b.scope_id = $4) and ($5::uuid is null or b.id > $5)
                and
                """ + Sight.condition("b.scope_id", 7) + """
                     order by b.id limit $6
                    """, filter.organization, filter.subject?.id, filter.role, filter.scope?.node, page.afterID,
            page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(self.read)
    }

    static func insert(_ binding: Binding, _ tx: inout Transaction, _ permit: borrowing Permit) throws {
        let count = try tx.execute(
            """
            insert into role_binding (id, organization_id, subject_kind, subject_id, role_id, scope_id, reason, expires_at,
                created_by_kind, created_by, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6::uuid, $7, $8::timestamptz, $9, $10, $11, $12, $12)
            on conflict (subject_id, role_id, access_partition(scope_id)) where deleted_at is null do nothing
            """, binding.id, binding.organization, binding.subject.kind.rawValue, binding.subject.id, binding.role,
            binding.scope?.node, binding.reason, binding.expiresAt, permit.actor.kind.rawValue, permit.actor.id,
            binding.stamps.revision, binding.stamps.createdAt)
        guard count == 1 else {
            throw ControlError.conflict("already_bound", "The subject has the role at that scope already.")
        }
    }

    static func save(_ binding: Binding, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update role_binding set reason = $2, expires_at = $3::timestamptz, revision = $4, updated_at = $5 where id = $1
            """, binding.id, binding.reason, binding.expiresAt, binding.stamps.revision, binding.stamps.updatedAt)
    }

    static func remove(_ id: BindingID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update role_binding set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
    }

    /// Whose a subject is; nil when there is no such subject.
    ///
    /// - Parameter held: it is not deleted until the transaction ends.
    static func partition(
        of subject: AccessSubject, held: Bool = false, _ tx: inout Transaction
    ) throws -> AccessPartition? {
        let locking: SQL = held ? " for share" : ""
        let table: SQL =
            switch subject.kind {
            case .user: "user_account"
            case .group: "user_group"
            case .serviceAccount: "service_account"
            }
        let row = try tx.queryOne(
            "select organization_id from " + table + " where id = $1 and deleted_at is null" + locking, subject.id)
        guard let row else { return nil }
        return AccessPartition(try row.optional("organization_id"))
    }

    @Sendable private static func read(_ row: Row) throws -> Binding {
        guard let kind = AccessSubject.Kind(rawValue: try row.get("subject_kind")),
            let creator = Actor.Kind(rawValue: try row.get("created_by_kind"))
        else { throw ControlError(.internalFailure, "internal", "", internalDetail: "a binding of unknown form") }
        return Binding(
            id: try row.get("id"), organization: try row.optional("organization_id"),
            subject: AccessSubject(kind, try row.get("subject_id")), role: try row.get("role_id"),
            scope: try ScopeReference(row, kind: "scope_kind", id: "scope_id"), reason: try row.get("reason"),
            expiresAt: try row.optional("expires_at"),
            createdBy: Actor(kind: creator, id: try row.get("created_by")),
            lastUsedAt: try row.optional("last_used_at"), stamps: try Stamps(row))
    }
}

extension AccessSubject {
    /// Of columns `<name>_kind` and `<name>_id` that may be null.
    init?(_ row: Row, _ name: String) throws {
        guard let kind = try row.optional("\(name)_kind", as: String.self).flatMap({ Kind(rawValue: $0) }),
            let id = try row.optional("\(name)_id", as: UUIDValue.self)
        else { return nil }
        self.init(kind, id)
    }
}

extension ScopeReference {
    /// Of columns that may be null.
    init?(_ row: Row, kind: String, id: String) throws {
        guard let node = try row.optional(id, as: NodeID.self), let kind = ScopeNode.Kind(rawValue: try row.get(kind))
        else { return nil }
        self.init(kind, node)
    }
}
