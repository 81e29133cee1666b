import Shared

/// The endpoints of roles, and the catalogue of permissions.
package enum RoleRoutes {
    package static func endpoints(_ roles: Roles) -> [Endpoint] {
        let routes = ResourceRoutes<RoleKind, Role>(
            path: "roles", name: "roles", title: "a role", schema: Role.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return routes.all(
            roles,
            ResourcePermissions(
                create: .rolesCreate, read: .rolesRead, update: .rolesUpdate, delete: .rolesDelete),
            creation: Role.creationSchema, patch: Role.patchSchema)
    }
}
