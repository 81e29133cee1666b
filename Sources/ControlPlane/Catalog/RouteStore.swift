package import Postgres
package import Shared

/// The SQL of routes.
package enum RouteStore {
    private static let columns: SQL = """
        select r.id, r.node_id, n.kind as node_kind, n.organization_id, r.alias, r.status, r.revision, r.created_at,
            r.updated_at
        from route r left join scope_node n on n.id = r.node_id
        """

    package static func fetch(_ id: RouteID, _ tx: inout Transaction, lock: ScopeNodeStore.Lock = .none) throws -> Route
    {
        let locking: SQL =
            switch lock {
            case .none: ""
            case .share: " for share of r"
            case .update: " for update of r"
            }
        let row = try tx.queryOne(Self.columns + " where r.id = $1 and r.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("route") }
        return try Self.withTargets([try Self.read(row)], &tx)[0]
    }

    package static func list(
        organization: OrganizationID?, alias: String?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Route] {
        let routes = try tx.query(
            Self.columns + """
                 where r.deleted_at is null and ($1::uuid is null or n.organization_id = $1)
                and ($2::text is null or r.alias = $2) and ($3::uuid is null or r.id > $3)
                and
                """ + Sight.condition("r.node_id", 5) + """
                     order by r.id limit $4
                    """, organization, alias, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
        return try Self.withTargets(routes, &tx)
    }

    private static func withTargets(_ routes: [Route], _ tx: inout Transaction) throws -> [Route] {
        var routes = routes
        let ids = routes.map { SQLUUID(high: $0.id.value.high, low: $0.id.value.low) }
        let rows = try tx.query(
            """
            select route_id, model_id, credential_id, "order", weight from route_target
            where route_id = any($1) order by route_id, position
            """, ids
        )
        var targets: [RouteID: [Route.Target]] = [:]
        for row in rows {
            targets[try row.get("route_id"), default: []].append(
                Route.Target(
                    model: try row.get("model_id"), credential: try row.optional("credential_id"),
                    order: try row.get("order"), weight: try row.get("weight")
                )
            )
        }
        for index in routes.indices { routes[index].targets = targets[routes[index].id] ?? [] }
        return routes
    }

    package static func insert(_ route: Route, _ tx: inout Transaction, _ permit: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into route (id, node_id, alias, status, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $6)
            """,
            route.id, route.owner.scope?.node, route.alias, route.status.rawValue, route.stamps.revision,
            route.stamps.createdAt
        )
        try Self.replaceTargets(of: route, &tx, permit)
    }

    /// Replaces targets first, so that the trigger on the route sees them.
    package static func save(_ route: Route, _ tx: inout Transaction, _ permit: borrowing Permit) throws {
        try Self.replaceTargets(of: route, &tx, permit)
        _ = try tx.execute(
            "update route set status = $2, revision = $3, updated_at = $4 where id = $1",
            route.id, route.status.rawValue, route.stamps.revision, route.stamps.updatedAt
        )
    }

    private static func replaceTargets(of route: Route, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute("delete from route_target where route_id = $1", route.id)
        for (position, target) in route.targets.enumerated() {
            _ = try tx.execute(
                """
                insert into route_target (route_id, position, model_id, credential_id, "order", weight)
                values ($1, $2, $3, $4::uuid, $5, $6)
                """,
                route.id, Int32(position), target.model, target.credential, Int32(clamping: target.order),
                Int32(clamping: target.weight)
            )
        }
    }

    package static func remove(_ id: RouteID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update route set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time
        )
    }

    @Sendable private static func read(_ row: Row) throws -> Route {
        Route(
            id: try row.get("id"), owner: try Ownership(row), alias: try row.get("alias"), targets: [],
            status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled, stamps: try Stamps(row)
        )
    }
}
