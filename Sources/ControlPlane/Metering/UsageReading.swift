import Postgres
package import Shared

/// Reads what was used.
package struct UsageReading: Sendable {
    let reads: Reads

    package init(reads: Reads) { self.reads = reads }

    /// Which records are wanted; nil does not narrow.
    package struct Filter: Sendable {
        package var of: ReportFilter
        package var request: RequestID?
        package var from: Timestamp?
        package var to: Timestamp?

        package init(_ call: Call) {
            self.of = ReportFilter(call.query)
            self.request = call.filter("request")
            self.from = call.query["from"]?.string.flatMap { Timestamp($0) }
            self.to = call.query["to"]?.string.flatMap { Timestamp($0) }
        }

        init(request: RequestID) {
            self.of = ReportFilter([:])
            self.request = request
        }
    }

    /// What gateways declared lost, newest first.
    package func gaps(
        gateway: GatewayID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<UsageGap> {
        let found = try await self.reads.perform(.usageRead, as: context) { tx, sight in
            try sight.require(.instance, "gap", &tx)
            return try UsageGapStore.list(&tx, gateway: gateway, page)
        }
        return Page(found, page, position: \.position)
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
                query: ReportFilter.parameters + [
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
                    as: call.context
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/usage/records/{id}", "usage.record", "Read one finished request by its identifier",
                auth: .bearer(.usageRead), success: .json(UsageEntry.schema)
            ) { call in
                .json(try await usage.record(try call.id(), as: call.context).json)
            },
            Endpoint(
                .get, "/v1/usage/gaps", "usage.gaps", "List usage that gateways declared lost, newest first",
                auth: .instance(.usageRead),
                query: [QueryParameter("gateway", .id(GatewayKind.self), "Of one gateway.")] + PageRequest.parameters,
                success: .json(.page(of: UsageGap.schema))
            ) { call in
                try await usage.gaps(
                    gateway: call.filter("gateway"), try PageRequest(call, size: UsageGap.positionSize),
                    as: call.context
                ).answer(\.json)
            },
        ]
    }
}
