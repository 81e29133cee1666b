import Postgres
import Shared

/// The SQL of roles that somebody made.
enum RoleStore {
    private static let columns: SQL = """
        select id, organization_id, name, description, permissions, revision, created_at, updated_at from role
        """

    /// Also one that is built in.
    static func fetch(_ id: RoleID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Role {
        guard let role = try self.find(id, &tx, forUpdate: forUpdate) else { throw ControlError.notFound("role") }
        return role
    }

    static func find(_ id: RoleID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Role? {
        if let role = BuiltInRole(id) { return Role(role) }
        let locking: SQL = forUpdate ? " for update" : ""
        return try tx.queryOne(self.columns + " where id = $1 and deleted_at is null" + locking, id).map(self.read)
    }

    /// Those that are built in first.
    static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Role] {
        var roles = BuiltInRole.allCases.map { Role($0) }.sorted { $0.id < $1.id }
        if let after = page.afterID { roles.removeAll { $0.id.value <= after } }
        roles += try tx.query(
            self.columns + """
                 where deleted_at is null and ($1::uuid is null or organization_id = $1) and ($2::uuid is null or id > $2)
                and
                """ + Sight.condition("organization_id", 4) + """
                     order by id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(self.read)
        return Array(roles.prefix(page.fetchLimit))
    }

    static func insert(_ role: Role, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into role (id, organization_id, name, description, permissions, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $7, $7)
            """, role.id, role.organization, role.name, role.description, role.permissions.names,
            role.stamps.revision, role.stamps.createdAt)
    }

    static func save(_ role: Role, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update role set name = $2, description = $3, permissions = $4, revision = $5, updated_at = $6 where id = $1
            """, role.id, role.name, role.description, role.permissions.names, role.stamps.revision,
            role.stamps.updatedAt)
    }

    static func remove(_ id: RoleID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update role set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
    }

    static func isBound(_ id: RoleID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne("select true as found from role_binding where role_id = $1 and deleted_at is null limit 1", id)
            != nil
    }

    @Sendable private static func read(_ row: Row) throws -> Role {
        Role(
            id: try row.get("id"), organization: try row.optional("organization_id"), name: try row.get("name"),
            description: try row.get("description"), permissions: try AccessStore.permissions(row),
            stamps: try Stamps(row))
    }
}
