import Shared

/// The endpoints of service accounts.
package enum ServiceAccountRoutes {
    package static func endpoints(_ identity: Identity) -> [Endpoint] {
        let routes = SubjectRoutes<ServiceAccountKind, ServiceAccount>(
            path: "service-accounts", name: "service_accounts", title: "a service account",
            permissions: (
                .serviceAccountsCreate, .serviceAccountsRead, .serviceAccountsUpdate, .serviceAccountsDelete
            ),
            schema: ServiceAccount.schema, json: \.json, id: \.id, stamps: \.stamps
        )
        let filters = [
            SubjectList.organizationFilter, SubjectList.statusFilter,
            QueryParameter(
                "scope", .id(OrganizationKind.self, UnitKind.self, ProjectKind.self),
                "Those that belong directly to an organization, a unit or a project."),
        ]
        return [
            routes.create(ServiceAccount.creationSchema) {
                try await identity.createServiceAccount($0.body, as: $0.context)
            },
            routes.list(filters) { call, list in
                try await identity.serviceAccounts(
                    list, at: call.query["scope"]?.string.flatMap { ScopeReference($0) }, as: call.context)
            },
            routes.get { try await identity.serviceAccount($0, as: $1.context) },
            routes.update(ServiceAccount.patchSchema) { id, call in
                try await identity.updateServiceAccount(
                    id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete("Delete a service account, with its tokens, memberships, bindings and deny rules") {
                id, call in
                try await identity.deleteServiceAccount(id, ifRevision: try call.ifMatch(), as: call.context)
            },
            Endpoint(
                .get, "/v1/service-accounts/{id}/groups", "service_accounts.groups",
                "List the groups that a service account is in", auth: .bearer(.groupsRead),
                query: PageRequest.parameters, success: .json(.page(of: HeldGroup.schema))
            ) { call in
                let account: ServiceAccountID = try call.id()
                return try await identity.groups(of: account, try PageRequest(call), as: call.context).answer(\.json)
            },
        ]
    }
}
