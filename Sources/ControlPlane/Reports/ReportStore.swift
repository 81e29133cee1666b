package import Postgres
import Shared

/// The SQL of reports.
package enum ReportStore {
    /// The rows of a page, and one more when there are more.
    static func rows(_ tx: inout Transaction, _ query: ReportQuery, _ grid: TimeGrid) throws -> [ReportRow] {
        let statement = Self.statement(query, grid)
        return try tx.query(statement).map { try ReportRow($0, query.groups, grid) }
    }

    /// The statement that reads a page.
    package static func statement(_ query: ReportQuery, _ grid: TimeGrid) -> SQLStatement {
        let plan = Self.plan(query, grid)
        var statement = SQLStatement()
        if query.groups.contains(.unit) { Self.writeUnits(&statement, query) }
        statement += "select * from (select "
        var names: [SQL] = []
        if let boundaries = grid.boundaries {
            // A binary search in an array that is made once: by far cheaper than the time zone's rules for each row.
            let array = statement.bind(boundaries.map(\.microseconds))
            statement += "width_bucket(r.starts_at, (select array_agg(timestamptz 'epoch' + b * interval"
            statement += " '1 microsecond' order by b) from unnest(" + array + "::bigint[]) b)) as bucket, "
            names.append("bucket")
        }
        for dimension in query.groups {
            let name = SQL(identifier: dimension.rawValue)
            statement += Self.expression(dimension) + " as " + name + ", "
            names.append(name)
        }
        statement += UsageColumns.list(UsageColumns.sums) { "coalesce(sum(r." + $0 + "), 0)::bigint as " + $0 }
        statement += " from ("
        Self.writeLevels(&statement, plan)
        statement += ") r join usage_series s on s.id = r.series_id"
        if query.groups.contains(.unit) { statement += " left join units u on u.project_id = s.project_id" }
        let conditions = query.filter.conditions(&statement, on: "s")
        if !conditions.isEmpty { statement += " where " + SQL.joined(conditions, " and ") }
        guard !names.isEmpty else {
            statement += " having count(*) > 0) g"
            return statement
        }
        let keys = SQL.joined(names, ", ")
        statement += " group by " + keys + ") g"
        if let cursor = query.cursor { Self.writeCursor(&statement, cursor, query, keys) }
        statement += " order by " + keys + " limit " + statement.bind(query.limit + 1)
        return statement
    }

    /// Which sums a page is read from.
    static func plan(_ query: ReportQuery, _ grid: TimeGrid) -> ReportPlan {
        ReportPlan(boundaries: grid.boundaries ?? [grid.from], from: Self.start(query, grid), to: grid.to)
    }

    /// Refuses a report of sums that are no longer kept: it would be less than what was used.
    static func checkKept(_ tx: inout Transaction, _ query: ReportQuery, _ grid: TimeGrid) throws {
        let dropped = try UsageRetentionStore.dropped(&tx)
        let plan = Self.plan(query, grid)
        for level in UsageLevel.allCases {
            guard let before = dropped[level]?.before, let first = plan.segments[level]?.first, first.from < before
            else { continue }
            throw ControlError(
                .invalid, "not_kept",
                "This report needs the sums by \(level.rawValue) since \(first.from); they are kept since \(before)."
                    + " Ask from then on, or for whole \(level == .minute ? "hours" : "days") of UTC.",
                pointer: "from"
            )
        }
    }

    /// Where reading begins: pages after the first do not read the buckets before theirs.
    private static func start(_ query: ReportQuery, _ grid: TimeGrid) -> Timestamp {
        guard let cursor = query.cursor, let bounds = grid.bounds(of: cursor.bucket) else { return grid.from }
        return max(grid.from, bounds.from)
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

    /// Segments of a level up to which each is a query of its own, planned for its bounds.
    private static let plannedSegments = 40

    private static func writeLevels(_ statement: inout SQLStatement, _ plan: ReportPlan) {
        let columns = UsageColumns.list(UsageColumns.sums) { "l." + $0 }
        let head: SQL = "select l.series_id, l.starts_at, " + columns + " from "
        var parts: [SQL] = []
        for level in UsageLevel.allCases {
            let segments = plan.segments[level] ?? []
            guard segments.count > Self.plannedSegments else {
                for segment in segments {
                    let (from, to) = (statement.bind(segment.from), statement.bind(segment.to))
                    parts.append(
                        head + level.table + " l where l.starts_at >= " + from + " and l.starts_at < " + to)
                }
                continue
            }
            let starts = statement.bind(segments.map(\.from.microseconds))
            let ends = statement.bind(segments.map(\.to.microseconds))
            // One after the other, each by the index of time.
            parts.append(
                head + "unnest(" + starts + "::bigint[], " + ends + "::bigint[]) t (a, b) cross join lateral (select *"
                    + " from " + level.table + " where starts_at >= timestamptz 'epoch' + t.a * interval"
                    + " '1 microsecond' and starts_at < timestamptz 'epoch' + t.b * interval '1 microsecond'"
                    + " offset 0) l")
        }
        // A period before anything was used has rows of no level.
        statement += parts.isEmpty ? head + "usage_day l where false" : SQL.joined(parts, " union all ")
    }

    /// Groups after those of the cursor, in the order of the rows.
    private static func writeCursor(
        _ statement: inout SQLStatement, _ cursor: ReportCursor, _ query: ReportQuery, _ keys: SQL
    ) {
        var places: [SQL] = []
        if query.bucket != nil { places.append(statement.bind(Int32(clamping: cursor.bucket))) }
        for (dimension, value) in zip(query.groups, cursor.values) {
            places.append(
                dimension.isIdentifier ? statement.bind(value) : statement.bind(Int32(clamping: value.low)))
        }
        statement += " where (" + keys + ") > (" + SQL.joined(places, ", ") + ")"
    }
}
