import Shared

/// The endpoints of price proposals.
package enum PriceProposalRoutes {
    package static func endpoints(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<PriceProposalKind, PriceProposal>(
            path: "price-proposals", name: "price_proposals", title: "a proposal of prices",
            schema: PriceProposal.schema, json: \.json, id: \.id, revision: \.stamps.revision, isOfInstance: true
        )
        let filters = [
            QueryParameter("provider", .id(ProviderKindID.self), "Those for one provider."),
            QueryParameter(
                "status", .string(.oneOf(PriceProposal.Status.allCases.map(\.rawValue))), "Those in one state."),
        ]
        return [
            routes.create(.priceProposalsCreate, PriceProposal.creationSchema) { call in
                try await catalog.proposePrices(call.body, as: call.context)
            },
            routes.list(.priceProposalsRead, filters) { call, page in
                try await catalog.priceProposals(
                    provider: call.filter("provider"),
                    status: call.query["status"]?.string.flatMap { PriceProposal.Status(rawValue: $0) }, page
                )
            },
            routes.get(.priceProposalsRead) { id, _ in try await catalog.priceProposal(id) },
            Endpoint(
                .get, "/v1/price-proposals/{id}/entries", "price_proposals.entries",
                "List what a proposal would change", auth: .instance(.priceProposalsRead),
                query: PageRequest.parameters,
                success: .json(.page(of: PriceProposal.Entry.schema))
            ) { call in
                try await catalog.entries(of: try call.id(), try PageRequest(call, size: 8)).answer(\.entry.json)
            },
            Endpoint(
                .post, "/v1/price-proposals/{id}/approve", "price_proposals.approve",
                "Make the prices that somebody else proposed", auth: .instance(.priceProposalsApprove),
                success: .json(PriceProposal.schema)
            ) { call in
                routes.answer(
                    try await catalog.approvePrices(
                        try call.id(), ifRevision: try call.ifMatch(), as: call.context), status: 200)
            },
            Endpoint(
                .post, "/v1/price-proposals/{id}/reject", "price_proposals.reject", "Turn a proposal of prices down",
                auth: .instance(.priceProposalsReject), success: .json(PriceProposal.schema)
            ) { call in
                routes.answer(
                    try await catalog.rejectPrices(
                        try call.id(), ifRevision: try call.ifMatch(), as: call.context), status: 200)
            },
        ]
    }
}
