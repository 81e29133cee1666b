import Shared

/// The endpoints that say why.
package enum DecisionRoutes {
    package static func endpoints(_ decisions: Decisions) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/decisions/{id}", "decisions.get",
                "Why a request was served or refused, by the x-request-id of its answer", auth: .bearer(.usageRead),
                success: .json(Decision.schema)
            ) { call in
                .json(try await decisions.decision(on: try call.id(), as: call.context).json)
            },
            Endpoint(
                .post, "/v1/explain", "decisions.explain",
                "Whether a request would be served now, and why not; nothing is sent or changed",
                auth: .bearer(.virtualKeysRead), body: .json(Explanation.Question.schema),
                success: .json(Explanation.schema)
            ) { call in
                .json(try await decisions.explain(try Explanation.Question(call.body), as: call.context).json)
            },
        ]
    }
}
