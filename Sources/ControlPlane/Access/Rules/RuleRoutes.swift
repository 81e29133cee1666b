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
        return routes.all(
            rules,
            ResourcePermissions(
                create: .denyRulesCreate, read: .denyRulesRead, update: .denyRulesUpdate, delete: .denyRulesDelete),
            creation: DenyRule.creationSchema, patch: DenyRule.patchSchema)
    }

    private static func separations(_ separations: DutySeparations) -> [Endpoint] {
        let routes = ResourceRoutes<DutySeparationKind, DutySeparation>(
            path: "duty-separations", name: "duty_separations", title: "a separation of duties",
            schema: DutySeparation.schema, json: \.json, id: \.id, revision: \.stamps.revision
        )
        return routes.all(
            separations,
            ResourcePermissions(
                create: .dutySeparationsCreate, read: .dutySeparationsRead, update: .dutySeparationsUpdate,
                delete: .dutySeparationsDelete),
            creation: DutySeparation.creationSchema, patch: DutySeparation.patchSchema)
    }
}
