/// How results are shown.
package enum OutputFormat: Sendable, Equatable {
    case table, wide, json, name, csv
    /// One member of each result, without quotes: `value=secret`.
    case value(String)

    package init?(_ text: String) {
        switch text {
        case "table": self = .table
        case "wide": self = .wide
        case "json": self = .json
        case "name": self = .name
        case "csv": self = .csv
        default:
            guard text.hasPrefix("value="), text.count > 6 else { return nil }
            self = .value(String(text.dropFirst(6)))
        }
    }

    package static let names = ["table", "wide", "json", "name", "csv", "value="]
}
