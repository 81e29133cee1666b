package import Shared

/// What usage can be grouped by; the text form is the name in the API.
package enum ReportDimension: String, Sendable, CaseIterable {
    case organization, unit, project, key, user, model, provider, gateway, status, outcome
    /// All tags that a request had.
    case tags

    /// Whether a value is an identifier, and not a number.
    var isIdentifier: Bool { self != .status && self != .outcome && self != .tags }
}

/// The time that one row of a report is of.
package enum ReportBucket: String, Sendable, CaseIterable {
    case minute, hour, day, month

    /// Most buckets of one report.
    var limit: Int {
        switch self {
        case .minute: 1500
        case .hour: 800
        case .day: 1200
        case .month: 240
        }
    }

    /// Seconds before `to` that a report goes back without `from`.
    var defaultSeconds: Int64 {
        switch self {
        case .minute: 3600
        case .hour: 86_400
        case .day: 31 * 86_400
        case .month: 366 * 86_400
        }
    }
}

/// Which usage a report is of; nil does not narrow.
package struct ReportFilter: Sendable {
    package var organization: OrganizationID?
    /// With everything under it.
    package var unit: UnitID?
    package var project: ProjectID?
    package var key: VirtualKeyID?
    package var user: UserID?
    package var model: ModelID?
    package var provider: ProviderID?
    package var gateway: GatewayID?
    package var status: Int32?
    package var outcome: RequestOutcome?
    /// All of them hold.
    package var tags: [ReportTag]
    /// What of it the caller sees; nil for all of it.
    package var sight: Sight?

    /// - Parameter parameters: of the query, checked by their schemas.
    package init(_ parameters: [String: JSONValue]) {
        func id<Kind: IdentifierKind>(_ name: String) -> Identifier<Kind>? {
            parameters[name]?.string.flatMap { Identifier<Kind>($0) }
        }
        self.organization = id("organization")
        self.unit = id("unit")
        self.project = id("project")
        self.key = id("key")
        self.user = id("user")
        self.model = id("model")
        self.provider = id("provider")
        self.gateway = id("gateway")
        self.status = parameters["status"]?.integer.map { Int32(clamping: $0) }
        self.outcome = parameters["outcome"]?.string.flatMap { name in
            RequestOutcome.allCases.first { $0.name == name }
        }
        self.tags = parameters["tag"]?.string.flatMap { ReportTag.list($0) } ?? []
    }

    package static let parameters = [
        QueryParameter("organization", .id(OrganizationKind.self), "Of one organization."),
        QueryParameter("unit", .id(UnitKind.self), "Of everything under one unit."),
        QueryParameter("project", .id(ProjectKind.self), "Of one project."),
        QueryParameter("key", .id(VirtualKeyKind.self), "Of one virtual key."),
        QueryParameter("user", .id(UserKind.self), "Of the keys that one user owns."),
        QueryParameter("model", .id(ModelKind.self), "Of one model."),
        QueryParameter("provider", .id(ProviderKindID.self), "Of one provider."),
        QueryParameter("gateway", .id(GatewayKind.self), "Through one gateway."),
        QueryParameter(
            "status", .integer(0...999), "Answered to the client with this HTTP status; 0 when it was sent none."),
        QueryParameter("outcome", .string(.oneOf(RequestOutcome.allCases.map(\.name))), "Ended in this way."),
        ReportTag.parameter,
    ]
}

/// What is asked of the sums.
package struct ReportQuery: Sendable {
    package var groups: [ReportDimension]
    /// Tags whose values are groups, after the others; none when all tags are one.
    package var tagNames: [String]
    package var bucket: ReportBucket?
    package var timeZone: String
    /// Instants, or days in the time zone; nil for the default.
    package var from: String?
    package var to: String?
    package var filter: ReportFilter
    /// How deep under the organization a unit is at most that usage is grouped under.
    package var unitDepth: Int64
    package var limit: Int
    package var cursor: ReportCursor?

    package static let limits: ClosedRange<Int64> = 1...10_000
    static let defaultLimit: Int64 = 1000

    /// - Parameters:
    ///   - parameters: of the query, checked by their schemas.
    ///   - required: groups that there are in any case.
    package init(
        _ parameters: [String: JSONValue], required: [ReportDimension] = [], bucket: ReportBucket? = nil
    ) throws(ControlError) {
        (self.groups, self.tagNames) = try Self.groups(parameters, required)
        self.bucket = parameters["bucket"]?.string.flatMap { ReportBucket(rawValue: $0) } ?? bucket
        self.timeZone = parameters["time_zone"]?.string ?? "UTC"
        self.from = try Self.instant(parameters, "from")
        self.to = try Self.instant(parameters, "to")
        self.filter = ReportFilter(parameters)
        self.unitDepth = parameters["unit_depth"]?.integer ?? 8
        self.limit = Int(parameters["limit"]?.integer ?? Self.defaultLimit)
        if let text = parameters["cursor"]?.string {
            guard
                let cursor = ReportCursor(
                    text, groups: self.groups, tagNames: self.tagNames, hasBucket: self.bucket != nil)
            else {
                throw ControlError(
                    .invalid, "invalid_cursor", "The cursor is not one of this report.", pointer: "cursor")
            }
            self.cursor = cursor
        }
    }

    private static func groups(
        _ parameters: [String: JSONValue], _ required: [ReportDimension]
    ) throws(ControlError) -> (groups: [ReportDimension], tagNames: [String]) {
        var chosen = Set(required)
        var tagNames: Set<String> = []
        for name in (parameters["group_by"]?.string ?? "").split(separator: ",", omittingEmptySubsequences: false)
        where parameters["group_by"] != nil {
            if let tag = try Self.tag(name) {
                tagNames.insert(tag)
                continue
            }
            guard let dimension = ReportDimension(rawValue: String(name)) else {
                let all = ReportDimension.allCases.map(\.rawValue).joined(separator: ", ")
                let hint = ReportBucket(rawValue: String(name)) == nil ? "" : " Time is grouped by 'bucket'."
                throw ControlError(
                    .invalid, "invalid_parameter",
                    "There is no grouping '\(name.prefix(32))': any of \(all), tag:NAME, with commas.\(hint)",
                    pointer: "group_by"
                )
            }
            chosen.insert(dimension)
        }
        guard tagNames.count <= ReportTagGroups.limit else {
            throw ControlError(
                .invalid, "invalid_parameter", "There may be at most \(ReportTagGroups.limit) groupings by a tag.",
                pointer: "group_by")
        }
        // With all tags as a group, the values of single ones make no further rows.
        return (
            ReportDimension.allCases.filter { chosen.contains($0) }, chosen.contains(.tags) ? [] : tagNames.sorted()
        )
    }

    /// The name of a tag that is grouped by; nil for another grouping.
    private static func tag(_ grouping: Substring) throws(ControlError) -> String? {
        guard grouping.hasPrefix(ReportTagGroups.prefix) else { return nil }
        let name = String(grouping.dropFirst(ReportTagGroups.prefix.count))
        guard TagText.isName(name) else {
            throw ControlError(
                .invalid, "invalid_parameter", "The name of the tag '\(name.prefix(64))' must be \(TagText.nameRule).",
                pointer: "group_by")
        }
        return name
    }

    /// An instant in RFC 3339 form on a whole minute, or a day.
    private static func instant(
        _ parameters: [String: JSONValue], _ name: String
    ) throws(ControlError) -> String? {
        guard let text = parameters[name]?.string else { return nil }
        let isDay = text.utf8.count == 10
        guard let instant = Timestamp(isDay ? text + "T00:00:00Z" : text),
            (0..<253_402_300_800).contains(instant.seconds)
        else {
            throw ControlError(
                .invalid, "invalid_parameter",
                "The value must be a date and time in RFC 3339 form, or a day (2026-11-30) in the time zone.",
                pointer: name
            )
        }
        guard instant.microseconds % 60_000_000 == 0 else {
            throw ControlError(
                .invalid, "invalid_parameter", "The value must be a whole minute: sums are kept by the minute.",
                pointer: name
            )
        }
        return text
    }

    package static let parameters =
        [
            QueryParameter(
                "group_by", .string(.length(1...400)),
                "Any of \(ReportDimension.allCases.map(\.rawValue).joined(separator: ", ")), tag:NAME,"
                    + " with commas. A unit is the project's nearest one: see unit_depth. tag:team has a row for each"
                    + " value of that tag, null for none (at most four); tags one for each set of them."),
            QueryParameter(
                "bucket", .string(.oneOf(ReportBucket.allCases.map(\.rawValue))),
                "A row for each minute, hour, day or month in which something was used; one for all when absent."),
            QueryParameter(
                "time_zone", .string(.length(1...64)),
                "An IANA name, as Europe/Berlin: days and months are those of that zone. UTC when absent."),
            QueryParameter(
                "from", .string(.length(10...40)),
                "Not before: a whole minute, or a day in the time zone. When absent: the beginning of the minute, hour"
                    + " or day an hour, a day, 31 days or 366 days before `to`, by bucket; 31 days without one."),
            QueryParameter("to", .string(.length(10...40)), "Before: likewise. Now when absent."),
            QueryParameter(
                "unit_depth", .integer(1...8),
                "Groups by the unit that is at most so deep under the organization: 1 for its own units."),
        ] + ReportFilter.parameters + [
            QueryParameter(
                "format", .string(.oneOf(ReportFormat.allCases.map(\.rawValue))),
                "json, csv, or focus (CSV with the columns of FOCUS 1.2). When absent, by Accept."),
            QueryParameter("limit", .integer(Self.limits), "Most rows; 1000 when absent."),
            QueryParameter(
                "cursor", .string(.length(1...ReportCursor.textLimit)), "The next_cursor of the page before."),
        ]
}
