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
    private static let dimensionNumbers = SQL.joined(
        (1...UsageColumns.dimensions.count).map { SQL(number: $0) }, ", ")
    private static let sameSeries = SQL.joined(
        UsageColumns.dimensions.map { "s." + SQL(identifier: $0.name) + " = c." + SQL(identifier: $0.name) }, " and ")

    /// Whether the series `s` is that of the record `e`.
    static let isSeriesOfRecord = SQL.joined(
        UsageColumns.dimensions.map { "s." + SQL(identifier: $0.name) + " = " + Self.value($0) }, " and ")

    /// Makes the series that the batches' records have and that are not there; in order, since whoever else makes one of
    /// them waits.
    private static let insertSeries: SQL =
        "insert into usage_series (" + Self.dimensionNames + ") select distinct " + Self.dimensions + " from "
        + Self.records + " order by " + Self.dimensionNumbers + " on conflict do nothing"

    /// What is added up, as expressions over `e`.
    private static let sums: SQL =
        "count(*) as requests, count(*) filter (where e.outcome = $7) as refusals,"
        + " count(*) filter (where e.estimate) as estimates, "
        + UsageColumns.list(UsageColumns.units + ["cost_nano_usd"]) { "usage_sum(e." + $0 + ") as " + $0 }

    /// The rest of a `with` that has rows of `minute_sums` (`starts_at`, `series_id`, the columns): the sums of each
    /// coarser level, and adding all of them to what is there.
    private static func addToLevels(_ columns: [String]) -> SQL {
        var text: SQL = ""
        var finer: SQL?
        for level in UsageLevel.allCases {
            let sums = SQL(identifier: "\(level.rawValue)_sums")
            if let finer {
                text +=
                    ", " + sums + " as materialized (select " + level.beginning("starts_at")
                    + " as starts_at, series_id, "
                    + UsageColumns.list(columns) { "usage_sum(" + $0 + ") as " + $0 } + " from " + finer
                    + " group by 1, 2)"
            }
            text +=
                ", " + SQL(identifier: "by_\(level.rawValue)") + " as (insert into " + level.table
                + " as l (starts_at, series_id, " + UsageColumns.list(columns) + ") select starts_at, series_id, "
                + UsageColumns.list(columns) + " from " + sums
                + " order by starts_at, series_id on conflict (series_id, starts_at) do update set "
                + UsageColumns.list(columns) { $0 + " = l." + $0 + " + excluded." + $0 } + " returning 1)"
            finer = sums
        }
        return text
    }

    /// One statement: the batches are no longer waiting, and their records are in every level.
    private static let foldBatches: SQL =
        "with cells as materialized (select " + UsageLevel.minute.beginning("e.started_at") + " as starts_at, "
        + Self.dimensions + ", " + Self.sums + " from " + Self.records + " group by "
        + SQL.joined((1...(1 + UsageColumns.dimensions.count)).map { SQL(number: $0) }, ", ")
        + "), minute_sums as materialized (select c.starts_at, s.id as series_id, "
        + UsageColumns.list(UsageColumns.sums) { "c." + $0 } + " from cells c join usage_series s on "
        + Self.sameSeries + ")" + Self.addToLevels(UsageColumns.sums)
        + ", folded as (delete from usage_unfolded u using unnest($1::uuid[], $2::bigint[]) b (stream_id, from_seq)"
        + " where b.stream_id = u.stream_id and b.from_seq = u.from_seq)"
        + " select coalesce(sum(requests), 0)::bigint as records from minute_sums"

    /// The parameters of `records`.
    private struct Arrays {
        let streams: [SQLUUID]
        let froms: [Int64]
        let tos: [Int64]
        let arrivals: [Int64]
        let first: Timestamp
        let last: Timestamp

        /// Nil of none.
        init?(_ batches: [Batch]) {
            guard let first = batches.map(\.ingestedAt).min(), let last = batches.map(\.ingestedAt).max() else {
                return nil
            }
            (self.first, self.last) = (first, last)
            self.streams = batches.map { SQLUUID(high: $0.stream.high, low: $0.stream.low) }
            (self.froms, self.tos) = (batches.map(\.from), batches.map(\.to))
            self.arrivals = batches.map(\.ingestedAt.microseconds)
        }
    }

    /// Does something with records, planned for many.
    ///
    /// Today's partition has no statistics at first: the planner then takes few rows for what are many, and compares each
    /// with each batch. What is joined here is always worth a hash, and nothing is worth to be compiled.
    private static func planned<Value>(
        _ tx: inout Transaction, _ body: (inout Transaction) throws -> Value
    ) throws -> Value {
        _ = try tx.execute("set local enable_nestloop = off")
        _ = try tx.execute("set local jit = off")
        let value = try body(&tx)
        _ = try tx.execute("set local enable_nestloop = on")
        return value
    }

    /// - Returns: how many records were added to each level.
    static func fold(_ tx: inout Transaction, _ batches: [Batch]) throws -> Int64 {
        guard let arrays = Arrays(batches) else { return 0 }
        return try Self.planned(&tx) { tx in
            _ = try tx.execute(
                Self.insertSeries, arrays.streams, arrays.froms, arrays.tos, arrays.arrivals, arrays.first, arrays.last)
            let row = try tx.queryOne(
                Self.foldBatches, arrays.streams, arrays.froms, arrays.tos, arrays.arrivals, arrays.first, arrays.last,
                Int32(RequestOutcome.refused.rawValue))
            return try row?.get("records") ?? 0
        }
    }

    /// The series of the records of batches, made where they were not there.
    static func series(_ tx: inout Transaction, of batches: [Batch]) throws -> [ReratingStore.Place: Int64] {
        guard let arrays = Arrays(batches) else { return [:] }
        return try Self.planned(&tx) { tx in
            _ = try tx.execute(
                Self.insertSeries, arrays.streams, arrays.froms, arrays.tos, arrays.arrivals, arrays.first, arrays.last)
            var found: [ReratingStore.Place: Int64] = [:]
            for row in try tx.query(
                "select e.stream_id, e.seq, (select s.id from usage_series s where " + Self.isSeriesOfRecord
                    + ") as series_id from " + Self.records,
                arrays.streams, arrays.froms, arrays.tos, arrays.arrivals, arrays.first, arrays.last)
            {
                found[.init(stream: try row.get("stream_id"), sequence: try row.get("seq"))] = try row.get("series_id")
            }
            return found
        }
    }

    /// The next re-ratings to be folded, of so many corrections together; at least one when any can be.
    ///
    /// In order, and none before the records that it corrects.
    static func waitingCorrections(_ tx: inout Transaction, corrections: Int64) throws -> [ReratingID] {
        try tx.query(
            """
            select rerating_id from (
                select rerating_id, number, sum(corrections) over (order by number) - corrections as before,
                    bool_or(exists (select from usage_unfolded u where u.ingested_at <= records_to))
                        over (order by number) as early
                from (select * from rerating_unfolded order by number limit 1000) oldest
            ) counted where before < $1::bigint and not early order by number
            """, corrections
        ).map { try $0.get("rerating_id") }
    }

    /// One statement: the re-ratings are no longer waiting, and their corrections are in every level.
    private static let foldCorrections: SQL =
        "with minute_sums as materialized (select " + UsageLevel.minute.beginning("started_at")
        + " as starts_at, series_id, usage_sum(after_nano_usd - before_nano_usd) as corrections_nano_usd"
        + " from usage_correction where rerating_id = any ($1::uuid[]) group by 1, 2)"
        + Self.addToLevels([UsageColumns.corrections])
        + ", folded as (delete from rerating_unfolded where rerating_id = any ($1::uuid[]) returning corrections)"
        + " select coalesce(sum(corrections), 0)::bigint as corrections from folded"

    /// - Returns: how many corrections were added to each level.
    static func fold(_ tx: inout Transaction, corrections reratings: [ReratingID]) throws -> Int64 {
        guard !reratings.isEmpty else { return 0 }
        let ids = reratings.map { SQLUUID(high: $0.value.high, low: $0.value.low) }
        return try tx.queryOne(Self.foldCorrections, ids)?.get("corrections") ?? 0
    }

    /// What waits: records and corrections, and since when the oldest of them is here.
    static func backlog(_ tx: inout Transaction) throws -> (records: Int64, corrections: Int64, since: Timestamp?) {
        let row = try tx.queryOne(
            """
            select records, corrections, least(since, corrected_since) as since from
                (select coalesce(sum(records), 0)::bigint as records, min(ingested_at) as since from usage_unfolded) u,
                (select coalesce(sum(corrections), 0)::bigint as corrections, min(created_at) as corrected_since
                    from rerating_unfolded) c
            """
        )
        return (try row?.get("records") ?? 0, try row?.get("corrections") ?? 0, try row?.optional("since"))
    }
}
