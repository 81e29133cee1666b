import Shared

/// The endpoints of budgets.
package enum BudgetRoutes {
    package static func endpoints(_ budgets: Budgets) -> [Endpoint] {
        let routes = ResourceRoutes<BudgetKind, Budget>(
            path: "budgets", name: "budgets", title: "a budget", schema: Budget.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return routes.all(
            budgets,
            ResourcePermissions(
                create: .budgetsCreate, read: .budgetsRead, update: .budgetsUpdate, delete: .budgetsDelete),
            creation: Budget.creationSchema, patch: Budget.patchSchema) + [
                Endpoint(
                    .get, "/v1/budgets/{id}/status", "budgets.status", "Where a budget stands in a window",
                    auth: .bearer(.budgetsRead),
                    query: [
                        QueryParameter(
                            "at", .timestamp, "An instant in the window; now when absent, as for a rolling one.")
                    ],
                    success: .json(BudgetStatus.schema)
                ) { call in
                    let instant = call.query["at"]?.string.flatMap { Timestamp($0) }
                    return .json(try await budgets.status(try call.id(), at: instant, as: call.context).json)
                }
            ] + Self.increases(budgets)
    }

    private static func increases(_ budgets: Budgets) -> [Endpoint] {
        [
            Endpoint(
                .post, "/v1/budgets/{id}/increases", "budget_increases.create", "Give a budget more for a while",
                auth: .bearer(.budgetsIncrease), body: .json(BudgetIncrease.creationSchema), status: 201,
                success: .json(BudgetIncrease.schema)
            ) { call in
                let budget: BudgetID = try call.id()
                let made = try await budgets.increase(budget, call.body, as: call.context)
                return Answer.json(made.value.json, status: 201)
                    .located(at: "/v1/budgets/\(budget)/increases/\(made.value.id)").audited(made.receipts)
            },
            Endpoint(
                .get, "/v1/budgets/{id}/increases", "budget_increases.list", "List the increases of a budget",
                auth: .bearer(.budgetsRead), query: PageRequest.parameters,
                success: .json(.page(of: BudgetIncrease.schema))
            ) { call in
                try await budgets.increases(of: try call.id(), try PageRequest(call), as: call.context).answer(\.json)
            },
            Endpoint(
                .delete, "/v1/budgets/{id}/increases/{increase}", "budget_increases.end",
                "End an increase of a budget now", auth: .bearer(.budgetsIncrease), status: 204, success: .empty
            ) { call in
                let receipts = try await budgets.endIncrease(
                    try call.id("increase"), of: try call.id(), as: call.context)
                return Answer(status: 204).audited(receipts)
            },
        ]
    }
}
