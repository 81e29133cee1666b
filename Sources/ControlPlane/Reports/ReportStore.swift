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
        // Days have a row for each group, and there are many groups.
        var width = max(query.bucket == .day || query.bucket == .month ? 8 : 24, boundaries.count / 16)
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
                    "This report needs the sums by \(level.title) since \(first); they are kept since \(before)."
                        + " Ask from then on, or for whole \(level == .minute ? "hours" : "days") of UTC.",
                    pointer: "from"
                )
            }
        }
    }

    /// For the statements of a report, until the end of the transaction: they are too short to be worth compiling, and
    /// many groups are added up in memory.
    static func prepare(_ tx: inout Transaction) throws {
        _ = try tx.execute("set local jit = off")
        _ = try tx.execute("set local work_mem = '32MB'")
    }

    /// The statement that reads a part of a page.
    ///
    /// Rows are added up by place and group; what is added to one bucket and taken from another is so once it is a sum.
    package static func statement(
        _ query: ReportQuery, _ grid: TimeGrid, _ part: Range<Int>, limit: Int
    ) -> SQLStatement {
        var statement = SQLStatement()
        if query.groups.contains(.unit) { Self.writeUnits(&statement, query) }
        let groups =
            query.groups.map { SQL(identifier: $0.rawValue) }
            + query.tagNames.indices.map { ReportTagGroups.column($0) }
        let hasBuckets = grid.boundaries != nil
        let names = (hasBuckets ? ["bucket"] : []) + groups
        let keys = SQL.joined(names, ", ")
        var places = ReportPlaces(Self.plan(query, grid, part))
        statement += "select * from ("
        if places.moves {
            statement += "select " + (hasBuckets ? "v.bucket, " : "")
            for name in groups { statement += "m." + name + ", " }
            statement +=
                UsageColumns.list(ReportPlaces.sums) { "usage_sum(m." + $0 + " * v.sign) as " + $0 } + " from ("
            Self.writeSums(&statement, query, &places, names: ["place"] + groups)
            statement += ") m join "
            places.writeBuckets(&statement)
            statement += " v (place, bucket, sign) on v.place = m.place" + (names.isEmpty ? "" : " group by " + keys)
            // What was added and taken away again is not there.
            statement += " having usage_sum(m.requests * v.sign) <> 0"
        } else {
            Self.writeSums(&statement, query, &places, names: names)
            statement += " having usage_sum(r.requests) <> 0"
        }
        statement += ") g"
        guard !names.isEmpty else { return statement }
        if let cursor = query.cursor { Self.writeCursor(&statement, cursor, query, keys) }
        statement += " order by " + keys + " limit " + statement.bind(limit)
        return statement
    }

    /// The sums of what the filter lets through, by groups, and by place when the first name is of one.
    private static func writeSums(
        _ statement: inout SQLStatement, _ query: ReportQuery, _ places: inout ReportPlaces, names: [SQL]
    ) {
        statement += "select "
        if names.count > query.groups.count + query.tagNames.count, let place = names.first {
            statement += "r.place as " + place + ", "
        }
        for dimension in query.groups {
            statement += Self.expression(dimension) + " as " + SQL(identifier: dimension.rawValue) + ", "
        }
        for expression in ReportTagGroups.expressions(&statement, query.tagNames) { statement += expression + ", " }
        statement += UsageColumns.list(ReportPlaces.sums) { "usage_sum(r." + $0 + ") as " + $0 } + " from ("
        places.writeRows(&statement)
        statement += ") r join usage_series s on s.id = r.series_id"
        if query.groups.contains(.unit) { statement += " left join units u on u.project_id = s.project_id" }
        if !query.tagNames.isEmpty { statement += " left join usage_tag_set t on t.id = s.tag_set_id" }
        let conditions = query.filter.conditions(&statement, on: "s")
        if !conditions.isEmpty { statement += " where " + SQL.joined(conditions, " and ") }
        if !names.isEmpty { statement += " group by " + SQL.joined(names, ", ") }
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
