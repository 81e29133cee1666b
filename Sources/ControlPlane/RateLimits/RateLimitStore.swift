package import Postgres
package import Shared

/// The SQL of rate limits.
package enum RateLimitStore {
    private static let columns: SQL = """
        select l.id, l.organization_id, l.node_id, n.kind as node_kind, l.key_id, l.owner_id, l.owner_kind, l.tag_name, l.tag_value,
            l.name, l.meter, l.amount, l.period, l.burst, l.strict, l.away, l.providers, l.models, l.status, l.revision, l.created_at, l.updated_at
        from rate_limit l left join scope_node n on n.id = l.node_id
        """

    package static func fetch(
        _ id: RateLimitID, _ tx: inout Transaction, forUpdate: Bool = false
    ) throws -> RateLimit {
        let locking: SQL = forUpdate ? " for update of l" : ""
        let row = try tx.queryOne(Self.columns + " where l.id = $1 and l.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("rate limit") }
        return try Self.read(row)
    }

    package static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [RateLimit] {
        try tx.query(
            Self.columns + """
                 where l.deleted_at is null and ($1::uuid is null or l.organization_id = $1)
                and ($2::uuid is null or l.id > $2)
                and
                """
                + Sight.condition(
                    "coalesce(l.node_id, (select project_id from virtual_key where id = l.key_id), l.organization_id)",
                    4) + """
                     order by l.id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    package static func insert(_ limit: RateLimit, _ tx: inout Transaction, _: borrowing Permit) throws {
        let (node, key, owner) = limit.subject.columns
        _ = try tx.execute(
            """
            insert into rate_limit (id, organization_id, node_id, key_id, owner_id, name, meter, amount, period, burst,
                strict, away, providers, models, status, revision, created_at, updated_at, tag_name, tag_value,
                owner_kind)
            values ($1, $2, $3::uuid, $4::uuid, $5::uuid, $6, $7, $8, $9::text, $10, $11, $12, $13, $14, $15, $16, $17,
                $17, $18::text, $19::text, $20::text)
            """,
            limit.id, limit.organization, node, key, owner, limit.name, limit.meter.name, limit.rate.amount,
            limit.rate.period?.name, limit.rate.burst, limit.isStrict, limit.away.name,
            limit.providers.map { SQLUUID($0) }, limit.models.map { SQLUUID($0) }, limit.status.rawValue,
            limit.stamps.revision, limit.stamps.createdAt, limit.subject.tag?.name, limit.subject.tag?.value,
            AccessSubject(limit.scope)?.kind.rawValue
        )
    }

    package static func save(_ limit: RateLimit, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update rate_limit set name = $2, amount = $3, burst = $4, strict = $5, away = $6, status = $7, revision = $8,
                updated_at = $9
            where id = $1
            """,
            limit.id, limit.name, limit.rate.amount, limit.rate.burst, limit.isStrict, limit.away.name,
            limit.status.rawValue, limit.stamps.revision, limit.stamps.updatedAt
        )
    }

    package static func remove(
        _ id: RateLimitID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            "update rate_limit set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
    }

    /// Of a row with `amount`, `period` and `burst`.
    package static func rate(_ row: Row) throws -> BucketRate {
        let period: String? = try row.optional("period")
        let rate = BucketRate(
            amount: try row.get("amount"), per: period.flatMap { RateLimitPeriod(name: $0) },
            burst: try row.get("burst"))
        guard let rate else { throw PublishingFailure("a rate limit is of a newer release") }
        return rate
    }

    @Sendable private static func read(_ row: Row) throws -> RateLimit {
        let (subject, scope) = try BudgetSubject.read(row)
        let providers: [SQLUUID] = try row.get("providers")
        let models: [SQLUUID] = try row.get("models")
        return RateLimit(
            id: try row.get("id"), organization: try row.get("organization_id"), subject: subject, scope: scope,
            name: try row.get("name"), meter: RateLimitMeter(name: try row.get("meter")) ?? .requests,
            rate: try self.rate(row), isStrict: try row.get("strict"),
            away: BudgetAwayPolicy(name: try row.get("away")) ?? .open,
            providers: providers.map { ProviderID(UUIDValue(high: $0.high, low: $0.low)) },
            models: models.map { ModelID(UUIDValue(high: $0.high, low: $0.low)) },
            status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled, stamps: try Stamps(row)
        )
    }
}
