package import Postgres
package import Shared

/// The SQL of the scope tree.
package enum ScopeNodeStore {
    private static let columns: SQL = """
        select n.id, n.kind, n.parent_id, p.kind as parent_kind, n.organization_id, n.name, n.status,
            n.metadata::text as metadata, n.tags::text as tags, n.revision, n.created_at, n.updated_at
        from scope_node n left join scope_node p on p.id = n.parent_id
        """

    /// How a row is held until the transaction ends.
    package enum Lock {
        case none
        /// It cannot be changed or deleted meanwhile: something is put under it.
        case share
        case update
    }

    package static func find(_ id: NodeID, _ tx: inout Transaction, lock: Lock = .none) throws -> ScopeNode? {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share of n"
            case .update: " for update of n"
            }
        return try tx.queryOne(Self.columns + " where n.id = $1 and n.deleted_at is null" + locking, id).map(Self.read)
    }

    /// The node, or the error that says that there is none.
    package static func fetch(
        _ reference: ScopeReference, _ tx: inout Transaction, lock: Lock = .none
    ) throws -> ScopeNode {
        guard let node = try Self.find(reference.node, &tx, lock: lock), node.reference == reference else {
            throw ControlError.notFound(reference.kind.rawValue)
        }
        return node
    }

    package static func list(
        _ kind: ScopeNode.Kind, organization: OrganizationID?, parent: NodeID?, _ page: PageRequest, _ sight: Sight,
        _ tx: inout Transaction
    ) throws -> [ScopeNode] {
        try tx.query(
            Self.columns + """
                 where n.kind = $1 and n.deleted_at is null and ($2::uuid is null or n.organization_id = $2)
                and ($3::uuid is null or n.parent_id = $3) and ($4::uuid is null or n.id > $4)
                and
                """ + Sight.condition("n.id", 6) + """
                     order by n.id limit $5
                    """, kind.rawValue, organization, parent, page.afterID, page.fetchLimit, sight.roots, sight.denied,
            sight.within
        ).map(Self.read)
    }

    /// Units above a node, itself included.
    package static func unitDepth(_ id: NodeID, _ tx: inout Transaction) throws -> Int {
        let row = try tx.queryOne(
            """
            select count(*) as depth from scope_closure c join scope_node n on n.id = c.ancestor_id
            where c.descendant_id = $1 and n.kind = 'unit'
            """, id
        )
        return try row?.get("depth") ?? 0
    }

    package static func insert(_ node: ScopeNode, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into scope_node (id, kind, parent_id, organization_id, name, status, metadata, tags, revision,
                created_at, updated_at)
            values ($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $10)
            """,
            node.reference.node, node.reference.kind.rawValue, node.parent?.node, node.organization, node.name,
            node.status.rawValue, SQLJSON(JSONValue(node.metadata).text), SQLJSON(ProjectTags.json(node.tags).text),
            node.revision, node.createdAt
        )
    }

    package static func save(_ node: ScopeNode, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update scope_node set name = $2, status = $3, metadata = $4, tags = $5, revision = $6, updated_at = $7
            where id = $1
            """,
            node.reference.node, node.name, node.status.rawValue, SQLJSON(JSONValue(node.metadata).text),
            SQLJSON(ProjectTags.json(node.tags).text), node.revision, node.updatedAt
        )
    }

    package static func remove(_ node: ScopeNode, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit)
        throws
    {
        _ = try tx.execute(
            "update scope_node set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1",
            node.reference.node, time
        )
    }

    /// What lives directly under a node and forbids its deletion; nil when nothing does.
    package static func occupant(_ id: NodeID, _ tx: inout Transaction) throws -> String? {
        let row = try tx.queryOne(
            """
            select case
                when exists (select from scope_node where parent_id = $1 and deleted_at is null)
                    then 'units or projects'
                when exists (select from virtual_key where project_id = $1 and deleted_at is null) then 'virtual keys'
                when exists (select from service_account where node_id = $1 and deleted_at is null)
                    then 'service accounts'
                when (select id from user_account where access_partition(organization_id) = access_partition($1)
                    and deleted_at is null order by id limit 1) is not null then 'users'
                when (select id from user_group where access_partition(organization_id) = access_partition($1)
                    and deleted_at is null order by id limit 1) is not null then 'groups'
                when exists (select from provider where node_id = $1 and deleted_at is null) then 'providers'
                when exists (select from route where node_id = $1 and deleted_at is null) then 'routes'
                when exists (select from gateway_group_organization o join gateway_group g on g.id = o.group_id
                    where o.organization_id = $1 and g.deleted_at is null) then 'gateway group memberships'
                end as occupant
            """, id
        )
        return try row?.optional("occupant")
    }

    @Sendable private static func read(_ row: Row) throws -> ScopeNode {
        guard let kind = ScopeNode.Kind(rawValue: try row.get("kind")),
            let status = ScopeNode.Status(rawValue: try row.get("status"))
        else { throw ControlError(.internalFailure, "internal", "", internalDetail: "a scope node of unknown form") }
        var parent: ScopeReference?
        if let id = try row.optional("parent_id", as: NodeID.self),
            let parentKind = ScopeNode.Kind(rawValue: try row.get("parent_kind"))
        {
            parent = ScopeReference(parentKind, id)
        }
        return ScopeNode(
            reference: ScopeReference(kind, try row.get("id")), parent: parent,
            organization: try row.get("organization_id"), name: try row.get("name"), status: status,
            metadata: Metadata.read(try JSONParser.parse(Array(try row.get("metadata", as: String.self).utf8))),
            tags: try ProjectTags.read(try JSONParser.parse(Array(try row.get("tags", as: String.self).utf8))),
            revision: try row.get("revision"), createdAt: try row.get("created_at"),
            updatedAt: try row.get("updated_at")
        )
    }
}
