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
                adjustment_id, cost_nano_usd, checked_cost_nano_usd
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
                ]
                try copy.row(values + units)
            }
        }
    }

    /// The columns of units, each after a comma.
    private static func columns(_ meters: [Meter]) -> SQL {
        meters.reduce("") { $0 + ", " + SQL(identifier: $1.name) }
    }

    /// The meters that have a sum of their own; requests are counted also when nobody answered them.
    private static let summed = Meter.allCases.filter { $0 != .request }

    /// Adds to one row of `usage_daily`: nine parameters, and one for each of the summed meters.
    private static let fold: SQL = {
        var values: SQL = ""
        var sums: SQL = ""
        for (index, meter) in Self.summed.enumerated() {
            let column = SQL(identifier: meter.name)
            values += ", " + SQL(parameter: 10 + index)
            sums += ", " + column + " = d." + column + " + excluded." + column
        }
        return """
            insert into usage_daily as d (day, organization_id, project_id, key_id, model_id, requests, refusals,
                estimates, cost_nano_usd
            """ + Self.columns(Self.summed)
                + ") values (date '1970-01-01' + $1::int, $2, $3, $4, $5, $6, $7, $8, $9" + values + """
                    )
                    on conflict (day, organization_id, project_id, key_id, model_id) do update set
                        requests = d.requests + excluded.requests, refusals = d.refusals + excluded.refusals,
                        estimates = d.estimates + excluded.estimates, cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd
                    """ + sums
    }()

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
            let units: [(any SQLEncodable)?] = Self.summed.map { sum.units[$0] }
            let values: [(any SQLEncodable)?] = [
                Int32(clamping: cell.day), cell.organization, cell.project, cell.key, cell.model, sum.requests,
                sum.refusals, sum.estimates, sum.cost,
            ]
            try tx.execute(Self.fold, list: values + units)
        }
    }

    private static func order(_ cell: Cell) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt64(bitPattern: cell.day))
        return bytes + cell.organization.bytes + cell.project.bytes + cell.key.bytes + cell.model.bytes
    }
}
