package import Postgres
package import Shared

/// The SQL of models.
package enum ModelStore {
    private static let columns: SQL = """
        select m.id, m.provider_id, p.node_id, n.kind as node_kind, n.organization_id, m.name, m.context_window,
            m.max_output_tokens, m.status, m.revision, m.created_at, m.updated_at
        from model m join provider p on p.id = m.provider_id left join scope_node n on n.id = p.node_id
        """

    package static func find(_ id: ModelID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> Model?
    {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share of m"
            case .update: " for update of m"
            }
        return try tx.queryOne(Self.columns + " where m.id = $1 and m.deleted_at is null" + locking, id).map(Self.read)
    }

    package static func fetch(_ id: ModelID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> Model
    {
        guard let model = try Self.find(id, &tx, lock: lock) else { throw ControlError.notFound("model") }
        return model
    }

    package static func list(
        provider: ProviderID?, organization: OrganizationID?, _ page: PageRequest, _ sight: Sight,
        _ tx: inout Transaction
    ) throws -> [Model] {
        try tx.query(
            Self.columns + """
                 where m.deleted_at is null and ($1::uuid is null or m.provider_id = $1)
                and ($2::uuid is null or n.organization_id = $2) and ($3::uuid is null or m.id > $3)
                and
                """ + Sight.condition("p.node_id", 5) + """
                     order by m.id limit $4
                    """, provider, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    package static func insert(_ model: Model, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into model (id, provider_id, name, context_window, max_output_tokens, status, revision, created_at,
                updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
            """,
            model.id, model.provider, model.name, Int32(clamping: model.contextWindow),
            Int32(clamping: model.maxOutputTokens), model.status.rawValue, model.stamps.revision, model.stamps.createdAt
        )
    }

    package static func save(_ model: Model, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update model set name = $2, context_window = $3, max_output_tokens = $4, status = $5, revision = $6,
                updated_at = $7
            where id = $1
            """,
            model.id, model.name, Int32(clamping: model.contextWindow), Int32(clamping: model.maxOutputTokens),
            model.status.rawValue, model.stamps.revision, model.stamps.updatedAt
        )
    }

    package static func remove(_ id: ModelID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update model set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time
        )
    }

    package static func isUsed(_ id: ModelID, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            """
            select exists (select from route_target t join route r on r.id = t.route_id
                where t.model_id = $1 and r.deleted_at is null) as used
            """, id
        )?.get("used") ?? false
    }

    @Sendable private static func read(_ row: Row) throws -> Model {
        Model(
            id: try row.get("id"), provider: try row.get("provider_id"), owner: try Ownership(row),
            name: try row.get("name"), contextWindow: try row.get("context_window"),
            maxOutputTokens: try row.get("max_output_tokens"),
            status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled, stamps: try Stamps(row)
        )
    }
}
