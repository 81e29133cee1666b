package import Postgres
package import Shared

/// The SQL of credentials.
package enum CredentialStore {
    private static let columns: SQL = """
        select c.id, c.provider_id, p.node_id, n.kind as node_kind, n.organization_id, c.name, c.status, c.version,
            c.hint, c.revision, c.created_at, c.updated_at
        from credential c join provider p on p.id = c.provider_id left join scope_node n on n.id = p.node_id
        """

    package static func fetch(
        _ id: CredentialID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> Credential {
        guard let found = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("credential") }
        return found
    }

    package static func find(
        _ id: CredentialID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> Credential? {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share of c"
            case .update: " for update of c"
            }
        return try tx.queryOne(Self.columns + " where c.id = $1 and c.deleted_at is null" + locking, id).map(Self.read)
    }

    package static func list(
        provider: ProviderID?, organization: OrganizationID?, _ page: PageRequest, _ sight: Sight,
        _ tx: inout Transaction
    ) throws -> [Credential] {
        try tx.query(
            Self.columns + """
                 where c.deleted_at is null and ($1::uuid is null or c.provider_id = $1)
                and ($2::uuid is null or n.organization_id = $2) and ($3::uuid is null or c.id > $3)
                and
                """ + Sight.condition("p.node_id", 5) + """
                     order by c.id limit $4
                    """, provider, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    package static func insert(
        _ credential: Credential, _ sealed: SealedSecret, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into credential (id, provider_id, name, status, version, kek_id, wrapped_key, ciphertext, hint,
                revision, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
            """,
            credential.id, credential.provider, credential.name, credential.status.rawValue, Int32(credential.version),
            sealed.key.kekID, sealed.key.bytes, sealed.ciphertext, credential.hint, credential.stamps.revision,
            credential.stamps.createdAt
        )
    }

    package static func save(_ credential: Credential, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update credential set name = $2, status = $3, revision = $4, updated_at = $5 where id = $1",
            credential.id, credential.name, credential.status.rawValue, credential.stamps.revision,
            credential.stamps.updatedAt
        )
    }

    package static func replaceSecret(
        _ credential: Credential, _ sealed: SealedSecret, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            update credential set version = $2, kek_id = $3, wrapped_key = $4, ciphertext = $5, hint = $6,
                revision = $7, updated_at = $8
            where id = $1
            """,
            credential.id, Int32(credential.version), sealed.key.kekID, sealed.key.bytes, sealed.ciphertext,
            credential.hint, credential.stamps.revision, credential.stamps.updatedAt
        )
    }

    package static func remove(_ id: CredentialID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit)
        throws
    {
        _ = try tx.execute(
            "update credential set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time
        )
    }

    package static func isUsed(_ id: CredentialID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            """
            select exists (select from route_target t join route r on r.id = t.route_id
                where t.credential_id = $1 and r.deleted_at is null) as used
            """, id
        )?.get("used") ?? false
    }

    @Sendable private static func read(_ row: Row) throws -> Credential {
        Credential(
            id: try row.get("id"), provider: try row.get("provider_id"), owner: try Ownership(row),
            name: try row.get("name"), status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled,
            version: try row.get("version"), hint: try row.get("hint"), stamps: try Stamps(row)
        )
    }
}
