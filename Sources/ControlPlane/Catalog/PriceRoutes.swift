import Shared

/// The endpoints of prices, and of what organizations are charged relative to them.
package enum PriceRoutes {
    package static func endpoints(_ catalog: Catalog) -> [Endpoint] {
        Self.prices(catalog) + Self.adjustments(catalog)
    }

    private static func prices(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<PriceKind, Price>(
            path: "prices", name: "prices", title: "a price", schema: Price.schema, json: \.json, id: \.id,
            revision: { _ in 1 }
        )
        return [
            routes.create(.pricesCreate, Price.creationSchema) { call in
                let model = call.body["model"]?.string.flatMap { ModelID($0) }
                return try await catalog.createPrice(of: model, try Price.Draft(call.body), as: call.context)
            },
            routes.list(.pricesRead, [QueryParameter("model", .id(ModelKind.self), "Those of one model.")]) {
                call, page in
                try await catalog.prices(model: call.filter("model"), page, as: call.context)
            },
            routes.get(.pricesRead) { id, context in try await catalog.price(id, as: context) },
        ]
    }

    private static func adjustments(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<AdjustmentKind, Adjustment>(
            path: "price-adjustments", name: "price_adjustments", title: "a discount or margin",
            schema: Adjustment.schema, json: \.json, id: \.rule.id, revision: { _ in 1 }
        )
        return [
            routes.create(.priceAdjustmentsCreate, Adjustment.creationSchema) { call in
                try await catalog.createAdjustment(call.body, as: call.context)
            },
            routes.list(
                .priceAdjustmentsRead,
                [QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization.")]
            ) { call, page in
                try await catalog.adjustments(
                    organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.priceAdjustmentsRead) { id, context in try await catalog.adjustment(id, as: context) },
        ]
    }
}
