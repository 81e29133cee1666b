import Postgres
import Shared

/// The SQL of what a request would meet.
enum ExplanationStore {
    /// A node of a project's line.
    struct Node {
        let id: NodeID
        let level: BudgetLevel
        let reference: String
        let isActive: Bool
    }

    /// A target of a route, with what may be in its way.
    struct Target {
        let model: ModelID
        let provider: ProviderID
        let order: Int32
        let isModelActive: Bool
        let isProviderActive: Bool
        /// True where none is needed.
        let isCredentialActive: Bool
        let contextWindow: Int
        let maxOutput: Int

        var isUsable: Bool { self.isModelActive && self.isProviderActive && self.isCredentialActive }
    }

    /// The organization first, the project last.
    static func line(of project: ProjectID, _ tx: inout Transaction) throws -> [Node] {
        try tx.query(
            """
            select n.id, n.kind, n.status from scope_closure c join scope_node n on n.id = c.ancestor_id
            where c.descendant_id = $1 and n.deleted_at is null order by c.depth desc
            """, project
        ).map { row in
            let id: NodeID = try row.get("id")
            let kind = ScopeNode.Kind(rawValue: try row.get("kind")) ?? .project
            let level: BudgetLevel =
                switch kind {
                case .organization: .organization
                case .unit: .unit
                case .project: .project
                }
            return Node(
                id: id, level: level, reference: ScopeReference(kind, id).description,
                isActive: try row.get("status", as: String.self) == "active")
        }
    }

    /// How the groups of gateways that serve an organization treat models without a price.
    static func groups(of organization: OrganizationID, _ tx: inout Transaction) throws -> [Manifest.UnpricedModels] {
        try tx.query(
            """
            select g.unpriced_models from gateway_group g join gateway_group_organization o on o.group_id = g.id
            where o.organization_id = $1
            """, organization
        ).map { Manifest.UnpricedModels(name: try $0.get("unpriced_models")) ?? .deny }
    }

    /// The route that an alias means at a project: the nearest one that is active.
    static func route(_ alias: String, at project: ProjectID, _ tx: inout Transaction) throws -> RouteID? {
        try tx.queryOne(
            """
            select r.id from route r
            left join scope_closure c on c.ancestor_id = r.node_id and c.descendant_id = $2
            where r.alias = $1 and r.deleted_at is null and r.status = 'active'
                and (r.node_id is null or c.depth is not null)
            order by c.depth nulls last limit 1
            """, alias, project
        ).map { try $0.get("id") }
    }

    /// In the order in which they are tried, as far as that is not left to chance.
    static func targets(of route: RouteID, _ tx: inout Transaction) throws -> [Target] {
        try tx.query(
            """
            select m.id, m.provider_id, t."order", m.status = 'active' and m.deleted_at is null as model_active,
                p.status = 'active' and p.deleted_at is null as provider_active,
                t.credential_id is null or (c.status = 'active' and c.deleted_at is null) as credential_active,
                m.context_window, m.max_output_tokens
            from route_target t join model m on m.id = t.model_id join provider p on p.id = m.provider_id
            left join credential c on c.id = t.credential_id
            where t.route_id = $1 order by t."order", t.position
            """, route
        ).map { row in
            Target(
                model: try row.get("id"), provider: try row.get("provider_id"), order: try row.get("order"),
                isModelActive: try row.get("model_active"), isProviderActive: try row.get("provider_active"),
                isCredentialActive: try row.get("credential_active"),
                contextWindow: Int(try row.get("context_window", as: Int32.self)),
                maxOutput: Int(try row.get("max_output_tokens", as: Int32.self)))
        }
    }

    /// The price of a model now, or with nil the fallback; nil for one that there is not.
    static func price(of model: ModelID?, at now: Timestamp, _ tx: inout Transaction) throws -> Price? {
        let latest: SQL = " and effective_at <= $1 order by effective_at desc limit 1"
        let row =
            if let model {
                try tx.queryOne("select id from price where model_id = $2" + latest, now, model)
            } else {
                try tx.queryOne("select id from price where model_id is null" + latest, now)
            }
        return try row.map { try PriceStore.fetch(try $0.get("id"), &tx) }
    }

    /// The factor of an organization's discount or margin for a model now: the nearest one's (`PriceAdjustment.nearest`).
    static func factor(
        _ organization: OrganizationID, _ target: Target, at now: Timestamp, _ tx: inout Transaction
    ) throws -> PriceFactor {
        let row = try tx.queryOne(
            """
            with none as (select '00000000-0000-0000-0000-000000000000'::uuid as id)
            select a.id, a.organization_id, a.provider_id, a.model_id, a.factor_ppm, a.effective_at
            from none cross join lateral (values (1, none.id, $3::uuid), (2, $4::uuid, none.id), (3, none.id, none.id))
                as w (place, provider, model)
            cross join lateral (
                select * from price_adjustment where organization_id = $1 and effective_at <= $2
                    and coalesce(provider_id, '00000000-0000-0000-0000-000000000000'::uuid) = w.provider
                    and coalesce(model_id, '00000000-0000-0000-0000-000000000000'::uuid) = w.model
                order by effective_at desc limit 1) a
            order by w.place limit 1
            """, organization, now, target.model, target.provider)
        return try row.map { try AdjustmentStore.rule($0).factor } ?? .one
    }

    /// Those that are active of a line, of the request's tags there, of its key and of the key's owner.
    private static let applying: SQL = """
         where deleted_at is null and status = 'active' and (node_id = any ($1) or key_id = $2 or owner_id = $5::uuid)
            and (tag_name is null or exists (
                select from unnest($3::text[], $4::text[]) as t (name, value)
                where t.name = tag_name and t.value = tag_value))
        """

    /// The budgets that a request would pay into at one model or another, in the order in which they refuse.
    static func budgets(
        _ line: [NodeID], _ tags: [String: String], of key: VirtualKey, _ tx: inout Transaction
    ) throws -> [Budget] {
        let names = tags.keys.sorted()
        let rows = try tx.query(
            "select id from budget" + Self.applying, line.map { SQLUUID($0) }, key.id, names,
            names.map { tags[$0] ?? "" }, key.owner?.id)
        let budgets = try BudgetStore.active(Set(try rows.map { try $0.get("id") }), &tx)
        return Self.ordered(Array(budgets.values), line, subject: \.subject, id: \.id)
    }

    /// Whether a user or a service account may act.
    static func isActive(_ owner: AccessSubject, _ tx: inout Transaction) throws -> Bool {
        let row = try tx.queryOne(
            """
            select exists (select from user_account where id = $1 and status = 'active' and deleted_at is null)
                or exists (select from service_account where id = $1 and status = 'active' and deleted_at is null) as found
            """, owner.id)
        return try row?.get("found") ?? false
    }

    /// The same of rate limits.
    static func rateLimits(
        _ line: [NodeID], _ tags: [String: String], of key: VirtualKey, _ tx: inout Transaction
    ) throws -> [RateLimit] {
        let names = tags.keys.sorted()
        let rows = try tx.query(
            "select id from rate_limit" + Self.applying, line.map { SQLUUID($0) }, key.id, names,
            names.map { tags[$0] ?? "" }, key.owner?.id)
        let limits = try rows.map { try RateLimitStore.fetch(try $0.get("id"), &tx) }
        return Self.ordered(limits, line, subject: \.subject, id: \.id)
    }

    private static func ordered<Rule, ID: Comparable>(
        _ rules: [Rule], _ line: [NodeID], subject: (Rule) -> BudgetSubject, id: (Rule) -> ID
    ) -> [Rule] {
        func place(_ rule: Rule) -> (Int, String, ID) {
            let subject = subject(rule)
            let depth = subject.columns.node.flatMap { line.firstIndex(of: $0) } ?? line.count
            return (depth, subject.tag?.name ?? "", id(rule))
        }
        return rules.sorted { place($0) < place($1) }
    }
}
