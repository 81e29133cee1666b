import Postgres
import Shared

/// Reports of what was used, from the sums of each level.
package struct UsageReports: Sendable {
    private let reads: Reads
    private let zones = TimeZones()

    package init(reads: Reads) { self.reads = reads }

    /// One page, from one state of the database.
    ///
    /// - Parameter months: whether the months of the period are wanted.
    package func page(
        _ query: ReportQuery, as context: OperationContext, months: Bool = false
    ) async throws -> ReportPage {
        let zones = self.zones
        let now = context.time
        return try await self.reads.perform(.usageRead, as: context, .repeatableReadOnly) { tx, sight in
            var query = query
            query.filter.sight = sight
            try ReportStore.prepare(&tx)
            try zones.check(query.timeZone, &tx)
            let grid = try TimeGrid.make(&tx, query, now: now)
            try ReportStore.checkKept(&tx, query, grid)
            let found = try ReportStore.rows(&tx, query, grid)
            let rows = Array(found.prefix(query.limit))
            var cursor: String?
            if found.count > query.limit, let last = rows.last {
                cursor = ReportCursor(
                    from: grid.from, to: grid.to, bucket: last.bucket, values: last.values, tags: last.tags
                )
                .text(groups: query.groups, tagNames: query.tagNames)
            }
            var monthGrid: TimeGrid?
            if months {
                var monthly = query
                monthly.bucket = .month
                monthly.cursor = ReportCursor(from: grid.from, to: grid.to, bucket: 1, values: [])
                monthGrid = try TimeGrid.make(&tx, monthly, now: now)
            }
            return ReportPage(
                query: query, grid: grid, rows: rows, nextCursor: cursor,
                names: try ReportNames.load(&tx, rows, query.groups),
                asOf: min(try RollupStore.backlog(&tx).since ?? now, now), months: monthGrid
            )
        }
    }
}

/// The names of what the rows of a page name.
enum ReportNames {
    static func load(
        _ tx: inout Transaction, _ rows: [ReportRow], _ groups: [ReportDimension]
    ) throws -> [UUIDValue: String] {
        var names: [UUIDValue: String] = [:]
        for (index, dimension) in groups.enumerated() {
            if dimension == .tags {
                let ids = Set(rows.map { Int64(clamping: $0.values[index].low) })
                for (id, text) in try UsageTagSets.texts(&tx, ids) {
                    names[UUIDValue(high: 0, low: UInt64(clamping: id))] = text
                }
                continue
            }
            guard let statement = Self.statement(dimension) else { continue }
            let ids = Set(rows.map { $0.values[index] }).map { SQLUUID(high: $0.high, low: $0.low) }
            for row in try tx.query(statement, ids) { names[try row.get("id")] = try row.get("name") }
        }
        return names
    }

    private static func statement(_ dimension: ReportDimension) -> SQL? {
        switch dimension {
        case .organization, .unit, .project: "select id, name from scope_node where id = any ($1)"
        case .key: "select id, name from virtual_key where id = any ($1)"
        case .model: "select id, name from model where id = any ($1)"
        case .provider: "select id, name from provider where id = any ($1)"
        case .gateway: "select id, name from gateway where id = any ($1)"
        // Users have no names here yet; numbers are their own.
        case .user, .status, .outcome, .tags: nil
        }
    }
}
