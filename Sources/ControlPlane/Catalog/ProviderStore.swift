package import Postgres
package import Shared

/// The SQL of providers.
package enum ProviderStore {
    private static let columns: SQL = """
        select p.id, p.node_id, n.kind as node_kind, n.organization_id, p.name, p.kind, p.base_url, p.status,
            p.revision, p.created_at, p.updated_at
        from provider p left join scope_node n on n.id = p.node_id
        """

    package static func find(_ id: ProviderID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws
        -> Provider?
    {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share of p"
            case .update: " for update of p"
            }
        return try tx.queryOne(Self.columns + " where p.id = $1 and p.deleted_at is null" + locking, id).map(Self.read)
    }

    package static func fetch(_ id: ProviderID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws
        -> Provider
    {
        guard let provider = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("provider") }
        return provider
    }

    package static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Provider] {
        try tx.query(
            Self.columns + """
                 where p.deleted_at is null and ($1::uuid is null or n.organization_id = $1)
                and ($2::uuid is null or p.id > $2) and
                """ + Sight.condition("p.node_id", 4) + """
                     order by p.id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    package static func insert(_ provider: Provider, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into provider (id, node_id, name, kind, base_url, status, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $8)
            """,
            provider.id, provider.owner.scope?.node, provider.name, provider.kind, provider.baseURL,
            provider.status.rawValue, provider.stamps.revision, provider.stamps.createdAt
        )
    }

    package static func save(_ provider: Provider, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update provider set name = $2, base_url = $3, status = $4, revision = $5, updated_at = $6 where id = $1",
            provider.id, provider.name, provider.baseURL, provider.status.rawValue, provider.stamps.revision,
            provider.stamps.updatedAt
        )
    }

    package static func remove(_ id: ProviderID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit)
        throws
    {
        _ = try tx.execute(
            "update provider set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time
        )
    }

    package static func isUsed(_ id: ProviderID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            """
            select exists (select from credential where provider_id = $1 and deleted_at is null)
                or exists (select from model where provider_id = $1 and deleted_at is null) as used
            """, id
        )?.get("used") ?? false
    }

    @Sendable private static func read(_ row: Row) throws -> Provider {
        Provider(
            id: try row.get("id"), owner: try Ownership(row), name: try row.get("name"), kind: try row.get("kind"),
            baseURL: try row.get("base_url"), status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled,
            stamps: try Stamps(row)
        )
    }
}
