import Postgres
import Shared

/// The SQL of what decides on access, as facts that an `AccessPolicy` is made of.
enum AccessStore {
    /// How far a partition has come, and on which server: one that lost its last commits is another one, or was started
    /// since; and so is one that forgot what was removed long ago.
    struct Position: Sendable, Hashable {
        /// The number of the newest fact; 0 where nothing was ever said.
        let revision: Int64
        let server: Timestamp
    }

    static func position(of partition: AccessPartition, _ tx: inout Transaction) throws -> Position {
        let row = try tx.queryOne(
            """
            select coalesce(h.revision, 0) as revision,
                pg_postmaster_start_time() + coalesce(h.purges, 0) * interval '1 microsecond' as server
            from (select access_partition($1) as id) p left join access_head h on h.partition_id = p.id
            """, partition.organization)
        guard let row else { throw ControlError(.internalFailure, "internal", "", internalDetail: "no row of one") }
        return Position(revision: try row.get("revision"), server: try row.get("server"))
    }

    /// Holds a partition: nobody else changes what decides on its access until the transaction ends.
    static func lock(_ partition: AccessPartition, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            """
            insert into access_head (partition_id, revision) values (access_partition($1), 0) on conflict do nothing
            """, partition.organization)
        _ = try tx.query(
            "select from access_head where partition_id = access_partition($1) for update", partition.organization)
    }

    /// A node and what is above it, innermost first; ends with the instance, and is that alone for no node.
    static func path(to scope: AccessScope, _ tx: inout Transaction) throws -> AccessPath? {
        guard case .node(let node) = scope else { return .instance }
        let rows = try tx.query(
            "select ancestor_id from scope_closure where descendant_id = $1 order by depth limit 12", node)
        guard !rows.isEmpty else { return nil }
        return AccessPath(try rows.map { try $0.get("ancestor_id", as: NodeID.self) })
    }

    /// What was said of a partition after a revision.
    static func facts(
        of partition: AccessPartition, after revision: Int64, _ tx: inout Transaction
    ) throws -> [AccessFact] {
        let organization = partition.organization
        var facts: [AccessFact] = []
        if organization != nil {
            for row in try tx.query(
                """
                select id, parent_id, deleted_at is not null as gone from scope_node
                where organization_id = $1 and access_revision > $2
                """, organization, revision)
            {
                let node: NodeID = try row.get("id")
                let isGone: Bool = try row.get("gone")
                facts.append(isGone ? .removedNode(node) : .node(node, parent: try row.optional("parent_id")))
            }
        }
        for (kind, table) in Self.subjects {
            for row in try tx.query(
                "select id, status = 'active' as active, deleted_at is not null as gone from " + table
                    + " where access_partition(organization_id) = access_partition($1) and access_revision > $2",
                organization, revision)
            {
                let subject = AccessSubject(kind, try row.get("id"))
                let isGone: Bool = try row.get("gone")
                facts.append(
                    isGone ? .removedSubject(subject) : .subject(subject, isActive: try row.get("active")))
            }
        }
        facts += try self.members(of: organization, after: revision, &tx)
        facts += try self.roles(of: organization, after: revision, &tx)
        facts += try self.bindings(of: organization, after: revision, &tx)
        facts += try self.rules(of: organization, after: revision, &tx)
        return facts
    }

    private static let subjects: [(AccessSubject.Kind, SQL)] = [
        (.user, "user_account"), (.group, "user_group"), (.serviceAccount, "service_account"),
    ]

    private static func members(
        of organization: OrganizationID?, after revision: Int64, _ tx: inout Transaction
    ) throws -> [AccessFact] {
        try tx.query(
            """
            select group_id, member_kind, member_id, deleted_at is null as present from group_member
            where access_partition(organization_id) = access_partition($1) and access_revision > $2
            """, organization, revision
        ).compactMap { row in
            guard let kind = AccessSubject.Kind(rawValue: try row.get("member_kind")) else { return nil }
            return .member(
                AccessSubject(kind, try row.get("member_id")), of: try row.get("group_id"), try row.get("present"))
        }
    }

    private static func roles(
        of organization: OrganizationID?, after revision: Int64, _ tx: inout Transaction
    ) throws -> [AccessFact] {
        var facts: [AccessFact] = []
        // Those that are built in are of every partition, and of this build.
        if revision == 0 { facts = BuiltInRole.allCases.map { .role($0.id, $0.permissions) } }
        for row in try tx.query(
            """
            select id, permissions, deleted_at is not null as gone from role
            where access_partition(organization_id) = access_partition($1) and access_revision > $2
            """, organization, revision)
        {
            let isGone: Bool = try row.get("gone")
            facts.append(isGone ? .removedRole(try row.get("id")) : .role(try row.get("id"), try Self.permissions(row)))
        }
        return facts
    }

    private static func bindings(
        of organization: OrganizationID?, after revision: Int64, _ tx: inout Transaction
    ) throws -> [AccessFact] {
        try tx.query(
            """
            select id, subject_kind, subject_id, role_id, scope_id, expires_at, deleted_at is not null as gone
            from role_binding where access_partition(organization_id) = access_partition($1) and access_revision > $2
            """, organization, revision
        ).compactMap { row in
            let id: BindingID = try row.get("id")
            guard try !row.get("gone", as: Bool.self) else { return .removedBinding(id) }
            guard let kind = AccessSubject.Kind(rawValue: try row.get("subject_kind")) else { return nil }
            return .binding(
                AccessBinding(
                    id: id, subject: AccessSubject(kind, try row.get("subject_id")), role: try row.get("role_id"),
                    scope: try Self.scope(row), expiresAt: try row.optional("expires_at")))
        }
    }

    private static func rules(
        of organization: OrganizationID?, after revision: Int64, _ tx: inout Transaction
    ) throws -> [AccessFact] {
        var facts: [AccessFact] = try tx.query(
            """
            select id, subject_kind, subject_id, permissions, scope_id, expires_at, deleted_at is not null as gone
            from deny_rule where access_partition(organization_id) = access_partition($1) and access_revision > $2
            """, organization, revision
        ).map { row in
            let id: DenyRuleID = try row.get("id")
            guard try !row.get("gone", as: Bool.self) else { return .removedDenial(id) }
            return .denial(
                AccessDenial(
                    id: id, subject: try AccessSubject(row, "subject"), permissions: try Self.permissions(row),
                    scope: try Self.scope(row),
                    expiresAt: try row.optional("expires_at")))
        }
        facts += try tx.query(
            """
            select id, first, second, deleted_at is not null as gone from duty_separation
            where access_partition(organization_id) = access_partition($1) and access_revision > $2
            """, organization, revision
        ).map { row in
            let id: DutySeparationID = try row.get("id")
            guard try !row.get("gone", as: Bool.self) else { return .removedSeparation(id) }
            return .separation(
                AccessSeparation(
                    id: id, first: try Self.permissions(row, "first"), second: try Self.permissions(row, "second")))
        }
        return facts
    }

    private static func scope(_ row: Row) throws -> AccessScope {
        try row.optional("scope_id", as: NodeID.self).map { .node($0) } ?? .instance
    }

    /// Names that this build does not know allow nothing, and deny nothing.
    static func permissions(_ row: Row, _ column: String = "permissions") throws -> PermissionSet {
        PermissionSet(try row.get(column, as: [String].self).compactMap { Permission(rawValue: $0) })
    }
}
