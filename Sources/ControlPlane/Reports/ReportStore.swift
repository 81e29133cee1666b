package import Postgres
import Shared

/// The SQL of reports.
package enum ReportStore {
    /// The rows of a page, and one more when there are more.
    ///
    /// Rows are in the order of their buckets: a part of the buckets is read, and twice as many next, until the page is
    /// full. So a page costs what is in it, and not the whole period.
    static func rows(_ tx: inout Transaction, _ query: ReportQuery, _ grid: TimeGrid) throws -> [ReportRow] {
        var rows: [ReportRow] = []
        for part in Self.parts(query, grid) {
            let statement = Self.statement(query, grid, part, limit: query.limit + 1 - rows.count)
            rows += try tx.query(statement).map { try ReportRow($0, query, grid) }
            if rows.count > query.limit { break }
        }
        return rows
    }

    /// Buckets that are read at once, by their indices: fewer than ten parts.
    package static func parts(_ query: ReportQuery, _ grid: TimeGrid) -> [Range<Int>] {
        guard let boundaries = grid.boundaries else { return [0..<1] }
        var next = query.cursor.map { max(0, min(Int($0.bucket) - 1, boundaries.count)) } ?? 0
        var width = max(24, boundaries.count / 16)
        var parts: [Range<Int>] = []
        while next < boundaries.count {
            parts.append(next..<min(next + width, boundaries.count))
            next += width
            width *= 2
        }
        return parts
    }

    /// Which sums a part of the buckets is read from.
    static func plan(_ query: ReportQuery, _ grid: TimeGrid, _ part: Range<Int>) -> ReportPlan {
        guard let boundaries = grid.boundaries else {
            return ReportPlan(
                boundaries: [grid.from], from: grid.from, to: grid.to,
                byDay: grid.to.seconds - grid.from.seconds > 2 * 86_400)
        }
        let from = part.lowerBound == 0 ? grid.from : max(grid.from, boundaries[part.lowerBound])
        let to = part.upperBound < boundaries.count ? min(grid.to, boundaries[part.upperBound]) : grid.to
        return ReportPlan(
            boundaries: boundaries, from: from, to: to, byDay: query.bucket == .day || query.bucket == .month)
    }

    /// Refuses a report of sums that are no longer kept: it would be less than what was used.
    static func checkKept(_ tx: inout Transaction, _ query: ReportQuery, _ grid: TimeGrid) throws {
        let dropped = try UsageRetentionStore.dropped(&tx)
        guard !dropped.isEmpty else { return }
        for part in Self.parts(query, grid) {
            let plan = Self.plan(query, grid, part)
            for level in UsageLevel.allCases {
                guard let before = dropped[level]?.before,
                    let first = plan.segments[level]?.map(\.from).min(), first < before
                else { continue }
                throw ControlError(
                    .invalid, "not_kept",
                    "This report needs the sums by \(level.rawValue) since \(first); they are kept since \(before)."
                        + " Ask from then on, or for whole \(level == .minute ? "hours" : "days") of UTC.",
                    pointer: "from"
                )
            }
        }
    }

    /// The statement that reads a part of a page.
    package static func statement(
        _ query: ReportQuery, _ grid: TimeGrid, _ part: Range<Int>, limit: Int
    ) -> SQLStatement {
        var statement = SQLStatement()
        if query.groups.contains(.unit) { Self.writeUnits(&statement, query) }
        statement += "select * from (select "
        var names: [SQL] = []
        if grid.boundaries != nil {
            statement += "r.bucket, "
            names.append("bucket")
        }
        for dimension in query.groups {
            let name = SQL(identifier: dimension.rawValue)
            statement += Self.expression(dimension) + " as " + name + ", "
            names.append(name)
        }
        for (index, expression) in ReportTagGroups.expressions(&statement, query.tagNames).enumerated() {
            statement += expression + ", "
            names.append(ReportTagGroups.column(index))
        }
        statement += UsageColumns.list(UsageColumns.sums) { "coalesce(sum(r." + $0 + "), 0)::bigint as " + $0 }
        statement += " from ("
        Self.writeLevels(&statement, Self.plan(query, grid, part))
        statement += ") r join usage_series s on s.id = r.series_id"
        if query.groups.contains(.unit) { statement += " left join units u on u.project_id = s.project_id" }
        if !query.tagNames.isEmpty { statement += " left join usage_tag_set t on t.id = s.tag_set_id" }
        let conditions = query.filter.conditions(&statement, on: "s")
        if !conditions.isEmpty { statement += " where " + SQL.joined(conditions, " and ") }
        // What was added and taken away again is not there.
        let keys = SQL.joined(names, ", ")
        statement += names.isEmpty ? "" : " group by " + keys
        statement += " having sum(r.requests) <> 0) g"
        guard !names.isEmpty else { return statement }
        if let cursor = query.cursor { Self.writeCursor(&statement, cursor, query, keys) }
        statement += " order by " + keys + " limit " + statement.bind(limit)
        return statement
    }

    private static func expression(_ dimension: ReportDimension) -> SQL {
        switch dimension {
        case .organization: "s.organization_id"
        case .unit: "coalesce(u.unit_id, '00000000-0000-0000-0000-000000000000')"
        case .project: "s.project_id"
        case .key: "s.key_id"
        case .user: "s.owner_id"
        case .model: "s.model_id"
        case .provider: "s.provider_id"
        case .gateway: "s.gateway_id"
        case .status: "s.status"
        case .outcome: "s.outcome"
        case .tags: "s.tag_set_id"
        }
    }

    /// The unit of each project that has usage: the deepest one above it that is not too deep.
    private static func writeUnits(_ statement: inout SQLStatement, _ query: ReportQuery) {
        let depth = statement.bind(query.unitDepth)
        statement += """
            with units as materialized (
                select p.project_id, (
                    select n.id from scope_closure c join scope_node n on n.id = c.ancestor_id and n.kind = 'unit'
                    join scope_closure o on o.ancestor_id = n.organization_id and o.descendant_id = n.id
                    where c.descendant_id = p.project_id and o.depth <=
            """
        statement += " " + depth + " order by o.depth desc limit 1) as unit_id"
        statement += " from (select distinct project_id from usage_series"
        if let organization = query.filter.organization {
            statement += " where organization_id = " + statement.bind(organization)
        }
        statement += ") p) "
    }

    /// Corrections of a level up to which each is a query of its own, planned for its bounds.
    private static let plannedSegments = 8

    /// Rows of `series_id`, `bucket` and the sums, each added once or taken away once.
    private static func writeLevels(_ statement: inout SQLStatement, _ plan: ReportPlan) {
        var parts: [SQL] = []
        let columns = UsageColumns.list(UsageColumns.sums) { "l." + $0 }
        for level in UsageLevel.allCases {
            let segments = plan.segments[level] ?? []
            let isPlain = segments.allSatisfy { $0.loses == 0 && $0.gains > 0 }
            if isPlain, let run = Self.run(segments) {
                parts.append(Self.read(&statement, run, level, columns))
            } else if isPlain, segments.count <= Self.plannedSegments {
                for segment in segments {
                    parts.append(Self.read(&statement, [segment], level, columns))
                }
            } else if !segments.isEmpty {
                parts.append(Self.move(&statement, segments, level))
            }
        }
        // A period before anything was used has rows of no level.
        statement +=
            parts.isEmpty
            ? "select l.series_id, 0 as bucket, " + columns + " from usage_day l where false"
            : SQL.joined(parts, " union all ")
    }

    /// The segments when they follow each other without a gap; else nil.
    private static func run(_ segments: [ReportPlan.Segment]) -> [ReportPlan.Segment]? {
        for (one, next) in zip(segments, segments.dropFirst()) where one.to != next.from { return nil }
        return segments.isEmpty ? nil : segments
    }

    /// Segments that follow each other, in one scan; each is a bucket.
    private static func read(
        _ statement: inout SQLStatement, _ run: [ReportPlan.Segment], _ level: UsageLevel, _ columns: SQL
    ) -> SQL {
        guard let first = run.first, let last = run.last else { return "" }
        let (from, to) = (statement.bind(first.from), statement.bind(last.to))
        var bucket = statement.bind(Int32(clamping: first.gains)) + "::int"
        if run.count > 1 {
            // A binary search in arrays that are made once: by far cheaper than a time zone's rules for each row.
            let starts = statement.bind(run.map(\.from.microseconds))
            let buckets = statement.bind(run.map(\.gains))
            bucket =
                "((select array_agg(b::int order by o) from unnest(" + buckets
                + "::bigint[]) with ordinality x (b, o)))[width_bucket(l.starts_at, (select array_agg(timestamptz 'epoch'"
                + " + b * interval '1 microsecond' order by b) from unnest(" + starts + "::bigint[]) b))]"
        }
        return "select l.series_id, " + bucket + " as bucket, " + columns + " from " + level.table
            + " l where l.starts_at >= " + from + " and l.starts_at < " + to
    }

    /// Segments that are added to one bucket and taken from another, one after the other by the index of time.
    private static func move(
        _ statement: inout SQLStatement, _ segments: [ReportPlan.Segment], _ level: UsageLevel
    ) -> SQL {
        let starts = statement.bind(segments.map(\.from.microseconds))
        let ends = statement.bind(segments.map(\.to.microseconds))
        let (gains, loses) = (statement.bind(segments.map(\.gains)), statement.bind(segments.map(\.loses)))
        return "select l.series_id, v.bucket::int as bucket, "
            + UsageColumns.list(UsageColumns.sums) { "l." + $0 + " * v.sign as " + $0 }
            + " from unnest(" + starts + "::bigint[], " + ends + "::bigint[], " + gains + "::bigint[], " + loses
            + "::bigint[]) t (a, b, gains, loses) cross join lateral (select * from " + level.table
            + " where starts_at >= timestamptz 'epoch' + t.a * interval '1 microsecond' and starts_at < timestamptz"
            + " 'epoch' + t.b * interval '1 microsecond' offset 0) l cross join lateral (values (t.gains, 1::bigint),"
            + " (t.loses, -1::bigint)) v (bucket, sign) where v.bucket > 0"
    }

    /// Groups after those of the cursor, in the order of the rows.
    private static func writeCursor(
        _ statement: inout SQLStatement, _ cursor: ReportCursor, _ query: ReportQuery, _ keys: SQL
    ) {
        var places: [SQL] = []
        if query.bucket != nil { places.append(statement.bind(Int32(clamping: cursor.bucket))) }
        for (dimension, value) in zip(query.groups, cursor.values) {
            if dimension == .tags {
                places.append(statement.bind(Int64(clamping: value.low)))
                continue
            }
            places.append(
                dimension.isIdentifier ? statement.bind(value) : statement.bind(Int32(clamping: value.low)))
        }
        for tag in cursor.tags { places.append(statement.bind(tag)) }
        statement += " where (" + keys + ") > (" + SQL.joined(places, ", ") + ")"
    }
}
