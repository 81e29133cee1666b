package import Postgres
package import Shared

/// The SQL of virtual keys.
package enum VirtualKeyStore {
    private static let columns: SQL = """
        select id, public_id, project_id, organization_id, owner_kind, owner_id, name, status, expires_at, allowed_models, allowed_networks,
            metadata::text as metadata, tags::text as tags, revision, created_at, updated_at
        from virtual_key
        """

    package static func fetch(_ id: VirtualKeyID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> VirtualKey
    {
        let locking: SQL = forUpdate ? " for update" : ""
        let row = try tx.queryOne(Self.columns + " where id = $1 and deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("virtual key") }
        return try Self.withSecrets([try Self.read(row)], &tx)[0]
    }

    package static func list(
        organization: OrganizationID?, project: ProjectID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [VirtualKey] {
        let keys = try tx.query(
            Self.columns + """
                 where deleted_at is null and ($1::uuid is null or organization_id = $1)
                and ($2::uuid is null or project_id = $2) and ($3::uuid is null or id > $3)
                and
                """ + Sight.condition("project_id", 5) + """
                     order by id limit $4
                    """, organization, project, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
        return try Self.withSecrets(keys, &tx)
    }

    private static func withSecrets(_ keys: [VirtualKey], _ tx: inout Transaction) throws -> [VirtualKey] {
        var keys = keys
        let ids = keys.map { SQLUUID(high: $0.id.value.high, low: $0.id.value.low) }
        let rows = try tx.query(
            """
            select key_id, ordinal, created_at, expires_at from virtual_key_secret
            where key_id = any($1) order by key_id, ordinal
            """, ids
        )
        var secrets: [VirtualKeyID: [VirtualKey.SecretInfo]] = [:]
        for row in rows {
            secrets[try row.get("key_id"), default: []].append(
                VirtualKey.SecretInfo(
                    ordinal: try row.get("ordinal"), createdAt: try row.get("created_at"),
                    expiresAt: try row.optional("expires_at")
                )
            )
        }
        for index in keys.indices { keys[index].secrets = secrets[keys[index].id] ?? [] }
        return keys
    }

    package static func insert(_ key: VirtualKey, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into virtual_key (id, public_id, project_id, organization_id, name, status, expires_at,
                allowed_models, allowed_networks, metadata, tags, revision, created_at, updated_at, owner_kind, owner_id)
            values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::text[], $9, $10, $11, $12, $13, $13, $14::text, $15::uuid)
            """,
            key.id, key.publicID, key.project, key.organization, key.name, key.status.rawValue, key.expiresAt,
            key.allowedModels, key.allowedNetworks, SQLJSON(JSONValue(key.metadata).text),
            SQLJSON(JSONValue(key.tags).text), key.revision, key.createdAt, key.owner?.kind.rawValue, key.owner?.id
        )
    }

    package static func save(_ key: VirtualKey, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update virtual_key set name = $2, status = $3, expires_at = $4::timestamptz, allowed_models = $5::text[],
                allowed_networks = $6, metadata = $7, tags = $8, revision = $9, updated_at = $10,
                owner_kind = $11::text, owner_id = $12::uuid
            where id = $1
            """,
            key.id, key.name, key.status.rawValue, key.expiresAt, key.allowedModels, key.allowedNetworks,
            SQLJSON(JSONValue(key.metadata).text), SQLJSON(JSONValue(key.tags).text), key.revision, key.updatedAt,
            key.owner?.kind.rawValue, key.owner?.id
        )
    }

    /// Adds a secret; those before it end at `others`, or when they would have ended anyhow.
    package static func addSecret(
        _ digest: [UInt8], to key: VirtualKeyID, others: Timestamp, at time: Timestamp, _ tx: inout Transaction,
        _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            update virtual_key_secret set expires_at = $2
            where key_id = $1 and (expires_at is null or expires_at > $2)
            """, key, others
        )
        _ = try tx.execute(
            """
            insert into virtual_key_secret (digest, key_id, ordinal, created_at)
            select $1, $2, coalesce(max(ordinal), 0) + 1, $3 from virtual_key_secret where key_id = $2
            """, digest, key, time
        )
    }

    package static func remove(_ key: VirtualKeyID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit)
        throws
    {
        _ = try tx.execute(
            """
            update virtual_key set status = 'revoked', deleted_at = $2, updated_at = $2, revision = revision + 1
            where id = $1
            """, key, time
        )
    }

    @Sendable private static func read(_ row: Row) throws -> VirtualKey {
        VirtualKey(
            id: try row.get("id"), publicID: try row.get("public_id"), project: try row.get("project_id"),
            organization: try row.get("organization_id"), owner: try AccessSubject(row, "owner"),
            name: try row.get("name"),
            status: VirtualKey.Status(rawValue: try row.get("status")) ?? .disabled,
            expiresAt: try row.optional("expires_at"), allowedModels: try row.optional("allowed_models"),
            allowedNetworks: try row.get("allowed_networks"),
            metadata: Metadata.read(try JSONParser.parse(Array(try row.get("metadata", as: String.self).utf8))),
            tags: Metadata.read(try JSONParser.parse(Array(try row.get("tags", as: String.self).utf8))),
            revision: try row.get("revision"), createdAt: try row.get("created_at"),
            updatedAt: try row.get("updated_at")
        )
    }
}
