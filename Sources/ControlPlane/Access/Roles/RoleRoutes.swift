import Shared

/// The endpoints of roles, and the catalogue of permissions.
package enum RoleRoutes {
    package static func endpoints(_ roles: Roles) -> [Endpoint] {
        let routes = ResourceRoutes<RoleKind, Role>(
            path: "roles", name: "roles", title: "a role", schema: Role.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return [
            routes.create(.rolesCreate, Role.creationSchema) { call in
                try await roles.create(call.body, as: call.context)
            },
            routes.list(.rolesRead, Ownership.scopeFilters) { call, page in
                try await roles.list(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.rolesRead) { id, context in try await roles.get(id, as: context) },
            routes.update(.rolesUpdate, Role.patchSchema) { id, call in
                try await roles.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.rolesDelete) { id, call in
                try await roles.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
