package import Postgres
package import Shared

/// Reads what was used.
package struct UsageReading: Sendable {
    let database: Database

    package init(database: Database) { self.database = database }

    /// Which records are wanted; nil does not narrow.
    package struct Filter: Sendable {
        package var organization: OrganizationID?
        package var project: ProjectID?
        package var key: VirtualKeyID?
        package var model: ModelID?
        package var request: RequestID?
        package var from: Timestamp?
        package var to: Timestamp?

        package init(_ call: Call) {
            self.organization = call.filter("organization")
            self.project = call.filter("project")
            self.key = call.filter("key")
            self.model = call.filter("model")
            self.request = call.filter("request")
            self.from = call.query["from"]?.string.flatMap { Timestamp($0) }
            self.to = call.query["to"]?.string.flatMap { Timestamp($0) }
        }

        static let parameters = [
            QueryParameter("organization", .id(OrganizationKind.self), "Of one organization."),
            QueryParameter("project", .id(ProjectKind.self), "Of one project."),
            QueryParameter("key", .id(VirtualKeyKind.self), "Of one virtual key."),
            QueryParameter("model", .id(ModelKind.self), "Of one model."),
        ]
    }

    /// What gateways declared lost, newest first.
    package func gaps(gateway: GatewayID?, _ page: PageRequest) async throws -> Page<UsageGap> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try UsageGapStore.list(&tx, gateway: gateway, page)
        }
        return Page(found, page, position: \.position)
    }

    package enum Grouping: String, Sendable, CaseIterable {
        case key, project, model, day
    }

    /// Most rows of a summary.
    package static let rowLimit = 10_000

    package struct Summary: Sendable {
        package let items: [JSONValue]
        package let isTruncated: Bool
    }

    /// Sums of whole days (UTC).
    package func summary(_ filter: Filter, by groupings: Set<Grouping>) async throws -> Summary {
        let rows = try await self.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select key_id, project_id, model_id, day, sum(requests)::bigint as requests,
                    sum(refusals)::bigint as refusals, sum(estimates)::bigint as estimates,
                """ + Self.unitSums + """
                    sum(cost_nano_usd)::bigint as cost_nano_usd from (
                    select case when $1 then key_id end as key_id, case when $2 then project_id end as project_id,
                        case when $3 then model_id end as model_id, case when $4 then day::text end as day, requests,
                        refusals, estimates,
                    """ + Self.unitColumns + """
                                cost_nano_usd
                            from usage_daily
                            where ($5::uuid is null or organization_id = $5) and ($6::uuid is null or project_id = $6)
                                and ($7::uuid is null or key_id = $7) and ($8::uuid is null or model_id = $8)
                                and ($9::timestamptz is null or day >= ($9 at time zone 'UTC')::date)
                                and ($10::timestamptz is null or day < ($10 at time zone 'UTC')::date)
                        ) d
                        group by 1, 2, 3, 4 order by 4, 2, 1, 3 limit $11
                        """,
                groupings.contains(.key), groupings.contains(.project), groupings.contains(.model),
                groupings.contains(.day), filter.organization, filter.project, filter.key, filter.model, filter.from,
                filter.to, Self.rowLimit + 1
            ).map { try Self.item($0, groupings) }
        }
        return Summary(items: Array(rows.prefix(Self.rowLimit)), isTruncated: rows.count > Self.rowLimit)
    }

    /// The columns of units in `usage_daily`, each before a comma; and their sums.
    private static let unitColumns: SQL = Self.units { SQL(identifier: $0) }
    private static let unitSums: SQL = Self.units { name in
        "sum(" + SQL(identifier: name) + ")::bigint as " + SQL(identifier: name)
    }

    private static func units(_ column: (String) -> SQL) -> SQL {
        Meter.allCases.filter { $0 != .request }.reduce("") { $0 + column($1.name) + ", " }
    }

    private static func item(_ row: Row, _ groupings: Set<Grouping>) throws -> JSONValue {
        var item: [String: JSONValue] = [:]
        if groupings.contains(.key) { item["key"] = JSONValue(try row.get("key_id", as: VirtualKeyID.self)) }
        if groupings.contains(.project) { item["project"] = JSONValue(try row.get("project_id", as: ProjectID.self)) }
        if groupings.contains(.model) { item["model"] = try Self.model(row) }
        if groupings.contains(.day) { item["day"] = .string(try row.get("day")) }
        for name in ["requests", "refusals", "estimates"] { item[name] = .integer(try row.get(name)) }
        var units: [String: JSONValue] = [:]
        for name in UsageEntry.unitColumns where name != "request" { units[name] = .integer(try row.get(name)) }
        item["units"] = .object(units)
        let cost: NanoUSD = try row.get("cost_nano_usd")
        item["amount_nano_usd"] = .string(String(cost.amount))
        item["amount_usd"] = JSONValue(cost)
        return .object(item)
    }

    /// Requests that reached no model are summed under the zero identifier.
    private static func model(_ row: Row) throws -> JSONValue {
        let id: ModelID = try row.get("model_id")
        return id.value == UUIDValue(high: 0, low: 0) ? .null : JSONValue(id)
    }
}

/// The endpoints of usage.
package enum UsageRoutes {
    package static func endpoints(_ usage: UsageReading) -> [Endpoint] {
        let to = QueryParameter("to", .timestamp, "Before.")
        return [
            Endpoint(
                .get, "/v1/usage/records", "usage.records", "List finished requests in the order of their arrival",
                auth: .bearer(.usageRead),
                query: UsageReading.Filter.parameters + [
                    QueryParameter("request", .id(RequestKind.self), "One request."),
                    QueryParameter(
                        "from", .timestamp,
                        "Not before. When absent: what arrived since 24 hours before `to`, or before now; for one"
                            + " request, from a day before its identifier was made."
                    ), to,
                ] + PageRequest.parameters, success: .json(.page(of: UsageEntry.schema))
            ) { call in
                try await usage.records(
                    UsageReading.Filter(call), try PageRequest(call, size: UsageEntry.positionSize),
                    at: call.context.time
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/usage/gaps", "usage.gaps", "List usage that gateways declared lost, newest first",
                auth: .bearer(.usageRead),
                query: [QueryParameter("gateway", .id(GatewayKind.self), "Of one gateway.")] + PageRequest.parameters,
                success: .json(.page(of: UsageGap.schema))
            ) { call in
                try await usage.gaps(
                    gateway: call.filter("gateway"), try PageRequest(call, size: UsageGap.positionSize)
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/usage", "usage.summary", "Sum units and money over whole days (UTC)",
                auth: .bearer(.usageRead),
                query: [
                    QueryParameter("group_by", .string(.length(1...64)), "Of key, project, model and day, with commas.")
                ] + UsageReading.Filter.parameters + [QueryParameter("from", .timestamp, "Not before."), to],
                success: .json(Self.summarySchema)
            ) { call in
                let summary = try await usage.summary(UsageReading.Filter(call), by: try Self.groupings(call))
                return .json(["items": .array(summary.items), "truncated": .bool(summary.isTruncated)])
            },
        ]
    }

    private static let summarySchema = Schema.object([
        .required(
            "items",
            .list(
                of: .named(
                    "UsageSum",
                    .object([
                        .optional("key", .id(VirtualKeyKind.self)), .optional("project", .id(ProjectKind.self)),
                        .optional("model", Schema.id(ModelKind.self).orNull),
                        .optional("day", .string(.length(10...10))),
                        .required("requests", .count), .required("refusals", .count), .required("estimates", .count),
                        .required(
                            "units",
                            .object(
                                UsageEntry.unitColumns.filter { $0 != "request" }.map { .required($0, .count) }
                            )),
                        .required("amount_nano_usd", .decimal), .required("amount_usd", .string(.dollars)),
                    ])))),
        .required("truncated", .bool),
    ])

    private static func groupings(_ call: Call) throws(ControlError) -> Set<UsageReading.Grouping> {
        var result: Set<UsageReading.Grouping> = []
        for name in (call.query["group_by"]?.string ?? "").split(separator: ",") {
            guard let grouping = UsageReading.Grouping(rawValue: String(name)) else {
                throw ControlError(
                    .invalid, "invalid_parameter", "Of key, project, model and day, with commas.", pointer: "group_by"
                )
            }
            result.insert(grouping)
        }
        return result
    }
}
