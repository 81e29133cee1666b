package import Postgres
package import Shared

/// The SQL of accounts and leases.
package enum LeaseStore {
    /// What is known of a budget when one of its accounts is renewed.
    struct Terms {
        let budget: BudgetID
        /// Of its accounts: a rolling budget has one that never ends.
        let period: BudgetPeriod
        let rolling: RollingWindow?
        let zone: ZoneOffsets
        let amount: Int64
        let isHard: Bool
        let carriesOver: Bool
        let createdAt: Timestamp
    }

    struct Account {
        let id: Int64
        let charge: Charge
        let spentBefore: Int64
        let carried: Int64
        /// As it is while nobody holds the account, without what is noted besides: what changes nothing goes by it.
        let sum: LeaseSums.Sum
    }

    /// One process's, as it is stored.
    struct Lease {
        var state: LeaseState
        let renewedAt: Timestamp
        /// Made by the renewal that is under way.
        var isNew = false

        /// Whether its gateway counts, as it is stored, among those that share the account.
        func sharesSince(_ instant: Timestamp) -> Bool {
            !self.isNew && self.state.phase == .open && self.renewedAt > instant
        }
    }

    /// Of budgets by their numbers: those of the group's organizations that there are.
    static func terms(
        _ numbers: Set<UInt32>, group: GatewayGroupID, _ tx: inout Transaction
    ) throws -> [UInt32: Terms] {
        let rows = try tx.query(
            """
            select b.number, b.id, b.period, b.rolling_seconds, z.since, z.offsets, b.amount_nano_usd, b.hard, b.carry_over,
                b.created_at
            from budget b join zone_offset z on z.zone = b.time_zone
            join gateway_group_organization g on g.organization_id = b.organization_id and g.group_id = $2
            where b.number = any ($1) and b.deleted_at is null and b.status = 'active'
            """, numbers.sorted().map { Int64($0) }, group
        )
        var result: [UInt32: Terms] = [:]
        for row in rows { result[UInt32(truncatingIfNeeded: try row.get("number", as: Int64.self))] = try Terms(row) }
        return result
    }

    /// The accounts of charges that there are.
    static func accounts(_ charges: [Charge], _ tx: inout Transaction) throws -> [Charge: Account] {
        guard !charges.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select a.id, b.number, a.start_minute, a.spent_before, a.carried, a.frozen_until, a.sharers, a.counted_at,
                least(a.held, 2305843009213693952)::bigint as held
            from unnest($1::bigint[], $2::bigint[]) as w (number, minute)
            join budget b on b.number = w.number
            join budget_account a on a.budget_id = b.id and a.start_minute = w.minute
            """, charges.map { Int64($0.budget) }, charges.map { Int64($0.startMinute) }
        )
        var result: [Charge: Account] = [:]
        for row in rows {
            let charge = try Charge(row)
            result[charge] = Account(
                id: try row.get("id"), charge: charge, spentBefore: try row.get("spent_before"),
                carried: try row.get("carried"), sum: try LeaseSums.Sum(row)
            )
        }
        return result
    }

    /// What an account begins with.
    struct Opening {
        let charge: Charge
        let terms: Terms
        var spentBefore: Int64 = 0
        var carried: Int64 = 0
    }

    /// Opens accounts, unless somebody else just did.
    static func open(_ openings: [Opening], at now: Timestamp, _ tx: inout Transaction) throws {
        guard !openings.isEmpty else { return }
        // Microseconds since 1970; 0 for a window that never ends.
        let ends = openings.map { opening in
            let start = Timestamp(microseconds: Int64(opening.charge.startMinute) * 60_000_000)
            let end = BudgetWindow.containing(start, opening.terms.period, in: opening.terms.zone).end
            return end == .max ? 0 : end
        }
        _ = try tx.execute(
            """
            insert into budget_account (budget_id, start_minute, ends_at, spent_before, carried, created_at)
            select w.budget, w.minute, timestamptz 'epoch' + nullif(w.ends, 0) * interval '1 microsecond', w.spent,
                w.carried, $6
            from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                as w (budget, minute, ends, spent, carried)
            on conflict do nothing
            """, openings.map { SQLUUID(high: $0.terms.budget.value.high, low: $0.terms.budget.value.low) },
            openings.map { Int64($0.charge.startMinute) }, ends, openings.map(\.spentBefore),
            openings.map(\.carried), now
        )
    }

    /// The leases of one process, by account; what it has none of yet is made.
    ///
    /// - Parameter waits: for those that its usage holds while it is stored.
    /// - Returns: nil when it holds some and that is not waited for.
    static func leases(
        of accounts: [Int64], _ gateway: GatewayID, process: UInt64, at now: Timestamp, waits: Bool,
        _ tx: inout Transaction
    ) throws -> [Int64: Lease]? {
        let process = Int64(bitPattern: process)
        var result = try Self.held(accounts, gateway, process, waits: waits, &tx)
        // Mostly there are all; usage that arrives may make one at the same moment.
        let missing = accounts.filter { result[$0] == nil }
        guard !missing.isEmpty else { return result }
        if !waits {
            let held = try tx.queryOne(
                """
                select 1 as n from budget_lease where account_id = any ($1) and gateway_id = $2 and process = $3 limit 1
                """, missing, gateway, process)
            guard held == nil else { return nil }
        }
        _ = try tx.execute(
            """
            insert into budget_lease (account_id, gateway_id, process, renewed_at)
            select id, $2, $3, $4 from unnest($1::bigint[]) as id order by id on conflict do nothing
            """, missing.sorted(), gateway, process, now
        )
        for (account, var lease) in try Self.held(missing, gateway, process, waits: true, &tx) {
            lease.isNew = true
            result[account] = lease
        }
        return result
    }

    private static func held(
        _ accounts: [Int64], _ gateway: GatewayID, _ process: Int64, waits: Bool, _ tx: inout Transaction
    ) throws -> [Int64: Lease] {
        let sql: SQL = """
            select account_id, granted, returned, posted, reserved, settled, sequence, state, renewed_at from budget_lease
            where account_id = any ($1) and gateway_id = $2 and process = $3 order by account_id for update
            """
        let rows = try tx.query(waits ? sql : sql + " skip locked", accounts, gateway, process)
        var result: [Int64: Lease] = [:]
        for row in rows {
            result[try row.get("account_id")] = Lease(
                state: try LeaseState(row), renewedAt: try row.get("renewed_at"))
        }
        return result
    }

    /// Stores leases of one process; `settled` is the ingest's and stays.
    ///
    /// What that changes of what they hold is to be added to their accounts.
    static func save(
        _ leases: [(account: Int64, lease: LeaseState)], _ gateway: GatewayID, process: UInt64, at now: Timestamp,
        _ tx: inout Transaction
    ) throws {
        guard !leases.isEmpty else { return }
        _ = try tx.execute(
            """
            update budget_lease l set granted = w.granted, returned = w.returned, posted = w.posted,
                reserved = w.reserved, sequence = w.sequence, state = w.state, renewed_at = greatest(l.renewed_at, $3),
                summed = l.summed + 1
            from unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[])
                as w (account_id, granted, returned, posted, reserved, sequence, state)
            where l.account_id = w.account_id and l.account_id = any ($4) and l.gateway_id = $1 and l.process = $2
            """, gateway, Int64(bitPattern: process), now, leases.map(\.account), leases.map(\.lease.granted),
            leases.map(\.lease.returned), leases.map(\.lease.posted), leases.map(\.lease.reserved),
            leases.map(\.lease.sequence), leases.map(\.lease.phase.rawValue)
        )
    }

    /// Marks that grants of an account were lost.
    static func freeze(_ accounts: [Int64], until instant: Timestamp, _ tx: inout Transaction) throws {
        guard !accounts.isEmpty else { return }
        _ = try tx.execute("update budget_account set frozen_until = $2 where id = any ($1)", accounts, instant)
    }

    /// What temporary increases add at an instant, by budget.
    static func increases(
        of budgets: [BudgetID], at now: Timestamp, _ tx: inout Transaction
    ) throws -> [BudgetID: Int64] {
        let rows = try tx.query(
            """
            select budget_id, least(sum(amount_nano_usd), 1000000000000000000)::bigint as amount from budget_increase
            where budget_id = any ($1) and from_at <= $2 and until_at > $2 group by budget_id
            """, budgets.map { SQLUUID(high: $0.value.high, low: $0.value.low) }, now
        )
        var result: [BudgetID: Int64] = [:]
        for row in rows { result[try row.get("budget_id")] = try row.get("amount") }
        return result
    }

    // MARK: Earlier processes

    /// Processes of a gateway other than one that hold something still, of budgets or of rate limits.
    ///
    /// From one process to the next in the indices, so that it does not grow with what each holds.
    static func unsettled(_ gateway: GatewayID, besides process: UInt64, _ tx: inout Transaction) throws -> [UInt64] {
        try tx.query(
            """
            with recursive found as (
                (select process from budget_lease where gateway_id = $1 and state <> 'closed' order by process limit 1)
                union all
                select (select l.process from budget_lease l
                    where l.gateway_id = $1 and l.state <> 'closed' and l.process > f.process
                    order by l.process limit 1)
                from found f where f.process is not null),
            shared as (
                (select process from rate_limit_share where gateway_id = $1 order by process limit 1)
                union all
                select (select s.process from rate_limit_share s where s.gateway_id = $1 and s.process > f.process
                    order by s.process limit 1)
                from shared f where f.process is not null)
            select process from found where process <> $2 union select process from shared where process <> $2
            limit $3
            """, gateway, Int64(bitPattern: process), Int64(LeaseRequest.settledLimit)
        ).map { UInt64(bitPattern: try $0.get("process", as: Int64.self)) }
    }

    /// Frees what processes of a gateway held and did not spend: all their usage has arrived.
    static func close(_ processes: [UInt64], of gateway: GatewayID, _ tx: inout Transaction) throws {
        guard !processes.isEmpty else { return }
        _ = try tx.execute(
            """
            update budget_lease set returned = greatest(returned, granted - greatest(posted, settled)), reserved = 0,
                state = 'closed'
            where gateway_id = $1 and process = any ($2) and state <> 'closed'
            """, gateway, processes.map { Int64(bitPattern: $0) }
        )
    }

    /// Marks leases of processes that say nothing any more: what they hold stays held until their usage arrives.
    ///
    /// - Returns: how many.
    package static func suspend(before instant: Timestamp, _ tx: inout Transaction) throws -> Int {
        Int(
            try tx.execute(
                "update budget_lease set state = 'suspense' where state = 'open' and renewed_at < $1", instant))
    }
}

extension LeaseStore.Terms {
    /// Of a row of `budget` with the offsets of its zone.
    init(_ row: Row) throws {
        let budget: BudgetID = try row.get("id")
        guard let period = BudgetPeriod(name: try row.get("period")) else {
            throw PublishingFailure("budget \(budget) is of a newer release")
        }
        let rolling = try row.optional("rolling_seconds").map { RollingWindow(stored: $0) }
        self.init(
            budget: budget, period: rolling == nil ? period : .total, rolling: rolling,
            zone: try ZoneOffsetStore.offsets(row),
            amount: try row.get("amount_nano_usd"), isHard: try row.get("hard"), carriesOver: try row.get("carry_over"),
            createdAt: try row.get("created_at")
        )
    }
}

extension LeaseState {
    /// Of a row of `budget_lease`.
    init(_ row: Row) throws {
        self.init()
        self.granted = try row.get("granted")
        self.returned = try row.get("returned")
        self.posted = try row.get("posted")
        self.reserved = try row.get("reserved")
        self.settled = try row.get("settled")
        self.sequence = try row.get("sequence")
        self.phase = Phase(rawValue: try row.get("state")) ?? .open
    }
}

extension Charge {
    /// Of a row with the `number` of a budget and the `start_minute` of a window.
    init(_ row: Row) throws {
        self.init(
            budget: UInt32(truncatingIfNeeded: try row.get("number", as: Int64.self)),
            startMinute: UInt32(truncatingIfNeeded: try row.get("start_minute", as: Int64.self)))
    }
}
