import Shared

/// The endpoints of bindings.
package enum BindingRoutes {
    package static func endpoints(_ bindings: Bindings) -> [Endpoint] {
        let routes = ResourceRoutes<BindingKind, Binding>(
            path: "bindings", name: "bindings", title: "a binding", schema: Binding.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        let filters = [
            QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization's subjects."),
            QueryParameter(
                "subject", .id(UserKind.self, GroupKind.self, ServiceAccountKind.self), "Those of one subject."),
            QueryParameter("role", .id(RoleKind.self), "Those of one role."),
            QueryParameter(
                "scope", .id(OrganizationKind.self, UnitKind.self, ProjectKind.self), "Those at one scope itself."),
        ]
        return [
            routes.create(.bindingsCreate, Binding.creationSchema) { call in
                try await bindings.create(call.body, as: call.context)
            },
            routes.list(.bindingsRead, filters) { call, page in
                try await bindings.list(
                    organization: call.filter("organization"),
                    subject: call.query["subject"]?.string.flatMap { AccessSubject($0) }, role: call.filter("role"),
                    scope: call.query["scope"]?.string.flatMap { ScopeReference($0) }, page, as: call.context)
            },
            routes.get(.bindingsRead) { id, context in try await bindings.get(id, as: context) },
            routes.update(.bindingsUpdate, Binding.patchSchema) { id, call in
                try await bindings.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.bindingsDelete) { id, call in
                try await bindings.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
