import Postgres
import Shared

/// The SQL of usage as it arrives.
enum UsageStore {
    static func append(
        _ tx: inout Transaction, _ records: [UsageIngest.Accepted], stream: UsageStreamID, gateway: GatewayID,
        at now: Timestamp
    ) throws {
        guard !records.isEmpty else { return }
        _ = try tx.copyIn(
            """
            usage_event (ingested_at, stream_id, seq, request_id, gateway_id, organization_id, project_id, key_id,
                owner_id, route_id, model_id, provider_id, price_id, service_tier, started_at, duration_us,
                first_byte_us, status, outcome, stream, estimate, attempts, snapshot_epoch, snapshot_version, code,
                adjustment_id, cost_nano_usd, checked_cost_nano_usd, tag_set_id, charges,
                refused_level, refused_by, refused_left, refused_needed
            """ + Self.columns(Meter.allCases) + ")"
        ) { copy in
            for accepted in records {
                let record = accepted.record
                let units: [(any SQLEncodable)?] = Meter.allCases.map { record.counters[$0] }
                let values: [(any SQLEncodable)?] = [
                    now, stream, Int64(accepted.sequence), record.request, gateway, accepted.organization,
                    record.project, record.key, record.owner, record.route, record.model, record.provider,
                    record.price, Int32(record.serviceTier.rawValue), record.started,
                    record.durationMicroseconds, record.firstByteMicroseconds, Int32(clamping: record.status),
                    Int32(record.outcome.rawValue), record.isStream, record.isEstimate,
                    Int32(clamping: record.attempts), Int32(clamping: record.snapshot.epoch),
                    Int64(record.snapshot.version), record.code, record.adjustment, record.cost, accepted.checked,
                    accepted.tagSet,
                    record.charges.isEmpty ? nil : record.charges.map { Int64(bitPattern: $0.value) },
                    record.refusal.map { Int32($0.level.rawValue) }, record.refusal?.rule, record.refusal?.left,
                    record.refusal?.needed,
                ]
                try copy.row(values + units)
            }
        }
    }

    /// The columns of units, each after a comma.
    private static func columns(_ meters: [Meter]) -> SQL {
        meters.reduce("") { $0 + ", " + SQL(identifier: $1.name) }
    }

    /// Notes the records as stored and not yet in the sums: see `Rollups`.
    static func awaitFold(
        _ tx: inout Transaction, _ records: [UsageIngest.Accepted], stream: UsageStreamID, at now: Timestamp
    ) throws {
        guard let first = records.first, let last = records.last else { return }
        let cost = records.reduce(NanoUSD.zero) { $0.addingSaturating($1.record.cost) }
        _ = try tx.execute(
            """
            insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
            values ($1, $2, $3, $4, $5, $6)
            """, stream, Int64(first.sequence), Int64(last.sequence), now, Int64(records.count), cost
        )
    }
}
