package import Postgres
package import Shared

/// The SQL of budgets.
package enum BudgetStore {
    private static let columns: SQL = """
        select b.id, b.organization_id, b.node_id, n.kind as node_kind, b.key_id, b.owner_id, b.owner_kind, b.tag_name, b.tag_value, b.name,
            b.amount_nano_usd, b.period, b.rolling_seconds, b.time_zone, b.hard, b.away, b.away_allowance_nano_usd, b.carry_over, b.thresholds,
            b.providers, b.models, b.status, b.estimate, b.lower_max_tokens, b.revision, b.created_at,
            b.updated_at
        from budget b left join scope_node n on n.id = b.node_id
        """

    package static func fetch(_ id: BudgetID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Budget {
        let locking: SQL = forUpdate ? " for update of b" : ""
        let row = try tx.queryOne(Self.columns + " where b.id = $1 and b.deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("budget") }
        return try Self.read(row)
    }

    /// Those of some budgets that count: neither disabled nor deleted.
    static func active(_ ids: Set<BudgetID>, _ tx: inout Transaction) throws -> [BudgetID: Budget] {
        let rows = try tx.query(
            Self.columns + " where b.id = any ($1) and b.deleted_at is null and b.status = 'active'",
            ids.sorted().map { SQLUUID(high: $0.value.high, low: $0.value.low) })
        return Dictionary(try rows.map(Self.read).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Budget] {
        try tx.query(
            Self.columns + """
                 where b.deleted_at is null and ($1::uuid is null or b.organization_id = $1)
                and ($2::uuid is null or b.id > $2)
                and
                """
                + Sight.condition(
                    "coalesce(b.node_id, (select project_id from virtual_key where id = b.key_id), b.organization_id)",
                    4) + """
                     order by b.id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    package static func insert(_ budget: Budget, _ tx: inout Transaction, _: borrowing Permit) throws {
        let (node, key, owner) = budget.subject.columns
        _ = try tx.execute(
            """
            insert into budget (id, organization_id, node_id, key_id, owner_id, name, amount_nano_usd, period,
                time_zone, hard, away, carry_over, providers, models, status, revision, created_at, updated_at,
                thresholds, estimate, lower_max_tokens, tag_name, tag_value, rolling_seconds, owner_kind,
                away_allowance_nano_usd)
            values ($1, $2, $3::uuid, $4::uuid, $5::uuid, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17,
                $18, $19, $20, $21::text, $22::text, $23::bigint, $24::text, $25::bigint)
            """,
            budget.id, budget.organization, node, key, owner, budget.name, budget.amount, budget.period.name,
            budget.timeZone, budget.isHard, budget.away.name, budget.carriesOver,
            budget.providers.map { SQLUUID($0) }, budget.models.map { SQLUUID($0) }, budget.status.rawValue,
            budget.stamps.revision, budget.stamps.createdAt, budget.thresholds.percents, budget.estimate.name,
            budget.lowersOutput,
            budget.subject.tag?.name, budget.subject.tag?.value, budget.rolling?.seconds,
            AccessSubject(budget.scope)?.kind.rawValue, budget.away.allowance
        )
    }

    package static func save(_ budget: Budget, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update budget set name = $2, amount_nano_usd = $3, hard = $4, away = $5, carry_over = $6, status = $7,
                revision = $8, updated_at = $9, thresholds = $10, estimate = $11, lower_max_tokens = $12,
                away_allowance_nano_usd = $13::bigint
            where id = $1
            """,
            budget.id, budget.name, budget.amount, budget.isHard, budget.away.name, budget.carriesOver,
            budget.status.rawValue, budget.stamps.revision, budget.stamps.updatedAt, budget.thresholds.percents,
            budget.estimate.name, budget.lowersOutput, budget.away.allowance
        )
    }

    package static func remove(
        _ id: BudgetID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            "update budget set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
    }

    @Sendable private static func read(_ row: Row) throws -> Budget {
        let (subject, scope) = try BudgetSubject.read(row)
        let providers: [SQLUUID] = try row.get("providers")
        let models: [SQLUUID] = try row.get("models")
        return Budget(
            id: try row.get("id"), organization: try row.get("organization_id"),
            subject: subject, scope: scope, name: try row.get("name"), amount: try row.get("amount_nano_usd"),
            period: BudgetPeriod(name: try row.get("period")) ?? .total,
            window: try row.optional("rolling_seconds", as: Int64.self) == nil ? .calendar : .rolling,
            timeZone: try row.get("time_zone"),
            isHard: try row.get("hard"),
            away: BudgetAway(name: try row.get("away"), allowance: try row.optional("away_allowance_nano_usd"))
                ?? .deny,
            estimate: BudgetEstimate(name: try row.get("estimate")) ?? .bound,
            lowersOutput: try row.get("lower_max_tokens"),
            carriesOver: try row.get("carry_over"), thresholds: BudgetThresholds(stored: try row.get("thresholds")),
            providers: providers.map { ProviderID(UUIDValue(high: $0.high, low: $0.low)) },
            models: models.map { ModelID(UUIDValue(high: $0.high, low: $0.low)) },
            status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled, stamps: try Stamps(row)
        )
    }
}

/// The SQL of temporary increases.
package enum BudgetIncreaseStore {
    private static let columns: SQL =
        "select id, budget_id, amount_nano_usd, from_at, until_at, reason, created_at from budget_increase"

    /// What the increases of a budget that hold at some time between two instants come to together.
    static func most(
        of budget: BudgetID, from: Timestamp, until: Timestamp, _ tx: inout Transaction
    ) throws -> NanoUSD {
        let row = try tx.queryOne(
            """
            select least(coalesce(sum(amount_nano_usd), 0), 9223372036854775807)::bigint as amount from budget_increase
            where budget_id = $1 and from_at < $3 and until_at > $2
            """, budget, from, until)
        return try row?.get("amount") ?? .zero
    }

    package static func insert(_ increase: BudgetIncrease, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into budget_increase (id, budget_id, amount_nano_usd, from_at, until_at, reason, created_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            """,
            increase.id, increase.budget, increase.amount, increase.from, increase.until, increase.reason,
            increase.createdAt
        )
    }

    package static func fetch(_ id: BudgetIncreaseID, _ tx: inout Transaction) throws -> BudgetIncrease {
        guard let row = try tx.queryOne(Self.columns + " where id = $1", id) else {
            throw ControlError.notFound("budget increase")
        }
        return try Self.read(row)
    }

    /// Newest first.
    package static func list(
        of budget: BudgetID, _ page: PageRequest, _ tx: inout Transaction
    ) throws -> [BudgetIncrease] {
        try tx.query(
            Self.columns + " where budget_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3",
            budget, page.afterID, page.fetchLimit
        ).map(Self.read)
    }

    /// Ends one at an instant.
    package static func end(
        _ id: BudgetIncreaseID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute(
            """
            update budget_increase set until_at = greatest(least(until_at, $2), from_at + interval '1 microsecond')
            where id = $1
            """, id, time)
    }

    @Sendable private static func read(_ row: Row) throws -> BudgetIncrease {
        BudgetIncrease(
            id: try row.get("id"), budget: try row.get("budget_id"), amount: try row.get("amount_nano_usd"),
            from: try row.get("from_at"), until: try row.get("until_at"), reason: try row.get("reason"),
            createdAt: try row.get("created_at")
        )
    }
}
