import Shared

/// The endpoints of rate limits.
package enum RateLimitRoutes {
    package static func endpoints(_ limits: RateLimits) -> [Endpoint] {
        let routes = ResourceRoutes<RateLimitKind, RateLimit>(
            path: "rate-limits", name: "rate_limits", title: "a rate limit", schema: RateLimit.schema, json: \.json,
            id: \.id, revision: \.stamps.revision
        )
        return [
            routes.create(.rateLimitsCreate, RateLimit.creationSchema) { call in
                try await limits.create(call.body, as: call.context)
            },
            routes.list(.rateLimitsRead, Ownership.scopeFilters) { call, page in
                try await limits.list(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.rateLimitsRead) { id, context in try await limits.get(id, as: context) },
            routes.update(.rateLimitsUpdate, RateLimit.patchSchema) { id, call in
                try await limits.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.rateLimitsDelete) { id, call in
                try await limits.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
            Endpoint(
                .get, "/v1/rate-limits/{id}/status", "rate_limits.status", "How gateways share a rate limit",
                auth: .bearer(.rateLimitsRead), success: .json(RateLimitStatus.schema)
            ) { call in
                .json(try await limits.status(try call.id(), as: call.context).json)
            },
        ]
    }
}
