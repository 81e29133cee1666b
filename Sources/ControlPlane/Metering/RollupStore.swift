import Postgres
import Shared

/// The SQL of roll-ups.
enum RollupStore {
    /// A batch that is stored and not folded.
    struct Batch: Sendable {
        let stream: UUIDValue
        let from: Int64
        let to: Int64
        let ingestedAt: Timestamp
        let records: Int64
    }

    /// The oldest batches, of so many records together; at least one when there is any.
    static func waiting(_ tx: inout Transaction, records: Int64, batches: Int64) throws -> [Batch] {
        try tx.query(
            """
            select stream_id, from_seq, to_seq, ingested_at, records from (
                select *, sum(records) over (order by ingested_at, stream_id, from_seq) - records as before from (
                    select * from usage_unfolded order by ingested_at, stream_id, from_seq limit $2) oldest
            ) counted where before < $1::bigint
            """, records, batches
        ).map {
            Batch(
                stream: try $0.get("stream_id"), from: try $0.get("from_seq"), to: try $0.get("to_seq"),
                ingestedAt: try $0.get("ingested_at"), records: try $0.get("records")
            )
        }
    }

    /// The records of batches: streams $1, numbers from $2 to $3, arrivals $4 (microseconds) of $5 to $6.
    ///
    /// Not by a join with `usage_unfolded`: of an array the planner knows how long it is.
    private static let records: SQL = """
        usage_event e join unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])
            b (stream_id, from_seq, to_seq, arrival)
            on b.stream_id = e.stream_id and e.ingested_at = timestamptz 'epoch' + b.arrival * interval '1 microsecond'
                and e.seq between b.from_seq and b.to_seq
        where e.ingested_at >= $5 and e.ingested_at <= $6
        """

    /// A dimension of a record, as a series has it: none is the nil id.
    private static func value(_ column: (name: String, isOptional: Bool)) -> SQL {
        let name = "e." + SQL(identifier: column.name)
        return column.isOptional ? "coalesce(" + name + ", '00000000-0000-0000-0000-000000000000')" : name
    }

    private static let dimensionNames = UsageColumns.list(UsageColumns.dimensions.map(\.name))
    private static let dimensions = SQL.joined(
        UsageColumns.dimensions.map { Self.value($0) + " as " + SQL(identifier: $0.name) }, ", ")
    private static let sameSeries = SQL.joined(
        UsageColumns.dimensions.map { "s." + SQL(identifier: $0.name) + " = c." + SQL(identifier: $0.name) }, " and ")

    /// Makes the series that the batches' records have and that are not there.
    private static let insertSeries: SQL =
        "insert into usage_series (" + Self.dimensionNames + ") select distinct " + Self.dimensions + " from "
        + Self.records + " on conflict do nothing"

    /// What is added up, as expressions over `e`.
    private static let sums: SQL =
        "count(*) as requests, count(*) filter (where e.outcome = $7) as refusals,"
        + " count(*) filter (where e.estimate) as estimates, "
        + UsageColumns.list(UsageColumns.units + ["cost_nano_usd"]) { "sum(e." + $0 + ")::bigint as " + $0 }

    /// Adds `source` (`starts_at`, `series_id`, the sums) to a level.
    private static func add(to level: UsageLevel, _ source: SQL) -> SQL {
        "insert into " + level.table + " as l (starts_at, series_id, " + UsageColumns.list(UsageColumns.sums) + ") "
            + source + " on conflict (series_id, starts_at) do update set "
            + UsageColumns.list(UsageColumns.sums) { $0 + " = l." + $0 + " + excluded." + $0 } + " returning 1"
    }

    private static func coarser(_ unit: SQL) -> SQL {
        "select date_trunc(" + unit + ", starts_at, 'UTC'), series_id, "
            + UsageColumns.list(UsageColumns.sums) { "sum(" + $0 + ")::bigint" } + " from minutes group by 1, 2"
    }

    /// One statement: the batches are no longer waiting, and their records are in every level.
    private static let foldBatches: SQL =
        "with cells as materialized (select date_trunc('minute', e.started_at, 'UTC') as starts_at, " + Self.dimensions
        + ", " + Self.sums + " from " + Self.records + " group by "
        + SQL.joined((1...(1 + UsageColumns.dimensions.count)).map { SQL(number: $0) }, ", ")
        + "), minutes as materialized (select c.starts_at, s.id as series_id, "
        + UsageColumns.list(UsageColumns.sums) { "c." + $0 } + " from cells c join usage_series s on "
        + Self.sameSeries + "), by_minute as ("
        + Self.add(to: .minute, "select * from minutes order by starts_at, series_id") + "), by_hour as ("
        + Self.add(to: .hour, Self.coarser("'hour'")) + "), by_day as (" + Self.add(to: .day, Self.coarser("'day'"))
        + "), folded as (delete from usage_unfolded u using unnest($1::uuid[], $2::bigint[]) b (stream_id, from_seq)"
        + " where b.stream_id = u.stream_id and b.from_seq = u.from_seq)"
        + " select coalesce(sum(requests), 0)::bigint as records from minutes"

    /// - Returns: how many records were added to each level.
    static func fold(_ tx: inout Transaction, _ batches: [Batch]) throws -> Int64 {
        guard let first = batches.map(\.ingestedAt).min(), let last = batches.map(\.ingestedAt).max() else { return 0 }
        let streams = batches.map { SQLUUID(high: $0.stream.high, low: $0.stream.low) }
        let (froms, tos) = (batches.map(\.from), batches.map(\.to))
        let arrivals = batches.map(\.ingestedAt.microseconds)
        // Today's partition has no statistics at first: the planner then takes few rows for what are many, and compares
        // each with each batch. What is joined here is always worth a hash.
        _ = try tx.execute("set local enable_nestloop = off")
        _ = try tx.execute(Self.insertSeries, streams, froms, tos, arrivals, first, last)
        let row = try tx.queryOne(
            Self.foldBatches, streams, froms, tos, arrivals, first, last, Int32(RequestOutcome.refused.rawValue)
        )
        _ = try tx.execute("set local enable_nestloop = on")
        return try row?.get("records") ?? 0
    }

    /// What waits: records, and since when the oldest of them is here.
    static func backlog(_ tx: inout Transaction) throws -> (records: Int64, since: Timestamp?) {
        let row = try tx.queryOne(
            "select coalesce(sum(records), 0)::bigint as records, min(ingested_at) as since from usage_unfolded"
        )
        return (try row?.get("records") ?? 0, try row?.optional("since"))
    }
}
