import Postgres
import Shared

/// The SQL of usage: records by COPY, sums by upsert.
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
                input, cached_input, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output,
                image, request, cost_nano_usd, checked_cost_nano_usd)
            """
        ) { copy in
            for accepted in records {
                let record = accepted.record
                let units = record.counters
                try copy.row(
                    now, stream, Int64(accepted.sequence), record.request, gateway, accepted.organization,
                    record.project, record.key, record.owner, record.route, record.model, record.provider,
                    record.price, Int32(record.serviceTier.rawValue), record.started,
                    record.durationMicroseconds, record.firstByteMicroseconds, Int32(clamping: record.status),
                    Int32(record.outcome.rawValue), record.isStream, record.isEstimate,
                    Int32(clamping: record.attempts), Int32(clamping: record.snapshot.epoch),
                    Int64(record.snapshot.version), record.code, units.input, units.cachedInput, units.cacheWrite5m,
                    units.cacheWrite1h, units.output, units.reasoning, units.audioInput, units.audioOutput,
                    units.images, units.requests, record.cost, accepted.checked
                )
            }
        }
    }

    /// What one row of `usage_daily` is of.
    private struct Cell: Hashable {
        let day: Int64
        let organization: OrganizationID
        let project: NodeID
        let key: VirtualKeyID
        let model: ModelID
    }

    /// Adds the records to the sums by day, key and model.
    ///
    /// Requests without a model count under the nil id.
    static func fold(_ tx: inout Transaction, _ records: [UsageIngest.Accepted]) throws {
        var cells: [Cell: (units: UsageCounters, requests: Int64, refusals: Int64, estimates: Int64, cost: NanoUSD)] =
            [:]
        for accepted in records {
            let record = accepted.record
            let cell = Cell(
                day: record.started.seconds / 86_400, organization: accepted.organization, project: record.project,
                key: record.key, model: record.model ?? ModelID(UUIDValue(high: 0, low: 0))
            )
            var sum = cells[cell] ?? (UsageCounters(), 0, 0, 0, .zero)
            for meter in Meter.allCases {
                sum.units[meter] = sum.units[meter].addingSaturating(record.counters[meter])
            }
            sum.requests += 1
            sum.refusals += record.outcome == .refused ? 1 : 0
            sum.estimates += record.isEstimate ? 1 : 0
            sum.cost = sum.cost.addingSaturating(record.cost)
            cells[cell] = sum
        }
        // In one order everywhere, so that two ingests cannot deadlock.
        for (cell, sum) in cells.sorted(by: { Self.order($0.key).lexicographicallyPrecedes(Self.order($1.key)) }) {
            _ = try tx.execute(
                """
                insert into usage_daily as d (day, organization_id, project_id, key_id, model_id, requests, refusals,
                    estimates, input, cached_input, cache_write_5m, cache_write_1h, output, reasoning, audio_input,
                    audio_output, image, cost_nano_usd)
                values (date '1970-01-01' + $1::int, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                    $17, $18)
                on conflict (day, organization_id, project_id, key_id, model_id) do update set
                    requests = d.requests + excluded.requests, refusals = d.refusals + excluded.refusals,
                    estimates = d.estimates + excluded.estimates, input = d.input + excluded.input,
                    cached_input = d.cached_input + excluded.cached_input,
                    cache_write_5m = d.cache_write_5m + excluded.cache_write_5m,
                    cache_write_1h = d.cache_write_1h + excluded.cache_write_1h, output = d.output + excluded.output,
                    reasoning = d.reasoning + excluded.reasoning, audio_input = d.audio_input + excluded.audio_input,
                    audio_output = d.audio_output + excluded.audio_output, image = d.image + excluded.image,
                    cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd
                """,
                Int32(clamping: cell.day), cell.organization, cell.project, cell.key, cell.model, sum.requests,
                sum.refusals, sum.estimates, sum.units.input, sum.units.cachedInput, sum.units.cacheWrite5m,
                sum.units.cacheWrite1h, sum.units.output, sum.units.reasoning, sum.units.audioInput,
                sum.units.audioOutput, sum.units.images, sum.cost
            )
        }
    }

    private static func order(_ cell: Cell) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: cell.day))
        return bytes + cell.organization.bytes + cell.project.bytes + cell.key.bytes + cell.model.bytes
    }
}
