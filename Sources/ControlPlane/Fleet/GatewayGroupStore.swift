package import Postgres
package import Shared

/// The SQL of gateway groups and their organizations.
package enum GatewayGroupStore {
    private static let columns: SQL = """
        select id, name, key_bucket_bits, max_stale_seconds, max_body_bytes, request_seconds, unpriced_models,
            revision, created_at, updated_at
        from gateway_group
        """

    package static func fetch(
        _ id: GatewayGroupID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none
    ) throws -> GatewayGroup {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share"
            case .update: " for update"
            }
        let row = try tx.queryOne(Self.columns + " where id = $1 and deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("gateway group") }
        return try Self.withOrganizations([try Self.read(row)], &tx)[0]
    }

    package static func list(_ page: PageRequest, _ tx: inout Transaction) throws -> [GatewayGroup] {
        let groups = try tx.query(
            Self.columns + " where deleted_at is null and ($1::uuid is null or id > $1) order by id limit $2",
            page.afterID, page.fetchLimit
        ).map(Self.read)
        return try Self.withOrganizations(groups, &tx)
    }

    private static func withOrganizations(_ groups: [GatewayGroup], _ tx: inout Transaction) throws -> [GatewayGroup] {
        var groups = groups
        let rows = try tx.query(
            """
            select group_id, organization_id from gateway_group_organization
            where group_id = any($1) order by group_id, organization_id
            """, groups.map { SQLUUID(high: $0.id.value.high, low: $0.id.value.low) }
        )
        var members: [GatewayGroupID: [OrganizationID]] = [:]
        for row in rows { members[try row.get("group_id"), default: []].append(try row.get("organization_id")) }
        for index in groups.indices { groups[index].organizations = members[groups[index].id] ?? [] }
        return groups
    }

    package static func insert(_ group: GatewayGroup, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into gateway_group (id, name, key_bucket_bits, max_stale_seconds, max_body_bytes, request_seconds,
                unpriced_models, revision, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
            """,
            group.id, group.name, Int32(clamping: group.keyBucketBits), Int32(clamping: group.maxStaleSeconds),
            Int32(clamping: group.maxBodyBytes), Int32(clamping: group.requestSeconds),
            group.unpricedModels.name, group.revision, group.createdAt
        )
    }

    package static func save(_ group: GatewayGroup, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update gateway_group set name = $2, key_bucket_bits = $3, max_stale_seconds = $4, max_body_bytes = $5,
                request_seconds = $6, unpriced_models = $7, revision = $8, updated_at = $9
            where id = $1
            """,
            group.id, group.name, Int32(clamping: group.keyBucketBits), Int32(clamping: group.maxStaleSeconds),
            Int32(clamping: group.maxBodyBytes), Int32(clamping: group.requestSeconds),
            group.unpricedModels.name, group.revision, group.updatedAt
        )
    }

    package static func add(
        _ organization: OrganizationID, to group: GatewayGroupID, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            insert into gateway_group_organization (group_id, organization_id) values ($1, $2) on conflict do nothing
            """, group, organization
        )
    }

    /// - Returns: whether it was a member.
    package static func remove(
        _ organization: OrganizationID, from group: GatewayGroupID, _ tx: inout Transaction, _: borrowing Permit
    ) throws -> Bool {
        try tx.execute(
            "delete from gateway_group_organization where group_id = $1 and organization_id = $2", group, organization
        ) == 1
    }

    @Sendable private static func read(_ row: Row) throws -> GatewayGroup {
        GatewayGroup(
            id: try row.get("id"), name: try row.get("name"), keyBucketBits: try row.get("key_bucket_bits"),
            maxStaleSeconds: try row.get("max_stale_seconds"), maxBodyBytes: try row.get("max_body_bytes"),
            requestSeconds: try row.get("request_seconds"),
            unpricedModels: Manifest.UnpricedModels(name: try row.get("unpriced_models")) ?? .deny, organizations: [],
            revision: try row.get("revision"),
            createdAt: try row.get("created_at"), updatedAt: try row.get("updated_at")
        )
    }
}
