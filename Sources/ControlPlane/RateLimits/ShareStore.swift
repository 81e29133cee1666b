import Postgres
import Shared

/// The SQL of what processes of gateways have of rate limits.
enum ShareStore {
    struct Terms {
        let id: RateLimitID
        let rate: BucketRate
    }

    /// Of limits by their numbers: those of the group's organizations that there are.
    static func terms(
        _ numbers: Set<UInt32>, group: GatewayGroupID, _ tx: inout Transaction
    ) throws -> [UInt32: Terms] {
        let rows = try tx.query(
            """
            select l.id, l.number, l.amount, l.period, l.burst from rate_limit l
            join gateway_group_organization g on g.organization_id = l.organization_id and g.group_id = $2
            where l.number = any ($1) and l.deleted_at is null and l.status = 'active'
            """, numbers.sorted().map { Int64($0) }, group
        )
        var result: [UInt32: Terms] = [:]
        for row in rows {
            let number = UInt32(truncatingIfNeeded: try row.get("number", as: Int64.self))
            result[number] = Terms(id: try row.get("id"), rate: try RateLimitStore.rate(row))
        }
        return result
    }

    /// The pools of limits, made where they are new, and held against every other renewal until the transaction ends; in
    /// one order, so that two that need the same ones do not wait for each other.
    static func lock(
        _ terms: [Terms], at now: Timestamp, _ tx: inout Transaction
    ) throws -> [RateLimitID: SharePool] {
        guard !terms.isEmpty else { return [:] }
        let known = try self.pools(of: terms.map(\.id), &tx)
        let missing = terms.filter { known[$0.id] == nil }.sorted { $0.id < $1.id }
        guard !missing.isEmpty else { return known }
        _ = try tx.execute(
            """
            insert into rate_limit_pool (limit_id, granules, filled_at)
            select id, granules, $3 from unnest($1::uuid[], $2::bigint[]) as w (id, granules) order by id on conflict do nothing
            """, missing.map { SQLUUID($0.id) }, missing.map(\.rate.capacity), now
        )
        return try self.pools(of: terms.map(\.id), &tx)
    }

    private static func pools(
        of limits: [RateLimitID], _ tx: inout Transaction
    ) throws -> [RateLimitID: SharePool] {
        var pools: [RateLimitID: SharePool] = [:]
        for row in try tx.query(
            """
            select limit_id, granules, filled_at, parts_left from rate_limit_pool where limit_id = any ($1)
            order by limit_id for no key update
            """, limits.map { SQLUUID($0) })
        {
            pools[try row.get("limit_id")] = SharePool(
                granules: try row.get("granules"), filledAt: try row.get("filled_at"), left: try row.get("parts_left"))
        }
        return pools
    }

    /// What processes other than one have of limits: those that were heard of.
    ///
    /// - Parameter caller: the process; nil for what all have.
    static func others(
        of limits: [RateLimitID], but caller: GatewayCaller?, at now: Timestamp, _ tx: inout Transaction
    ) throws -> [RateLimitID: ShareOthers] {
        let rows = try tx.query(
            """
            select limit_id, coalesce(sum(share) filter (where others), 0)::bigint as shares,
                least(coalesce(sum(fresh) filter (where others), 0), 1000000000000000000)::bigint as fresh,
                least(coalesce(sum(greatest(granted - returned, 0)) filter (where others), 0), 1000000000000000000)::bigint
                    as held,
                coalesce(array_agg(want) filter (where others and renewed_at > $5 and want > 0), '{}') as wants,
                max(renewed_at) filter (where renewed_at <= $4 and share > 0) as silent
            from rate_limit_share,
                lateral (select renewed_at > $4 and (gateway_id, process) is distinct from ($2::uuid, $3::bigint) as others) as o
            where limit_id = any ($1)
            group by limit_id
            """, limits.map { SQLUUID($0) }, caller?.id, caller.map { Int64(bitPattern: $0.process) },
            now.adding(seconds: -ShareRules.silentSeconds), now.adding(seconds: -ShareRules.sharingSeconds)
        )
        var result: [RateLimitID: ShareOthers] = [:]
        for row in rows {
            var others = ShareOthers()
            others.shares = try row.get("shares")
            others.fresh = try row.get("fresh")
            others.held = try row.get("held")
            others.wants = try row.get("wants")
            others.silentSince = try row.optional("silent", as: Timestamp.self)?
                .adding(seconds: ShareRules.silentSeconds)
            result[try row.get("limit_id")] = others
        }
        return result
    }

    /// What one process has of limits.
    static func states(
        of limits: [RateLimitID], _ gateway: GatewayID, process: UInt64, at now: Timestamp, _ tx: inout Transaction
    ) throws -> [RateLimitID: ShareState] {
        let rows = try tx.query(
            """
            select limit_id, share, target, generation, granted, returned, borrowed, fresh, want, largest, sequence,
                renewed_at <= $4 as silent
            from rate_limit_share where limit_id = any ($1) and gateway_id = $2 and process = $3
            order by limit_id for update
            """, limits.map { SQLUUID($0) }, gateway, Int64(bitPattern: process),
            now.adding(seconds: -ShareRules.silentSeconds)
        )
        var result: [RateLimitID: ShareState] = [:]
        for row in rows {
            var state = ShareState()
            state.isKnown = true
            state.isSilent = try row.get("silent")
            state.share = try row.get("share")
            state.target = try row.get("target")
            state.generation = try row.get("generation")
            state.granted = try row.get("granted")
            state.returned = try row.get("returned")
            state.borrowed = try row.get("borrowed")
            state.fresh = try row.get("fresh")
            state.want = try row.get("want")
            state.largest = try row.get("largest")
            state.sequence = try row.get("sequence")
            result[try row.get("limit_id")] = state
        }
        return result
    }

    static func save(
        _ states: [(limit: RateLimitID, state: ShareState)], _ gateway: GatewayID, process: UInt64, at now: Timestamp,
        _ tx: inout Transaction
    ) throws {
        guard !states.isEmpty else { return }
        let values = states.map(\.state)
        _ = try tx.execute(
            """
            insert into rate_limit_share as s (limit_id, gateway_id, process, renewed_at, share, target, want, generation,
                granted, returned, borrowed, fresh, largest, sequence)
            select id, $1, $2, $3, share, target, want, generation, granted, returned, borrowed, fresh, largest, sequence
            from unnest($4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
                as w (id, share, target, want, generation, granted, returned, borrowed, fresh, largest, sequence)
            order by id
            on conflict (limit_id, gateway_id, process) do update set renewed_at = greatest(s.renewed_at, excluded.renewed_at),
                share = excluded.share, target = excluded.target, want = excluded.want,
                generation = excluded.generation, granted = excluded.granted, returned = excluded.returned,
                borrowed = excluded.borrowed, fresh = excluded.fresh, largest = excluded.largest,
                sequence = excluded.sequence
            """, gateway, Int64(bitPattern: process), now, states.map { SQLUUID($0.limit) }, values.map(\.share),
            values.map(\.target), values.map(\.want), values.map(\.generation), values.map(\.granted),
            values.map(\.returned), values.map(\.borrowed), values.map(\.fresh), values.map(\.largest),
            values.map(\.sequence)
        )
    }

    static func save(_ pools: [(limit: RateLimitID, pool: SharePool)], _ tx: inout Transaction) throws {
        guard !pools.isEmpty else { return }
        _ = try tx.execute(
            """
            update rate_limit_pool p set granules = w.granules,
                filled_at = timestamptz 'epoch' + w.filled_at * interval '1 microsecond', parts_left = w.parts_left
            from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) as w (id, granules, filled_at, parts_left)
            where p.limit_id = w.id
            """, pools.map { SQLUUID($0.limit) }, pools.map(\.pool.granules), pools.map(\.pool.filledAt.microseconds),
            pools.map(\.pool.left)
        )
    }

    /// Limits that processes of a gateway have parts of.
    static func limits(
        of processes: [UInt64], of gateway: GatewayID, _ tx: inout Transaction
    ) throws -> [RateLimitID: BucketRate] {
        guard !processes.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select l.id, l.amount, l.period, l.burst from rate_limit l where l.id in (
                select limit_id from rate_limit_share where gateway_id = $1 and process = any ($2) and share > 0)
            """, gateway, processes.map { Int64(bitPattern: $0) }
        )
        var result: [RateLimitID: BucketRate] = [:]
        for row in rows { result[try row.get("id")] = try RateLimitStore.rate(row) }
        return result
    }

    /// Forgets what processes of a gateway had: they are over.
    static func close(_ processes: [UInt64], of gateway: GatewayID, _ tx: inout Transaction) throws {
        guard !processes.isEmpty else { return }
        _ = try tx.execute(
            "delete from rate_limit_share where gateway_id = $1 and process = any ($2)", gateway,
            processes.map { Int64(bitPattern: $0) }
        )
    }

    /// Forgets processes that have said nothing for a day.
    ///
    /// - Returns: how many rows, at most a few thousand at once.
    static func forget(before instant: Timestamp, _ tx: inout Transaction) throws -> Int {
        Int(
            try tx.execute(
                """
                delete from rate_limit_share where (limit_id, gateway_id, process) in (
                    select limit_id, gateway_id, process from rate_limit_share where renewed_at < $1
                    order by renewed_at limit 5000 for update skip locked)
                """, instant))
    }
}
