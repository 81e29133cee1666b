import Shared

/// The endpoints of rate limits.
package enum RateLimitRoutes {
    package static func endpoints(_ limits: RateLimits) -> [Endpoint] {
        let routes = ResourceRoutes<RateLimitKind, RateLimit>(
            path: "rate-limits", name: "rate_limits", title: "a rate limit", schema: RateLimit.schema, json: \.json,
            id: \.id, revision: \.stamps.revision
        )
        return routes.all(
            limits,
            ResourcePermissions(
                create: .rateLimitsCreate, read: .rateLimitsRead, update: .rateLimitsUpdate, delete: .rateLimitsDelete),
            creation: RateLimit.creationSchema, patch: RateLimit.patchSchema) + [
                Endpoint(
                    .get, "/v1/rate-limits/{id}/status", "rate_limits.status", "How gateways share a rate limit",
                    auth: .bearer(.rateLimitsRead), success: .json(RateLimitStatus.schema)
                ) { call in
                    .json(try await limits.status(try call.id(), as: call.context).json)
                }
            ]
    }
}
