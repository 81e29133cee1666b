import Postgres
import Shared

/// The SQL of service accounts.
enum ServiceAccountStore {
    private static let columns: SQL = """
        select a.id, a.organization_id, a.node_id, n.kind as node_kind, a.name, a.description, a.status,
            a.metadata::text as metadata, a.revision, a.created_at, a.updated_at
        from service_account a left join scope_node n on n.id = a.node_id
        """

    static func find(
        _ id: ServiceAccountID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> ServiceAccount? {
        try tx.queryOne(Self.columns + " where a.id = $1 and a.deleted_at is null" + lock.clause(of: "a"), id)
            .map { try ServiceAccount($0) }
    }

    static func fetch(
        _ id: ServiceAccountID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> ServiceAccount {
        guard let account = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("service account") }
        return account
    }

    /// - Parameter home: the node that they belong to directly.
    static func list(
        _ list: SubjectList, at home: NodeID?, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [ServiceAccount] {
        let statement = try list.statement(Self.columns, "a", at: "a.node_id", sight, &tx) { statement in
            statement += " and a.deleted_at is null"
            if let home {
                let parameter = statement.bind(home)
                statement += " and a.node_id = " + parameter
            }
        }
        guard let statement else { return [] }
        return try tx.query(statement).map { try ServiceAccount($0) }
    }

    static func insert(_ account: ServiceAccount, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into service_account (id, organization_id, node_id, name, description, status, metadata, revision,
                created_at, updated_at)
            values ($1, $2::uuid, $3::uuid, $4, $5, $6, $7, $8, $9, $9)
            """,
            account.id, account.home.organization, account.home.scope?.node, account.name, account.description,
            account.status.rawValue, SQLJSON(JSONValue(account.metadata).text), account.stamps.revision,
            account.stamps.createdAt
        )
    }

    static func save(_ account: ServiceAccount, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update service_account set name = $2, description = $3, status = $4, metadata = $5, revision = $6,
                updated_at = $7
            where id = $1
            """,
            account.id, account.name, account.description, account.status.rawValue,
            SQLJSON(JSONValue(account.metadata).text), account.stamps.revision, account.stamps.updatedAt
        )
    }

    static func remove(
        _ account: ServiceAccount, at time: Timestamp, _ tx: inout Transaction, _ permit: borrowing Permit
    ) throws -> SubjectEnd.Ended {
        // First, because what is held with it keeps others from adding what is then ended.
        _ = try tx.execute(
            "update service_account set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1",
            account.id, time)
        return try SubjectEnd.end(AccessSubject(account.id), at: time, &tx, permit)
    }
}
