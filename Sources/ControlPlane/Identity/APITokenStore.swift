import Postgres
import Shared

/// The SQL of tokens.
enum APITokenStore {
    private static let columns: SQL = """
        select t.id, t.public_id, t.subject_kind, t.subject_id, t.organization_id,
            coalesce(a.node_id, t.organization_id) as home_id, t.name, t.permissions, t.scope_id,
            n.kind as scope_kind, t.allowed_networks, t.expires_at, t.revoked_at, t.last_used_at, t.created_by_kind,
            t.created_by, t.revision, t.created_at, t.updated_at
        from api_token t
        left join service_account a on t.subject_kind = 'service_account' and a.id = t.subject_id
        left join scope_node n on n.id = t.scope_id
        """

    static func find(_ id: TokenID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> APIToken? {
        let row = try tx.queryOne(Self.columns + " where t.id = $1" + lock.clause(of: "t"), id)
        return try Self.read(row.map { [$0] } ?? [], &tx).first
    }

    static func fetch(_ id: TokenID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> APIToken {
        guard let token = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("api token") }
        return token
    }

    static func list(
        _ list: SubjectList, of subject: AccessSubject?, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [APIToken] {
        let place: SQL = "coalesce(a.node_id, t.organization_id)"
        let statement = try list.statement(Self.columns, "t", at: place, sight, &tx) { statement in
            guard let subject else { return }
            let id = statement.bind(subject.id)
            statement += " and t.subject_id = " + id
            let kind = statement.bind(subject.kind.rawValue)
            statement += " and t.subject_kind = " + kind
        }
        guard let statement else { return [] }
        return try Self.read(try tx.query(statement), &tx)
    }

    private static func read(_ rows: some Sequence<Row>, _ tx: inout Transaction) throws -> [APIToken] {
        var tokens: [APIToken] = []
        for row in rows {
            guard let kind = AccessSubject.Kind(rawValue: try row.get("subject_kind")) else { continue }
            tokens.append(try APIToken(row, kind))
        }
        guard !tokens.isEmpty else { return [] }
        var secrets: [TokenID: [APIToken.SecretInfo]] = [:]
        for row in try tx.query(
            """
            select token_id, ordinal, created_at, expires_at from api_token_secret
            where token_id = any($1) order by token_id, ordinal
            """, tokens.map { SQLUUID($0.id) })
        {
            secrets[try row.get("token_id"), default: []].append(
                APIToken.SecretInfo(
                    ordinal: try row.get("ordinal"), createdAt: try row.get("created_at"),
                    expiresAt: try row.optional("expires_at")))
        }
        for index in tokens.indices { tokens[index].secrets = secrets[tokens[index].id] ?? [] }
        return tokens
    }

    /// Tokens of a subject that are good for something; the subject is held, so that nobody adds one meanwhile.
    static func count(of subject: AccessSubject, at time: Timestamp, _ tx: inout Transaction) throws -> Int {
        let row = try tx.queryOne(
            """
            select count(*) as number from api_token
            where subject_id = $1 and subject_kind = $2 and revoked_at is null and (expires_at is null or expires_at > $3)
            """, subject.id, subject.kind.rawValue, time)
        return try row?.get("number") ?? 0
    }

    static func insert(_ token: APIToken, _ tx: inout Transaction, _ permit: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into api_token (id, public_id, subject_kind, subject_id, organization_id, name, permissions, scope_id,
                allowed_networks, expires_at, created_by_kind, created_by, revision, created_at, updated_at)
            values ($1, $2, $3, $4, $5::uuid, $6, $7::text[], $8::uuid, $9, $10::timestamptz, $11, $12, $13, $14, $14)
            """,
            token.id, token.publicID, token.subject.kind.rawValue, token.subject.id, token.organization, token.name,
            token.boundary.permissions?.names, token.boundary.scope, token.allowedNetworks,
            token.expiresAt, permit.actor.kind.rawValue, permit.actor.id, token.stamps.revision, token.stamps.createdAt
        )
    }

    static func save(_ token: APIToken, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update api_token set name = $2, allowed_networks = $3, expires_at = $4::timestamptz,
                revoked_at = $5::timestamptz, revision = $6, updated_at = $7
            where id = $1
            """,
            token.id, token.name, token.allowedNetworks, token.expiresAt, token.revokedAt, token.stamps.revision,
            token.stamps.updatedAt
        )
    }

    /// Seconds after their end for which secrets are still listed, and told from ones that never were.
    static let secretKeptSeconds: Int64 = 30 * 86_400

    /// Adds a secret; those before it end at `others`, or when they would have ended anyhow.
    static func addSecret(
        _ digest: [UInt8], to token: TokenID, others: Timestamp, at time: Timestamp, _ tx: inout Transaction,
        _ permit: borrowing Permit
    ) throws {
        _ = try tx.execute(
            "delete from api_token_secret where token_id = $1 and expires_at < $2", token,
            time.adding(seconds: -Self.secretKeptSeconds))
        _ = try tx.execute(
            """
            update api_token_secret set expires_at = $2
            where token_id = $1 and (expires_at is null or expires_at > $2)
            """, token, others)
        _ = try tx.execute(
            """
            insert into api_token_secret (digest, token_id, ordinal, created_at, made_by)
            select $1, $2, coalesce(max(ordinal), 0) + 1, $3, $4 from api_token_secret where token_id = $2
            """, digest, token, time, permit.actor.id)
    }

    /// Whether somebody was shown the text of a token: made it, or gave it another one.
    static func wasShown(_ token: TokenID, to subject: AccessSubject, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            "select from api_token_secret where token_id = $1 and made_by = $2 limit 1", token, subject.id) != nil
    }
}
