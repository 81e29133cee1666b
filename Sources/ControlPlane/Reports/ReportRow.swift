import Postgres
package import Shared

/// One row of a report: a bucket of time, the groups' values, the sums.
package struct ReportRow: Sendable {
    /// The number of the bucket, from 1 on; 0 without buckets.
    package let bucket: Int64
    package let from: Timestamp
    package let to: Timestamp
    /// In the order of the report's groups; the nil identifier stands for none.
    package let values: [UUIDValue]
    /// The values of the tags that are grouped by; empty for none.
    package let tags: [String]
    package let requests: Int64
    package let refusals: Int64
    package let estimates: Int64
    /// In the order of the meters.
    package let units: [Int64]
    /// With corrections.
    package let cost: NanoUSD
    /// What of the cost re-ratings changed, in nano-USD; signed.
    package let corrections: Int64

    init(_ row: Row, _ query: ReportQuery, _ grid: TimeGrid) throws {
        self.bucket = grid.boundaries == nil ? 0 : Int64(try row.get("bucket", as: Int32.self))
        let bounds = grid.bounds(of: self.bucket) ?? (grid.from, grid.to)
        // The first and the last bucket of a period are cut where it begins and ends.
        (self.from, self.to) = (max(bounds.from, grid.from), min(bounds.to, grid.to))
        self.values = try query.groups.map { dimension in
            if dimension == .tags {
                return UUIDValue(high: 0, low: UInt64(max(0, try row.get("tags", as: Int64.self))))
            }
            guard dimension.isIdentifier else {
                let number = try row.get(dimension.rawValue, as: Int32.self)
                return UUIDValue(high: 0, low: UInt64(max(0, number)))
            }
            return try row.get(dimension.rawValue, as: UUIDValue.self)
        }
        self.tags = try query.tagNames.indices.map { try row.get("tag_\($0 + 1)") }
        self.requests = try row.get("requests")
        self.refusals = try row.get("refusals")
        self.estimates = try row.get("estimates")
        self.units = try UsageColumns.units.map { try row.get($0) }
        self.corrections = try row.get(UsageColumns.corrections)
        self.cost = NanoUSD(try row.get("cost_nano_usd", as: Int64.self).addingSaturating(self.corrections))
    }

    /// The units of one meter.
    package subscript(meter: Meter) -> Int64 {
        UsageColumns.units.firstIndex(of: meter.name).map { self.units[$0] } ?? 0
    }
}

extension ReportDimension {
    /// A group's value as the API writes it; nil for none.
    package func text(_ value: UUIDValue) -> String? {
        let isNone = value == UUIDValue(high: 0, low: 0)
        switch self {
        case .status: return String(value.low)
        case .outcome: return RequestOutcome(rawValue: UInt8(clamping: value.low))?.name ?? "unknown"
        default: if isNone { return nil }
        }
        switch self {
        case .organization: return OrganizationID(value).description
        case .unit: return UnitID(value).description
        case .project: return ProjectID(value).description
        case .key: return VirtualKeyID(value).description
        case .user: return UserID(value).description
        case .model: return ModelID(value).description
        case .provider: return ProviderID(value).description
        case .gateway: return GatewayID(value).description
        case .status, .outcome, .tags: return nil
        }
    }
}

/// A page of a report.
package struct ReportPage: Sendable {
    package let query: ReportQuery
    package let grid: TimeGrid
    package let rows: [ReportRow]
    package let nextCursor: String?
    /// Names of what the rows name; of sets of tags their texts.
    package let names: [UUIDValue: String]
    /// What arrived until then is in it.
    package let asOf: Timestamp
    /// The months of the period in the report's time zone, for what is billed by the month; nil unless asked for.
    package let months: TimeGrid?
}
