import Postgres
import Shared

/// The SQL of groups.
enum GroupStore {
    private static let columns: SQL = """
        select g.id, g.organization_id, g.name, g.description, g.status, g.metadata::text as metadata, g.revision,
            g.created_at, g.updated_at
        from user_group g
        """

    static func find(_ id: GroupID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> UserGroup? {
        try tx.queryOne(Self.columns + " where g.id = $1 and g.deleted_at is null" + lock.clause(of: "g"), id)
            .map { try UserGroup($0) }
    }

    static func fetch(_ id: GroupID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> UserGroup {
        guard let group = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("group") }
        return group
    }

    static func list(_ list: SubjectList, _ sight: Sight, _ tx: inout Transaction) throws -> [UserGroup] {
        let statement = try list.statement(Self.columns, "g", at: "g.organization_id", sight, &tx) {
            $0 += " and g.deleted_at is null"
        }
        guard let statement else { return [] }
        return try tx.query(statement).map { try UserGroup($0) }
    }

    static func insert(_ group: UserGroup, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into user_group (id, organization_id, name, description, status, metadata, revision, created_at,
                updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $8)
            """,
            group.id, group.organization, group.name, group.description, group.status.rawValue,
            SQLJSON(JSONValue(group.metadata).text), group.stamps.revision, group.stamps.createdAt
        )
    }

    static func save(_ group: UserGroup, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update user_group set name = $2, description = $3, status = $4, metadata = $5, revision = $6, updated_at = $7
            where id = $1
            """,
            group.id, group.name, group.description, group.status.rawValue,
            SQLJSON(JSONValue(group.metadata).text), group.stamps.revision, group.stamps.updatedAt
        )
    }

    static func remove(
        _ group: UserGroup, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> SubjectEnd.Ended {
        // First, because what is held with it keeps others from adding what is then ended.
        _ = try tx.execute(
            "update user_group set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", group.id,
            time)
        return try SubjectEnd.end(AccessSubject(group.id), at: time, &tx, permit)
    }
}
