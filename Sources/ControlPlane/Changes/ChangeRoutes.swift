import Shared

/// The endpoints of changes.
package enum ChangeRoutes {
    package static func endpoints(_ history: ChangeHistory) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/changes", "changes.list", "List changes, newest first", auth: .bearer(.changesRead),
                query: [QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization.")]
                    + PageRequest.parameters, success: .json(.page(of: ChangeRow.schema))
            ) { call in
                try await history.list(
                    organization: call.filter("organization"), try PageRequest(call), as: call.context
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/changes/{id}", "changes.get", "Read a change", auth: .bearer(.changesRead),
                success: .json(ChangeRow.schema)
            ) { call in
                .json(try await history.get(try call.id(), as: call.context).json)
            },
            Endpoint(
                .get, "/v1/changes/{id}/propagation", "changes.propagation", "See which gateways have a change",
                auth: .bearer(.changesRead),
                query: [QueryParameter("wait", .integer(0...30), "Seconds to wait until all have it; 0 when absent.")],
                success: .json(Propagation.schema)
            ) { call in
                .json(
                    try await history.propagation(
                        of: try call.id(), wait: call.query["wait"]?.integer ?? 0, as: call.context
                    ).json)
            },
        ]
    }
}
