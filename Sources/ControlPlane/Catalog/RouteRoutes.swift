import Shared

/// The endpoints of routes.
package enum RouteRoutes {
    package static func endpoints(_ catalog: Catalog) -> [Endpoint] { Self.routes(catalog) }

    private static func routes(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<RouteKind, Route>(
            path: "routes", name: "routes", title: "a route", schema: Route.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        let filters = Ownership.scopeFilters + [QueryParameter("alias", .string(.alias), "Those of one alias.")]
        return [
            routes.create(.routesCreate, Route.creationSchema) { call in
                try await catalog.createRoute(call.body, as: call.context)
            },
            routes.list(.routesRead, filters) { call, page in
                try await catalog.routes(
                    organization: call.filter("organization"), alias: call.query["alias"]?.string, page,
                    as: call.context
                )
            },
            routes.get(.routesRead) { id, context in try await catalog.route(id, as: context) },
            routes.update(.routesUpdate, Route.patchSchema) { id, call in
                try await catalog.updateRoute(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.routesDelete) { id, call in
                try await catalog.deleteRoute(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
