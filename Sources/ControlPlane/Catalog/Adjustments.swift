package import Postgres
package import Shared

/// The SQL of discounts and margins.
package enum AdjustmentStore {
    private static let columns: SQL = """
        select id, organization_id, provider_id, model_id, factor_ppm, effective_at, reason, created_at
        from price_adjustment
        """

    package static func insert(_ adjustment: Adjustment, _ tx: inout Transaction, _: borrowing Permit) throws {
        let rule = adjustment.rule
        _ = try tx.execute(
            """
            insert into price_adjustment (id, organization_id, provider_id, model_id, factor_ppm, effective_at, reason,
                created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            rule.id, rule.organization, rule.provider, rule.model, rule.factor.partsPerMillion, rule.effective,
            adjustment.reason, adjustment.createdAt
        )
    }

    package static func fetch(_ id: AdjustmentID, _ tx: inout Transaction) throws -> Adjustment {
        guard let row = try tx.queryOne(Self.columns + " where id = $1", id) else {
            throw ControlError.notFound("price adjustment")
        }
        return try Self.read(row)
    }

    /// Newest first.
    package static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Adjustment] {
        try tx.query(
            Self.columns + """
                 where ($1::uuid is null or organization_id = $1) and ($2::uuid is null or id < $2)
                and
                """ + Sight.condition("organization_id", 4) + """
                     order by id desc limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    /// Those of the identifiers that there are.
    package static func rules(
        _ ids: Set<AdjustmentID>, _ tx: inout Transaction
    ) throws -> [AdjustmentID: PriceAdjustment] {
        guard !ids.isEmpty else { return [:] }
        var rules: [AdjustmentID: PriceAdjustment] = [:]
        let wanted = ids.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        for row in try tx.query(Self.columns + " where id = any ($1)", wanted) {
            let rule = try Self.rule(row)
            rules[rule.id] = rule
        }
        return rules
    }

    /// Those of organizations that were in force at some instant of a span.
    package static func inForce(
        of organizations: Set<OrganizationID>, from: Timestamp, to: Timestamp, _ tx: inout Transaction
    ) throws -> [Adjustment] {
        guard !organizations.isEmpty else { return [] }
        return try tx.query(
            """
            select id, organization_id, provider_id, model_id, factor_ppm, effective_at, reason, created_at from (
                select a.*, lead(effective_at) over (partition by organization_id, provider_id, model_id
                    order by effective_at) as superseded_at
                from price_adjustment a where organization_id = any ($1)) as entry
            where effective_at <= $3 and (superseded_at is null or superseded_at > $2)
            """, organizations.map { SQLUUID(high: $0.value.high, low: $0.value.low) }, from, to
        ).map(Self.read)
    }

    /// How many entries of an organization are in force at an instant or will be.
    package static func count(
        of organization: OrganizationID, at instant: Timestamp, _ tx: inout Transaction
    ) throws -> Int {
        let row = try tx.queryOne(
            """
            select count(*) as entries from (
                select lead(effective_at) over (partition by provider_id, model_id order by effective_at) as superseded_at
                from price_adjustment where organization_id = $1) as entry
            where superseded_at is null or superseded_at > $2
            """, organization, instant
        )
        return try row?.get("entries") ?? 0
    }

    /// The rule of a row with its columns.
    package static func rule(_ row: Row) throws -> PriceAdjustment {
        PriceAdjustment(
            id: try row.get("id"), organization: try row.get("organization_id"),
            provider: try row.optional("provider_id"), model: try row.optional("model_id"),
            factor: PriceFactor(partsPerMillion: try row.get("factor_ppm")) ?? .one,
            effective: try row.get("effective_at")
        )
    }

    @Sendable private static func read(_ row: Row) throws -> Adjustment {
        Adjustment(rule: try Self.rule(row), reason: try row.get("reason"), createdAt: try row.get("created_at"))
    }
}

extension Catalog {
    package func adjustment(_ id: AdjustmentID, as context: OperationContext) async throws -> Adjustment {
        try await self.reads.one(
            .priceAdjustmentsRead, as: context, "price adjustment", at: { .node($0.rule.organization) }
        ) { tx in try AdjustmentStore.fetch(id, &tx) }
    }

    package func adjustments(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Adjustment> {
        let found = try await self.reads.perform(.priceAdjustmentsRead, as: context) { tx, sight in
            try AdjustmentStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.rule.id.bytes)
    }

    /// Of a body that `Adjustment.creationSchema` accepts.
    ///
    /// What an organization is charged is not for the organization to say: the permission is needed for the instance.
    package func createAdjustment(
        _ body: JSONValue, as context: OperationContext
    ) async throws -> Resolved<Adjustment> {
        let id: AdjustmentID = self.time.newID()
        let outcome = try await self.changes.perform(
            .priceAdjustmentsCreate, on: Target(id), at: .instance, as: context
        ) { tx, permit in
            let organization = try Self.organization(body, &tx)
            let (provider, model) = try Self.narrowing(body, visibleTo: organization, &tx)
            let effective = body["effective_at"]?.string.flatMap { Timestamp($0) } ?? context.time
            // What was charged already is corrected by re-rating, not by another rule for the past.
            guard effective >= context.time else {
                throw ControlError.invalid("It must not be in the past.", at: "/effective_at")
            }
            guard try AdjustmentStore.count(of: organization, at: context.time, &tx) < Adjustment.limit else {
                throw ControlError.conflict(
                    "too_many", "An organization has at most \(Adjustment.limit) entries in force and to come.")
            }
            let factor = body["factor_ppm"]?.integer.flatMap { PriceFactor(partsPerMillion: $0) } ?? .one
            let adjustment = Adjustment(
                rule: PriceAdjustment(
                    id: id, organization: organization.node, provider: provider, model: model, factor: factor,
                    effective: effective
                ), reason: body["reason"]?.string ?? "", createdAt: context.time
            )
            try AdjustmentStore.insert(adjustment, &tx, permit)
            return Change(adjustment, in: organization, after: adjustment)
        }
        return try await outcome.resolved { try await self.adjustment(AdjustmentID($0), as: context) }
    }

    /// The organization of a body; held, so that entries are counted one after the other.
    private static func organization(_ body: JSONValue, _ tx: inout Transaction) throws -> OrganizationID {
        guard let id = body["organization"]?.string.flatMap({ OrganizationID($0) }),
            let node = try ScopeNodeStore.find(id.node, &tx, lock: .update), node.reference.kind == .organization
        else { throw ControlError.invalid("There is no such organization.", at: "/organization") }
        return id
    }

    private static func narrowing(
        _ body: JSONValue, visibleTo organization: OrganizationID, _ tx: inout Transaction
    ) throws -> (ProviderID?, ModelID?) {
        let provider = body["provider"]?.string.flatMap { ProviderID($0) }
        let model = body["model"]?.string.flatMap { ModelID($0) }
        guard provider == nil || model == nil else {
            throw ControlError.invalid("It is narrowed to a provider or to a model, not to both.", at: "/provider")
        }
        if let provider {
            guard let owner = try ProviderStore.find(provider, &tx, lock: .share)?.owner,
                owner.organization == nil || owner.organization == organization
            else { throw ControlError.invalid("The organization has no such provider.", at: "/provider") }
        }
        if let model {
            guard let owner = try ModelStore.find(model, &tx, lock: .share)?.owner,
                owner.organization == nil || owner.organization == organization
            else { throw ControlError.invalid("The organization has no such model.", at: "/model") }
        }
        return (provider, model)
    }
}
