import Postgres
import Shared

/// Writes the rows of the levels that a plan names, each with a *place*: the number of the bucket that it is added to, or
/// of a pair of buckets, when the plan moves rows from one to another.
///
/// Each row is read and added up once, in its place; buckets are made of the places' sums.
struct ReportPlaces {
    /// What is added up.
    static let sums = UsageColumns.sums + [UsageColumns.corrections]

    /// Whether places are not buckets: the sums of a place are added to one, taken from another, or both.
    let moves: Bool
    private let plan: ReportPlan
    private var numbers: [Pair: Int32] = [:]

    private struct Pair: Hashable {
        let gains: Int64
        let loses: Int64
    }

    init(_ plan: ReportPlan) {
        self.plan = plan
        self.moves = plan.segments.values.contains { $0.contains { $0.loses > 0 } }
    }

    private mutating func number(of segment: ReportPlan.Segment) -> Int32 {
        guard self.moves else { return Int32(clamping: segment.gains) }
        let pair = Pair(gains: segment.gains, loses: segment.loses)
        if let number = self.numbers[pair] { return number }
        let number = Int32(clamping: self.numbers.count + 1)
        self.numbers[pair] = number
        return number
    }

    /// Segments of a level up to which each is a query of its own, planned for its bounds.
    private static let plannedSegments = 8

    /// Rows of `series_id`, `place` and the sums.
    mutating func writeRows(_ statement: inout SQLStatement) {
        var parts: [SQL] = []
        let columns = UsageColumns.list(Self.sums) { "l." + $0 }
        for level in UsageLevel.allCases {
            let segments = self.plan.segments[level] ?? []
            if Self.isRun(segments) {
                parts.append(self.read(&statement, segments, level, columns))
            } else if segments.count <= Self.plannedSegments {
                for segment in segments { parts.append(self.read(&statement, [segment], level, columns)) }
            } else {
                parts.append(self.readMany(&statement, segments, level, columns))
            }
        }
        // A period before anything was used has rows of no level.
        statement +=
            parts.isEmpty
            ? "select l.series_id, 0 as place, " + columns + " from usage_day l where false"
            : SQL.joined(parts, " union all ")
    }

    /// Rows of `place`, `bucket` and `sign`, after the rows were written.
    func writeBuckets(_ statement: inout SQLStatement) {
        var rows: [(place: Int32, bucket: Int64, sign: Int64)] = []
        for (pair, place) in self.numbers.sorted(by: { $0.value < $1.value }) {
            if pair.gains > 0 { rows.append((place, pair.gains, 1)) }
            if pair.loses > 0 { rows.append((place, pair.loses, -1)) }
        }
        let (places, buckets) = (rows.map { Int64($0.place) }, rows.map(\.bucket))
        statement += "(select place::int, bucket::int, sign from unnest(" + statement.bind(places) + "::bigint[], "
        statement += statement.bind(buckets) + "::bigint[], " + statement.bind(rows.map(\.sign))
        statement += "::bigint[]) x (place, bucket, sign))"
    }

    /// Whether the segments follow each other without a gap.
    private static func isRun(_ segments: [ReportPlan.Segment]) -> Bool {
        !segments.isEmpty && zip(segments, segments.dropFirst()).allSatisfy { $0.to == $1.from }
    }

    /// Segments that follow each other, in one scan; each has a place.
    private mutating func read(
        _ statement: inout SQLStatement, _ run: [ReportPlan.Segment], _ level: UsageLevel, _ columns: SQL
    ) -> SQL {
        guard let first = run.first, let last = run.last else { return "" }
        let place: SQL
        if run.count == 1 {
            place = statement.bind(self.number(of: first)) + "::int"
        } else {
            // A binary search in arrays that are made once: by far cheaper than a time zone's rules for each row.
            let starts = statement.bind(run.map(\.from.microseconds))
            let places = statement.bind(run.map { Int64(self.number(of: $0)) })
            place =
                "((select array_agg(b::int order by o) from unnest(" + places
                + "::bigint[]) with ordinality x (b, o)))[width_bucket(l.starts_at, (select array_agg(timestamptz 'epoch'"
                + " + b * interval '1 microsecond' order by b) from unnest(" + starts + "::bigint[]) b))]"
        }
        return "select l.series_id, " + place + " as place, " + columns + " from " + level.table
            + " l where l.starts_at >= " + statement.bind(first.from) + " and l.starts_at < " + statement.bind(last.to)
    }

    /// Segments with gaps in between, one after the other by the index of time.
    private mutating func readMany(
        _ statement: inout SQLStatement, _ segments: [ReportPlan.Segment], _ level: UsageLevel, _ columns: SQL
    ) -> SQL {
        let starts = statement.bind(segments.map(\.from.microseconds))
        let ends = statement.bind(segments.map(\.to.microseconds))
        let places = statement.bind(segments.map { Int64(self.number(of: $0)) })
        return "select l.series_id, t.place::int as place, " + columns + " from unnest(" + starts + "::bigint[], "
            + ends
            + "::bigint[], " + places + "::bigint[]) t (a, b, place) cross join lateral (select * from " + level.table
            + " where starts_at >= timestamptz 'epoch' + t.a * interval '1 microsecond' and starts_at < timestamptz"
            + " 'epoch' + t.b * interval '1 microsecond' offset 0) l"
    }
}
