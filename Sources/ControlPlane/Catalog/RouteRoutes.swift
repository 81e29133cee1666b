import Shared

/// The endpoints of routes and prices.
package enum RouteRoutes {
    package static func endpoints(_ catalog: Catalog) -> [Endpoint] { Self.routes(catalog) + Self.prices(catalog) }

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
                    organization: call.filter("organization"), alias: call.query["alias"]?.string, page
                )
            },
            routes.get(.routesRead) { try await catalog.route($0) },
            routes.update(.routesUpdate, Route.patchSchema) { id, call in
                try await catalog.updateRoute(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.routesDelete) { id, call in
                try await catalog.deleteRoute(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }

    private static func prices(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<PriceKind, Price>(
            path: "prices", name: "prices", title: "a price", schema: Price.schema, json: \.json, id: \.id,
            revision: { _ in 1 }
        )
        return [
            routes.create(.pricesCreate, Price.creationSchema) { call in
                guard let model = call.body["model"]?.string.flatMap({ ModelID($0) }) else {
                    throw ControlError.notFound("model")
                }
                return try await catalog.createPrice(
                    of: model, effectiveAt: call.body["effective_at"]?.string.flatMap { Timestamp($0) },
                    try Price.items(call.body["items"]), as: call.context
                )
            },
            routes.list(.pricesRead, [QueryParameter("model", .id(ModelKind.self), "Those of one model.")]) {
                call, page in
                try await catalog.prices(model: call.filter("model"), page)
            },
            routes.get(.pricesRead) { try await catalog.price($0) },
        ]
    }
}
