import Crypto
import Postgres
import Shared

/// Reads the rows of a group's snapshot from the database.
struct SnapshotQueries {
    let group: GatewayGroupID

    func nodes(_ tx: inout Transaction) throws -> [NodeRow] {
        try tx.query(
            """
            select n.id, n.kind, n.parent_id, n.status, n.tags::text as tags
            from scope_node n join gateway_group_organization g on g.organization_id = n.organization_id
            where g.group_id = $1 and n.deleted_at is null
            """, self.group
        ).map { row in
            let kind: ScopeNodeKind =
                switch try row.get("kind", as: String.self) {
                case "organization": .organization
                case "unit": .unit
                default: .project
                }
            return NodeRow(
                id: try row.get("id"), kind: kind, parent: try row.optional("parent_id"), status: try Self.status(row),
                tags: try ProjectTags.read(try JSONParser.parse(Array(try row.get("tags", as: String.self).utf8)))
            )
        }
    }

    /// The users and service accounts that keys belong to; one that is deleted may not act.
    func owners(_ tx: inout Transaction) throws -> [OwnerRow] {
        try tx.query(
            """
            select o.id, case when u.status = 'active' or a.status = 'active' then 'active' else 'disabled' end as status
            from (select distinct k.owner_id as id from virtual_key k
                  join gateway_group_organization g on g.organization_id = k.organization_id
                  where g.group_id = $1 and k.owner_id is not null and k.deleted_at is null) o
            left join user_account u on u.id = o.id and u.deleted_at is null
            left join service_account a on a.id = o.id and a.deleted_at is null
            """, self.group
        ).map { OwnerRow(id: try $0.get("id"), status: try Self.status($0)) }
    }

    private static let keyColumns: SQL = """
        select s.digest, k.id, k.project_id, k.owner_id, k.status, least(s.expires_at, k.expires_at) as expires_at,
            k.allowed_models, k.allowed_networks, k.tags::text as tags
        from virtual_key_secret s
        join virtual_key k on k.id = s.key_id
        join gateway_group_organization g on g.organization_id = k.organization_id
        join scope_node p on p.id = k.project_id
        """

    /// The keys whose digest begins with one of the given 16-bit prefixes' buckets, or all of them.
    func keys(_ tx: inout Transaction, bucket: Int?, bits: Int) throws -> [KeyRow] {
        guard let bucket else {
            let whole: SQL = " where g.group_id = $1 and k.deleted_at is null and p.deleted_at is null"
            return try tx.query(Self.keyColumns + whole, self.group).map(Self.keyRow)
        }
        let (low, high) = Self.bounds(bucket: bucket, bits: bits)
        return try tx.query(
            Self.keyColumns + """
                 where s.digest >= $2 and ($3::bytea is null or s.digest < $3) and g.group_id = $1
                    and k.deleted_at is null and p.deleted_at is null
                """, self.group, low, high
        ).map(Self.keyRow)
    }

    @Sendable private static func keyRow(_ row: Row) throws -> KeyRow {
        KeyRow(
            digest: try row.get("digest"), key: try row.get("id"), project: try row.get("project_id"),
            owner: try row.optional("owner_id"), policy: try Self.policy(row)?.id,
            expires: try row.optional("expires_at"), status: try Self.status(row)
        )
    }

    func policies(_ tx: inout Transaction) throws -> [PolicyRow] {
        let rows = try tx.query(
            """
            select distinct k.allowed_models, k.allowed_networks, k.tags::text as tags
            from virtual_key k join gateway_group_organization g on g.organization_id = k.organization_id
            where g.group_id = $1 and k.deleted_at is null
                and (k.allowed_models is not null or cardinality(k.allowed_networks) > 0 or k.tags <> '{}')
            """, self.group
        )
        var policies: [PolicyID: PolicyRow] = [:]
        for row in rows {
            if let policy = try Self.policy(row) { policies[policy.id] = policy }
        }
        return Array(policies.values)
    }

    func providers(_ tx: inout Transaction) throws -> [ProviderRow] {
        try tx.query(
            """
            select p.id, p.kind, p.base_url, p.status from provider p
            where p.deleted_at is null and (p.node_id is null or exists (
                select from scope_node n join gateway_group_organization g on g.organization_id = n.organization_id
                where n.id = p.node_id and g.group_id = $1))
            """, self.group
        ).map { row in
            guard let kind = ProviderKind(name: try row.get("kind")) else {
                throw PublishingFailure(
                    "provider \(try row.get("id", as: ProviderID.self)) has a kind of a newer release")
            }
            return ProviderRow(
                id: try row.get("id"), kind: kind, baseURL: try row.get("base_url"), status: try Self.status(row)
            )
        }
    }

    func models(_ tx: inout Transaction) throws -> [ModelRow] {
        try tx.query(
            """
            select m.id, m.provider_id, m.name, m.context_window, m.max_output_tokens, m.status
            from model m join provider p on p.id = m.provider_id
            where m.deleted_at is null and p.deleted_at is null and (p.node_id is null or exists (
                select from scope_node n join gateway_group_organization g on g.organization_id = n.organization_id
                where n.id = p.node_id and g.group_id = $1))
            """, self.group
        ).map { row in
            ModelRow(
                id: try row.get("id"), provider: try row.get("provider_id"), name: try row.get("name"),
                contextWindow: Int(try row.get("context_window", as: Int32.self)),
                maxOutput: Int(try row.get("max_output_tokens", as: Int32.self)), status: try Self.status(row)
            )
        }
    }

    func routes(_ tx: inout Transaction) throws -> [RouteRow] {
        let targets = try tx.query(
            """
            select t.route_id, t.model_id, t.credential_id, t."order", t.weight
            from route_target t join route r on r.id = t.route_id
            where r.deleted_at is null order by t.route_id, t.position
            """
        )
        var byRoute: [RouteID: [RouteTarget]] = [:]
        for row in targets {
            byRoute[try row.get("route_id"), default: []].append(
                RouteTarget(
                    model: try row.get("model_id"), credential: try row.optional("credential_id"),
                    order: Int(try row.get("order", as: Int32.self)), weight: Int(try row.get("weight", as: Int32.self))
                )
            )
        }
        return try tx.query(
            """
            select r.id, r.node_id, r.alias, r.status from route r
            left join scope_node o on o.id = r.node_id
            where r.deleted_at is null and (r.node_id is null or (o.deleted_at is null and exists (
                select from gateway_group_organization g
                where g.organization_id = o.organization_id and g.group_id = $1)))
            """, self.group
        ).map { row in
            let id: RouteID = try row.get("id")
            return RouteRow(
                id: id, node: try row.optional("node_id"), alias: try row.get("alias"), targets: byRoute[id] ?? [],
                status: try Self.status(row)
            )
        }
    }

    /// Prices that are in force, will be, or were within the last day (for requests that began before a change).
    func prices(_ tx: inout Transaction) throws -> [PriceRow] {
        let items = try tx.query(
            "select " + PriceItems.columns + " from price_item order by price_id, meter, tier, above_prompt_tokens")
        var byPrice: [PriceID: [PriceItem]] = [:]
        for row in items {
            let price: PriceID = try row.get("price_id")
            guard let item = try PriceItems.item(row) else {
                throw PublishingFailure("price \(price) is of a newer release")
            }
            byPrice[price, default: []].append(item)
        }
        return try tx.query(
            """
            select id, model_id, effective_at, uplift_ppm from (
                select p.id, p.model_id, p.effective_at, p.uplift_ppm,
                    lead(p.effective_at) over (partition by p.model_id order by p.effective_at) as superseded_at
                from price p) as entry
            where superseded_at is null or superseded_at > now() - interval '1 day'
            """
        ).map { row in
            let id: PriceID = try row.get("id")
            return PriceRow(
                id: id, model: try row.optional("model_id"), effective: try row.get("effective_at"),
                items: PriceItems.sorted(byPrice[id] ?? []),
                uplift: PriceFactor(partsPerMillion: try row.get("uplift_ppm")) ?? .one
            )
        }
    }

    /// Discounts and margins that are in force, will be, or were within the last day.
    func adjustments(_ tx: inout Transaction) throws -> [PriceAdjustment] {
        try tx.query(
            """
            select id, organization_id, provider_id, model_id, factor_ppm, effective_at from (
                select a.*, lead(a.effective_at) over (partition by a.organization_id, a.provider_id, a.model_id
                    order by a.effective_at) as superseded_at
                from price_adjustment a
                join gateway_group_organization g on g.organization_id = a.organization_id and g.group_id = $1
                join scope_node n on n.id = a.organization_id and n.deleted_at is null) as entry
            where superseded_at is null or superseded_at > now() - interval '1 day'
            """, self.group
        ).map { try AdjustmentStore.rule($0) }
    }

    /// Budgets that bound something that is served here.
    func budgets(_ tx: inout Transaction) throws -> [BudgetRow] {
        try tx.query(
            """
            select b.id, b.number, b.node_id, b.key_id, b.owner_id, b.period, b.rolling_seconds, z.since, z.offsets,
                b.amount_nano_usd, b.hard, b.away, b.away_allowance_nano_usd, b.estimate, b.lower_max_tokens, b.tag_name, b.tag_value, b.providers, b.models
            from budget b
            join gateway_group_organization g on g.organization_id = b.organization_id and g.group_id = $1
            join zone_offset z on z.zone = b.time_zone
            left join scope_node n on n.id = b.node_id
            left join virtual_key k on k.id = b.key_id
            where b.deleted_at is null and b.status = 'active' and n.deleted_at is null and k.deleted_at is null
            """, self.group
        ).map { row in
            let id: BudgetID = try row.get("id")
            guard let period = BudgetPeriod(name: try row.get("period")),
                let away = BudgetAway(
                    name: try row.get("away"), allowance: try row.optional("away_allowance_nano_usd")),
                let estimate = BudgetEstimate(name: try row.get("estimate")),
                let number = UInt32(exactly: try row.get("number", as: Int64.self))
            else { throw PublishingFailure("budget \(id) is of a newer release") }
            let isRolling = try row.optional("rolling_seconds", as: Int64.self) != nil
            let providers: [SQLUUID] = try row.get("providers")
            let models: [SQLUUID] = try row.get("models")
            return BudgetRow(
                id: id, number: number, subject: try BudgetSubject(row), period: isRolling ? .total : period,
                rolling: isRolling ? period : nil, zone: try ZoneOffsetStore.offsets(row),
                amount: try row.get("amount_nano_usd"), isHard: try row.get("hard"),
                away: away == .open ? .open : .deny,
                awayAllowance: away.allowance ?? .zero, estimate: estimate,
                lowersOutput: try row.get("lower_max_tokens"),
                providers: providers.map { ProviderID(UUIDValue(high: $0.high, low: $0.low)) },
                models: models.map { ModelID(UUIDValue(high: $0.high, low: $0.low)) }
            )
        }
    }

    /// Rate limits that bound something that is served here.
    func rateLimits(_ tx: inout Transaction) throws -> [RateLimitRow] {
        try tx.query(
            """
            select l.id, l.number, l.node_id, l.key_id, l.owner_id, l.meter, l.amount, l.period, l.burst, l.strict, l.away,
                l.tag_name, l.tag_value, l.providers, l.models
            from rate_limit l
            join gateway_group_organization g on g.organization_id = l.organization_id and g.group_id = $1
            left join scope_node n on n.id = l.node_id
            left join virtual_key k on k.id = l.key_id
            where l.deleted_at is null and l.status = 'active' and n.deleted_at is null and k.deleted_at is null
            """, self.group
        ).map { row in
            let id: RateLimitID = try row.get("id")
            guard let meter = RateLimitMeter(name: try row.get("meter")),
                let away = BudgetAwayPolicy(name: try row.get("away")),
                let number = UInt32(exactly: try row.get("number", as: Int64.self))
            else { throw PublishingFailure("rate limit \(id) is of a newer release") }
            let providers: [SQLUUID] = try row.get("providers")
            let models: [SQLUUID] = try row.get("models")
            return RateLimitRow(
                id: id, number: number, subject: try BudgetSubject(row), meter: meter,
                rate: try RateLimitStore.rate(row),
                isStrict: try row.get("strict"), away: away,
                providers: providers.map { ProviderID(UUIDValue(high: $0.high, low: $0.low)) },
                models: models.map { ModelID(UUIDValue(high: $0.high, low: $0.low)) }
            )
        }
    }

    private static func status(_ row: Row) throws -> RowStatus {
        switch try row.get("status", as: String.self) {
        case "active": .active
        case "revoked": .revoked
        default: .disabled
        }
    }

    /// The policy that a key's restrictions and tags amount to; nil when it has none.
    private static func policy(_ row: Row) throws -> PolicyRow? {
        let models: [String]? = try row.optional("allowed_models")
        let networks: [String] = try row.get("allowed_networks")
        let tags = TagSet(Metadata.read(try JSONParser.parse(Array(try row.get("tags", as: String.self).utf8))))
        guard models != nil || !networks.isEmpty || tags != nil else { return nil }
        let ranges = try networks.map { text in
            guard let range = NetworkRange(text) else { throw PublishingFailure("'\(text)' is not a network") }
            return range
        }
        var policy = PolicyRow(
            id: PolicyID(UUIDValue(high: 0, low: 0)), models: models?.sorted(), networks: ranges, tags: tags)
        let digest = Array(SHA256.hash(data: policy.wireBytes))
        policy.id = PolicyID(UUIDValue(high: digest.bigEndianUInt64(at: 0), low: digest.bigEndianUInt64(at: 8)))
        return policy
    }

    /// The range of digests of a bucket; open at the top when it is the last.
    private static func bounds(bucket: Int, bits: Int) -> (low: [UInt8], high: [UInt8]?) {
        let low = bucket << (16 - bits)
        let high = (bucket + 1) << (16 - bits)
        let bytes = { (value: Int) in [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }
        return (bytes(low), high >= 1 << 16 ? nil : bytes(high))
    }
}

/// Why a snapshot could not be published.
struct PublishingFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
