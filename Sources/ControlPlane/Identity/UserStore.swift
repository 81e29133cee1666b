import Postgres
import Shared

/// The SQL of users.
enum UserStore {
    private static let columns: SQL = """
        select u.id, u.organization_id, u.login, u.name, u.email, u.status, u.metadata::text as metadata, u.revision,
            u.created_at, u.updated_at
        from user_account u
        """

    static func find(_ id: UserID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> User? {
        try tx.queryOne(Self.columns + " where u.id = $1 and u.deleted_at is null" + lock.clause(of: "u"), id)
            .map { try User($0) }
    }

    static func fetch(_ id: UserID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> User {
        guard let user = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("user") }
        return user
    }

    /// What users are looked for by besides what every list has.
    struct Filter: Sendable {
        /// How the login begins, in any case of letters.
        var login: String?
        /// A group that they are directly in.
        var group: GroupID?
    }

    static func list(
        _ list: SubjectList, _ filter: Filter, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [User] {
        let from: SQL = filter.group == nil ? "" : " join group_member m on m.member_id = u.id"
        let statement = try list.statement(Self.columns + from, "u", at: "u.organization_id", sight, &tx) { statement in
            statement += " and u.deleted_at is null"
            if let group = filter.group {
                let parameter = statement.bind(group)
                statement += " and m.group_id = " + parameter
                statement += " and m.member_kind = 'user' and m.deleted_at is null"
            }
            if let login = filter.login {
                // As the index has it: by characters. The last one there is follows all that begin so.
                let prefix = statement.bind(login)
                statement += " and lower(u.login) ~>=~ lower(" + prefix + ")"
                statement += " and lower(u.login) ~<~ (lower(" + prefix + ") || chr(1114111))"
            }
        }
        guard let statement else { return [] }
        return try tx.query(statement).map { try User($0) }
    }

    static func insert(_ user: User, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into user_account (id, organization_id, login, name, email, status, metadata, revision, created_at,
                updated_at)
            values ($1, $2::uuid, $3, $4, $5::text, $6, $7, $8, $9, $9)
            """,
            user.id, user.organization, user.login, user.name, user.email, user.status.rawValue,
            SQLJSON(JSONValue(user.metadata).text), user.stamps.revision, user.stamps.createdAt
        )
    }

    static func save(_ user: User, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update user_account set login = $2, name = $3, email = $4::text, status = $5, metadata = $6, revision = $7,
                updated_at = $8
            where id = $1
            """,
            user.id, user.login, user.name, user.email, user.status.rawValue,
            SQLJSON(JSONValue(user.metadata).text), user.stamps.revision, user.stamps.updatedAt
        )
    }

    static func remove(
        _ user: User, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> SubjectEnd.Ended {
        // First, because what is held with it keeps others from adding what is then ended.
        _ = try tx.execute(
            "update user_account set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1",
            user.id, time)
        return try SubjectEnd.end(AccessSubject(user.id), at: time, &tx, permit)
    }
}
