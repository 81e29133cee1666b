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
        /// Records that the batch declared lost, and that were taken for it.
        package let lost: Int
        /// Records whose tags were one set too many for their organization.
        package var otherTags = 0
    }

    package enum Failure: Error, Sendable, Equatable {
        /// The stream belongs to another gateway.
        case foreignStream
    }

    /// Stores a batch that declares no loss when it begins right after what the stream has; otherwise stores nothing and
    /// says what it has.
    ///
    /// Everything is in the caller's transaction: the watermark, the records, the note that the
    /// sums lack them.
    package static func ingest(
        _ tx: inout Transaction, _ batch: UsageBatch, from caller: GatewayCaller, now: Timestamp
    ) throws -> Result {
        let last = try self.lock(&tx, batch, from: caller)
        guard batch.lost == nil, batch.from == last + 1 else { return Result(nothingAfter: last) }
        return try self.store(&tx, batch, from: caller, now: now)
    }

    /// The same for a batch that declares a loss: exactly from the next number on, or nothing is stored.
    ///
    /// Part of an audited change, which is why it needs the permit.
    static func ingest(
        _ tx: inout Transaction, _ batch: UsageBatch, lost: UsageLoss, from caller: GatewayCaller, now: Timestamp,
        _ permit: borrowing Permit
    ) throws -> Result {
        let last = try self.lock(&tx, batch, from: caller)
        guard lost.from == last + 1 else { return Result(nothingAfter: last) }
        try UsageGapStore.insert(&tx, UsageGap(batch, lost, at: now), permit)
        return try self.store(&tx, batch, from: caller, now: now)
    }

    /// The last number that is stored of the batch's stream, which nobody else changes until the transaction ends.
    private static func lock(_ tx: inout Transaction, _ batch: UsageBatch, from caller: GatewayCaller) throws -> Int {
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
        return Int(try stream.get("last_seq", as: Int64.self))
    }

    private static func store(
        _ tx: inout Transaction, _ batch: UsageBatch, from caller: GatewayCaller, now: Timestamp
    ) throws -> Result {
        _ = try tx.execute(
            "update usage_stream set last_seq = $2, updated_at = now() where id = $1", batch.stream, Int64(batch.to)
        )
        let organizations = try self.organizations(&tx, of: batch, group: caller.group)
        let rates = try UsageRates(
            &tx, of: batch.records.filter(\.isPlausible), Set(organizations.values), group: caller.group)
        let tags = try UsageTagSets.store(&tx, batch, organizations, limit: UsageTagSets.limit)
        var accepted: [Accepted] = []
        var rejected = 0
        for (offset, record) in batch.records.enumerated() {
            let sequence = batch.from + offset
            guard let organization = organizations[record.project], record.isPlausible else {
                rejected += 1
                let reason = record.isPlausible ? "its project is not in the gateway's group" : "it is not possible"
                try self.reject(&tx, record, sequence, batch, reason)
                continue
            }
            accepted.append(
                Accepted(
                    sequence: sequence, record: record, organization: organization,
                    checked: rates.cost(of: record, organization: organization),
                    tagSet: tags.id(of: record, organization), hasOtherTags: tags.isOther(record, organization)
                )
            )
        }
        try UsageStore.append(&tx, accepted, stream: batch.stream, gateway: caller.id, at: now)
        try UsageStore.awaitFold(&tx, accepted, stream: batch.stream, at: now)
        try LeaseSettlement.fold(&tx, accepted, process: batch.process, gateway: caller.id, at: now)
        return Result(
            last: batch.to, stored: accepted.count, rejected: rejected,
            mispriced: accepted.count { $0.checked != $0.record.cost },
            lost: batch.lost.map { batch.from - $0.from } ?? 0, otherTags: accepted.count { $0.hasOtherTags }
        )
    }

    /// A record that is stored.
    struct Accepted {
        let sequence: Int
        let record: UsageRecord
        let organization: OrganizationID
        let checked: NanoUSD
        /// The stored set of its tags; 0 for none.
        let tagSet: Int64
        let hasOtherTags: Bool
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

extension UsageIngest.Result {
    /// Nothing was stored: the stream has what it had.
    init(nothingAfter last: Int) { self.init(last: last, stored: 0, rejected: 0, mispriced: 0, lost: 0) }
}

extension UsageRecord {
    /// Whether it can be: at a time that is one, with units and money that sums have room for.
    ///
    /// What cannot be added up would otherwise fail, with its whole batch, each time it is sent again.
    fileprivate var isPlausible: Bool {
        Self.times.contains(self.started.seconds) && self.cost.amount <= Self.costLimit
            && Meter.allCases.allSatisfy { self.counters[$0] <= Self.unitsLimit }
    }

    /// The years 1970, where a machine without a clock begins, to 2199.
    private static let times: Range<Int64> = 0..<7_258_118_400
    /// Most units of one meter.
    private static let unitsLimit: Int64 = 1 << 40
    /// A million dollars.
    private static let costLimit: Int64 = 1_000_000_000_000_000
}
