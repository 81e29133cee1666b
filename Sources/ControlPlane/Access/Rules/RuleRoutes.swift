import Shared

/// The endpoints of deny rules and of separations of duties.
package enum RuleRoutes {
    package static func endpoints(_ rules: DenyRules, _ separations: DutySeparations) -> [Endpoint] {
        self.denyRules(rules) + self.separations(separations)
    }

    private static func denyRules(_ rules: DenyRules) -> [Endpoint] {
        let routes = ResourceRoutes<DenyRuleKind, DenyRule>(
            path: "deny-rules", name: "deny_rules", title: "a deny rule", schema: DenyRule.schema, json: \.json,
            id: \.id, revision: \.stamps.revision
        )
        return [
            routes.create(.denyRulesCreate, DenyRule.creationSchema) { call in
                try await rules.create(call.body, as: call.context)
            },
            routes.list(.denyRulesRead, Ownership.scopeFilters) { call, page in
                try await rules.list(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.denyRulesRead) { id, context in try await rules.get(id, as: context) },
            routes.update(.denyRulesUpdate, DenyRule.patchSchema) { id, call in
                try await rules.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.denyRulesDelete) { id, call in
                try await rules.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }

    private static func separations(_ separations: DutySeparations) -> [Endpoint] {
        let routes = ResourceRoutes<DutySeparationKind, DutySeparation>(
            path: "duty-separations", name: "duty_separations", title: "a separation of duties",
            schema: DutySeparation.schema, json: \.json, id: \.id, revision: \.stamps.revision
        )
        return [
            routes.create(.dutySeparationsCreate, DutySeparation.creationSchema) { call in
                try await separations.create(call.body, as: call.context)
            },
            routes.list(.dutySeparationsRead, Ownership.scopeFilters) { call, page in
                try await separations.list(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.dutySeparationsRead) { id, context in try await separations.get(id, as: context) },
            routes.update(.dutySeparationsUpdate, DutySeparation.patchSchema) { id, call in
                try await separations.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.dutySeparationsDelete) { id, call in
                try await separations.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
