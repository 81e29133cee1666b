package import Postgres
package import Shared

/// Takes usage from gateways, each record once.
package enum UsageIngest {
    /// What became of a batch.
    package struct Result: Sendable, Equatable {
        /// The last number that is stored of the stream.
        package let last: Int
        package let stored: Int
        package let rejected: Int
        /// Records whose cost is not what the control plane computes.
        package let mispriced: Int
    }

    package enum Failure: Error, Sendable, Equatable {
        /// The stream belongs to another gateway.
        case foreignStream
    }

    /// Stores a batch when it begins right after what the stream has; otherwise stores nothing and says what it has.
    ///
    /// Everything is in the caller's transaction: the watermark, the records, the sums.
    package static func ingest(
        _ tx: inout Transaction, _ batch: UsageBatch, from caller: GatewayCaller, now: Timestamp
    ) throws -> Result {
        _ = try tx.execute(
            "insert into usage_stream (id, gateway_id) values ($1, $2) on conflict do nothing",
            batch.stream, caller.id
        )
        let stream = try tx.queryOne(
            "select gateway_id, last_seq from usage_stream where id = $1 for update", batch.stream
        )
        guard let stream, try stream.get("gateway_id", as: GatewayID.self) == caller.id,
            batch.gateway == caller.id
        else { throw Failure.foreignStream }
        let last = Int(try stream.get("last_seq", as: Int64.self))
        guard batch.from == last + 1 else { return Result(last: last, stored: 0, rejected: 0, mispriced: 0) }
        _ = try tx.execute(
            "update usage_stream set last_seq = $2, updated_at = now() where id = $1", batch.stream, Int64(batch.to)
        )
        let organizations = try self.organizations(&tx, of: batch, group: caller.group)
        let prices = try PriceItems.load(&tx, Set(batch.records.compactMap(\.price)))
        var accepted: [Accepted] = []
        var rejected = 0
        for (offset, record) in batch.records.enumerated() {
            let sequence = batch.from + offset
            guard let organization = organizations[record.project] else {
                rejected += 1
                try self.reject(&tx, record, sequence, batch, "its project is not in the gateway's group")
                continue
            }
            let checked = record.price.flatMap { prices[$0] }.map {
                Pricing.cost(of: record.counters, items: $0, tier: record.serviceTier)
            }
            accepted.append(
                Accepted(sequence: sequence, record: record, organization: organization, checked: checked ?? .zero)
            )
        }
        try UsageStore.append(&tx, accepted, stream: batch.stream, gateway: caller.id, at: now)
        try UsageStore.fold(&tx, accepted)
        return Result(
            last: batch.to, stored: accepted.count, rejected: rejected,
            mispriced: accepted.count { $0.checked != $0.record.cost }
        )
    }

    /// A record that is stored.
    struct Accepted {
        let sequence: Int
        let record: UsageRecord
        let organization: OrganizationID
        let checked: NanoUSD
    }

    /// The organizations of the batch's projects, those of the caller's group only.
    private static func organizations(
        _ tx: inout Transaction, of batch: UsageBatch, group: GatewayGroupID
    ) throws -> [NodeID: OrganizationID] {
        let projects = Set(batch.records.map(\.project)).map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        let rows = try tx.query(
            """
            select n.id, n.organization_id from scope_node n
            join gateway_group_organization g on g.organization_id = n.organization_id and g.group_id = $1
            where n.id = any ($2) and n.kind = 'project'
            """, group, projects
        )
        var result: [NodeID: OrganizationID] = [:]
        for row in rows { result[try row.get("id")] = try row.get("organization_id") }
        return result
    }

    private static func reject(
        _ tx: inout Transaction, _ record: UsageRecord, _ sequence: Int, _ batch: UsageBatch, _ reason: String
    ) throws {
        _ = try tx.execute(
            """
            insert into usage_rejected (stream_id, seq, gateway_id, reason, record) values ($1, $2, $3, $4, $5)
            """, batch.stream, Int64(sequence), batch.gateway, reason, record.wireBytes
        )
    }
}

/// The items of prices, by price.
enum PriceItems {
    static func load(_ tx: inout Transaction, _ prices: Set<PriceID>) throws -> [PriceID: [PriceItem]] {
        guard !prices.isEmpty else { return [:] }
        let ids = prices.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        let rows = try tx.query(
            "select price_id, meter, tier, above_prompt_tokens, nano_usd_per_million from price_item where price_id = any ($1)",
            ids
        )
        var result: [PriceID: [PriceItem]] = [:]
        for row in rows {
            guard let meter = Meter(name: try row.get("meter")), let tier = ServiceTier(name: try row.get("tier"))
            else {
                continue
            }
            result[try row.get("price_id"), default: []].append(
                PriceItem(
                    meter: meter, nanoUSDPerMillion: try row.get("nano_usd_per_million"),
                    abovePromptTokens: try row.get("above_prompt_tokens"), tier: tier
                )
            )
        }
        return result
    }
}
