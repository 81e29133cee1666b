import Shared

/// How a report is written.
package enum ReportFormat: String, Sendable, CaseIterable {
    case json, csv, focus

    /// By the parameter, else by what the caller accepts first; JSON when that says nothing.
    package init(_ call: Call) {
        if let chosen = call.query["format"]?.string.flatMap({ ReportFormat(rawValue: $0) }) {
            self = chosen
            return
        }
        for part in (call.headers["accept"] ?? "").split(separator: ",") {
            let type = part.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
            if type == "text/csv" {
                self = .csv
                return
            }
            if type == "application/json" || type == "*/*" { break }
        }
        self = .json
    }
}

extension ReportPage {
    package var json: JSONValue {
        [
            "items": .array(self.rows.map(self.item)), "next_cursor": JSONValue(self.nextCursor),
            "from": JSONValue(self.grid.from), "to": JSONValue(self.grid.to),
            "time_zone": .string(self.query.timeZone), "as_of": JSONValue(self.asOf),
        ]
    }

    private func item(_ row: ReportRow) -> JSONValue {
        var item: [String: JSONValue] = [
            "from": JSONValue(row.from), "to": JSONValue(row.to), "requests": .integer(row.requests),
            "refusals": .integer(row.refusals), "estimates": .integer(row.estimates),
            "amount_nano_usd": .string(String(row.cost.amount)), "amount_usd": JSONValue(row.cost),
            "corrections_nano_usd": .string(String(row.corrections)),
        ]
        for (dimension, value) in zip(self.query.groups, row.values) {
            switch dimension {
            case .status: item["status"] = .integer(Int64(value.low))
            case .tags: item["tags"] = UsageTagSets.object(self.names[value])
            case .outcome, .user: item[dimension.rawValue] = JSONValue(dimension.text(value))
            default:
                item[dimension.rawValue] = JSONValue(dimension.text(value))
                item[dimension.rawValue + "_name"] = JSONValue(self.names[value])
            }
        }
        if !self.query.tagNames.isEmpty {
            let values = zip(self.query.tagNames, row.tags).map { ($0, $1.isEmpty ? JSONValue.null : .string($1)) }
            item["tags"] = .object(Dictionary(values) { first, _ in first })
        }
        var units: [String: JSONValue] = [:]
        for (name, count) in zip(UsageColumns.units, row.units) { units[name] = .integer(count) }
        item["units"] = .object(units)
        return .object(item)
    }

    package static let schema = Schema.object([
        .required("items", .list(of: .named("UsageSum", Self.itemSchema))),
        .required("next_cursor", .string(.length(1...ReportCursor.textLimit)).orNull),
        .required("from", .timestamp), .required("to", .timestamp), .required("time_zone", .string(.length(1...64))),
        .required("as_of", Schema.timestamp.described("What arrived until then is in it: usually a second or so ago.")),
    ])

    private static let itemSchema: Schema = {
        var members: [Schema.Member] = [
            .required("from", Schema.timestamp.described("Of this row's bucket; of the report without buckets.")),
            .required("to", .timestamp), .required("requests", .count), .required("refusals", .count),
            .required("estimates", Schema.count.described("Requests whose units are a bound.")),
            .required("units", UsageEntry.units), .required("amount_nano_usd", .decimal),
            .required("amount_usd", .string(.dollars)),
            .required(
                "corrections_nano_usd", Schema.signed.described("What of the amount re-ratings changed; it is in it.")),
            .optional("status", .integer(0...999)),
            .optional("outcome", .string(.length(1...32))), .optional("user", Schema.id(UserKind.self).orNull),
            .optional(
                "tags",
                Schema.map(valueLength: TagText.valueLimit, count: TagText.countLimit, nullValues: true)
                    .described("Those that are grouped by: null for none; or all that requests had.")),
        ]
        let kinds: [(ReportDimension, any IdentifierKind.Type)] = [
            (.organization, OrganizationKind.self), (.unit, UnitKind.self), (.project, ProjectKind.self),
            (.key, VirtualKeyKind.self), (.model, ModelKind.self), (.provider, ProviderKindID.self),
            (.gateway, GatewayKind.self),
        ]
        for (dimension, kind) in kinds {
            members.append(.optional(dimension.rawValue, Schema.string(.identifier([kind])).orNull))
            members.append(
                .optional(
                    dimension.rawValue + "_name",
                    Schema.string(.length(1...400)).orNull.described("Its name now; null when it is not known here.")))
        }
        return .object(members)
    }()

    /// A header, then a line for each row.
    package var csv: [UInt8] {
        var writer = CSVWriter()
        var header = ["from", "to"]
        for dimension in self.query.groups {
            header.append(dimension.rawValue)
            if dimension.hasName { header.append(dimension.rawValue + "_name") }
        }
        header += self.query.tagNames.map { ReportTagGroups.prefix + $0 }
        header += ["requests", "refusals", "estimates"] + UsageColumns.units
        header += ["amount_nano_usd", "amount_usd", "corrections_nano_usd"]
        writer.row(header.map { .value($0) })
        for row in self.rows {
            var cells: [CSVWriter.Cell] = [.value(row.from.description), .value(row.to.description)]
            for (dimension, value) in zip(self.query.groups, row.values) {
                if dimension == .tags {
                    cells.append(self.names[value].map { .text($0) } ?? .empty)
                    continue
                }
                cells.append(dimension.text(value).map { .value($0) } ?? .empty)
                if dimension.hasName { cells.append(self.names[value].map { .text($0) } ?? .empty) }
            }
            cells += row.tags.map { $0.isEmpty ? .empty : .text($0) }
            for number in [row.requests, row.refusals, row.estimates] + row.units {
                cells.append(.value(String(number)))
            }
            cells.append(.value(String(row.cost.amount)))
            cells.append(.value(row.cost.description))
            cells.append(.value(String(row.corrections)))
            writer.row(cells)
        }
        return writer.bytes
    }
}

extension ReportDimension {
    /// Whether what it groups by has a name of its own.
    var hasName: Bool { self.isIdentifier && self != .user }
}
