package import Postgres
import Shared

/// A level of the roll-ups: sums of usage by series and by minute, hour, quarter of a day or day (UTC); finest first.
package enum UsageLevel: String, Sendable, CaseIterable {
    case minute, hour
    case quarterDay = "quarter_day"
    case day

    package var table: SQL {
        switch self {
        case .minute: "usage_minute"
        case .hour: "usage_hour"
        case .quarterDay: "usage_quarter_day"
        case .day: "usage_day"
        }
    }

    /// As people call it.
    var title: String {
        switch self {
        case .minute: "minute"
        case .hour: "hour"
        case .quarterDay: "quarter of a day"
        case .day: "day"
        }
    }

    /// The beginning of the row that an instant is in.
    func beginning(_ instant: SQL) -> SQL {
        switch self {
        case .minute: "date_trunc('minute', " + instant + ", 'UTC')"
        case .hour: "date_trunc('hour', " + instant + ", 'UTC')"
        case .quarterDay: "date_bin('6 hours', " + instant + ", timestamptz 'epoch')"
        case .day: "date_trunc('day', " + instant + ", 'UTC')"
        }
    }

    /// Seconds of one row.
    package var seconds: Int64 {
        switch self {
        case .minute: 60
        case .hour: 3600
        case .quarterDay: 21_600
        case .day: 86_400
        }
    }

    /// Seconds of the past whose sums the quick check of the ledger reads; late usage before that is seen by a whole one.
    ///
    /// So long that it is rare, so short that the rows read are few: there are 1440 times as many by minute as by day.
    var openSeconds: Int64 {
        switch self {
        case .minute: 6 * 3600
        case .hour: 3 * 86_400
        case .quarterDay: 5 * 86_400
        case .day: 7 * 86_400
        }
    }
}

/// The columns of usage that more than one statement names: a new meter is a new case of `Meter` and a column of that
/// name in `usage_event` and in each level's table.
enum UsageColumns {
    /// What tells one series from another: columns of `usage_event`, and whether they can be null there.
    static let dimensions: [(name: String, isOptional: Bool)] = [
        ("organization_id", false), ("project_id", false), ("key_id", false), ("owner_id", true), ("model_id", true),
        ("provider_id", true), ("gateway_id", false), ("outcome", false), ("status", false),
        ("tag_set_id", false),
    ]

    /// Columns of units, in the order of the meters.
    static let units = UsageEntry.unitColumns

    /// Columns of a level's table that are added up when records are folded.
    static let sums = ["requests", "refusals", "estimates"] + Self.units + ["cost_nano_usd"]

    /// What re-ratings changed of the cost, in each level's table.
    static let corrections = "corrections_nano_usd"

    /// One piece of SQL for each column, with commas in between.
    static func list(_ columns: [String], _ piece: (SQL) -> SQL = { $0 }) -> SQL {
        SQL.joined(columns.map { piece(SQL(identifier: $0)) }, ", ")
    }
}

extension SQL {
    static func joined(_ pieces: [SQL], _ separator: SQL) -> SQL {
        guard var result = pieces.first else { return "" }
        for piece in pieces.dropFirst() { result += separator + piece }
        return result
    }
}
