import Postgres
package import Shared

extension UsageReading {
    /// Records in the order in which they were ingested.
    ///
    /// The records of a day are many and have no index by position: they are walked in windows of arrival, the next
    /// one wider than the one before, until the page is full. So a page costs what lies before its end, not the table.
    package func records(
        _ filter: Filter, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<UsageEntry> {
        let after = page.after.map { UsageEntry.Position($0) }
        let windows = Self.windows(filter, after: after, now: context.time)
        let found = try await self.reads.perform(.usageRead, as: context) { tx, sight in
            var filter = filter
            filter.of.sight = sight
            var found: [UsageEntry] = []
            for window in windows where found.count < page.fetchLimit {
                found += try Self.records(&tx, filter, in: window, after: after, limit: page.fetchLimit - found.count)
            }
            return try UsageEntry.corrected(found, &tx)
        }
        return Page(found, page, position: \.position)
    }

    /// The record of one request, which answers carry in `x-request-id`.
    package func record(_ request: RequestID, as context: OperationContext) async throws -> UsageEntry {
        let page = try await self.records(Filter(request: request), PageRequest(limit: 1), as: context)
        guard let found = page.items.first else { throw ControlError.notFound("finished request") }
        return found
    }

    /// Seconds of the first window, and by how much each next one is wider.
    static let firstWindow: Int64 = 900
    static let growth: Int64 = 4
    /// Seconds of arrival that a list without `from` goes back.
    static let defaultPeriod: Int64 = 86_400
    /// Seconds by which a gateway's clock may be ahead of ours, and another replica's.
    static let clockTolerance: Int64 = 86_400
    static let replicaTolerance: Int64 = 3600

    /// Arrivals from the first that can be wanted until later than now, in windows that grow: fewer than twenty.
    static func windows(_ filter: Filter, after: UsageEntry.Position?, now: Timestamp) -> [Range<Timestamp>] {
        var start = (filter.to ?? now).adding(seconds: -Self.defaultPeriod)
        if let from = filter.from {
            start = from.adding(seconds: -Self.clockTolerance)
        } else if let made = filter.request?.value.version7Time {
            start = made.adding(seconds: -Self.clockTolerance)
        }
        if let after { start = filter.from == nil ? after.arrival : max(start, after.arrival) }
        let end = now.adding(seconds: Self.replicaTolerance)
        var windows: [Range<Timestamp>] = []
        var width = Self.firstWindow
        while start < end {
            let next = min(start.adding(seconds: width), end)
            windows.append(start..<next)
            start = next
            width *= Self.growth
        }
        return windows
    }

    private static func records(
        _ tx: inout Transaction, _ filter: Filter, in window: Range<Timestamp>, after: UsageEntry.Position?, limit: Int
    ) throws -> [UsageEntry] {
        var statement = SQLStatement()
        statement += "select * from usage_event where ingested_at >= " + statement.bind(window.lowerBound)
        statement += " and ingested_at < " + statement.bind(window.upperBound)
        for condition in filter.of.conditions(&statement, on: "usage_event") { statement += " and " + condition }
        if let request = filter.request { statement += " and request_id = " + statement.bind(request) }
        if let from = filter.from { statement += " and started_at >= " + statement.bind(from) }
        if let to = filter.to { statement += " and started_at < " + statement.bind(to) }
        if let after {
            let place = [statement.bind(after.arrival), statement.bind(after.stream), statement.bind(after.sequence)]
            statement += " and (ingested_at, stream_id, seq) > (" + SQL.joined(place, ", ") + ")"
        }
        statement += " order by ingested_at, stream_id, seq limit " + statement.bind(limit)
        return try UsageEntry.read(try tx.query(statement), &tx)
    }
}

extension UUIDValue {
    /// When a version 7 identifier was made; nil for another one.
    var version7Time: Timestamp? {
        guard self.high >> 12 & 0xF == 7 else { return nil }
        return Timestamp(microseconds: Int64(self.high >> 16) * 1000)
    }
}
