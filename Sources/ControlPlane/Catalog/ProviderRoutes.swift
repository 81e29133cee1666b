import Shared

/// The endpoints of providers, credentials and models.
package enum ProviderRoutes {
    package static func endpoints(_ catalog: Catalog) -> [Endpoint] {
        Self.providers(catalog) + Self.credentials(catalog) + Self.models(catalog)
    }

    private static func providers(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<ProviderKindID, Provider>(
            path: "providers", name: "providers", title: "a provider", schema: Provider.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return [
            routes.create(.providersCreate, Provider.creationSchema) { call in
                try await catalog.createProvider(call.body, as: call.context)
            },
            routes.list(.providersRead, Ownership.scopeFilters) { call, page in
                try await catalog.providers(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.providersRead) { id, context in try await catalog.provider(id, as: context) },
            routes.update(.providersUpdate, Provider.patchSchema) { id, call in
                try await catalog.updateProvider(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.providersDelete) { id, call in
                try await catalog.deleteProvider(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }

    private static let ofProvider = [
        QueryParameter("provider", .id(ProviderKindID.self), "Those of one provider.")
    ]

    private static func provider(_ call: Call) throws(ControlError) -> ProviderID {
        guard let id = call.body["provider"]?.string.flatMap({ ProviderID($0) }) else { throw .notFound("provider") }
        return id
    }

    private static func credentials(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<CredentialKind, Credential>(
            path: "credentials", name: "credentials", title: "a credential", schema: Credential.schema, json: \.json,
            id: \.id, revision: \.stamps.revision
        )
        return [
            routes.create(.credentialsCreate, Credential.creationSchema) { call in
                try await catalog.createCredential(
                    for: try Self.provider(call), name: call.body["name"]?.string ?? "",
                    secret: Secret(call.body["secret"]?.string ?? ""), as: call.context
                )
            },
            routes.list(.credentialsRead, Self.ofProvider + Ownership.scopeFilters) { call, page in
                try await catalog.credentials(
                    provider: call.filter("provider"), organization: call.filter("organization"), page,
                    as: call.context
                )
            },
            routes.get(.credentialsRead) { id, context in try await catalog.credential(id, as: context) },
            routes.update(.credentialsUpdate, Credential.patchSchema) { id, call in
                try await catalog.updateCredential(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            Endpoint(
                .post, "/v1/credentials/{id}/rotate", "credentials.rotate", "Replace a credential's secret",
                auth: .bearer(.credentialsRotate), body: .json(Credential.rotationSchema),
                success: .json(Credential.schema)
            ) { call in
                routes.answer(
                    try await catalog.rotateCredential(
                        try call.id(), secret: Secret(call.body["secret"]?.string ?? ""), as: call.context
                    ), status: 200
                )
            },
            routes.delete(.credentialsDelete) { id, call in
                try await catalog.deleteCredential(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }

    private static func models(_ catalog: Catalog) -> [Endpoint] {
        let routes = ResourceRoutes<ModelKind, Model>(
            path: "models", name: "models", title: "a model", schema: Model.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return [
            routes.create(.modelsCreate, Model.creationSchema) { call in
                try await catalog.createModel(of: try Self.provider(call), call.body, as: call.context)
            },
            routes.list(.modelsRead, Self.ofProvider + Ownership.scopeFilters) { call, page in
                try await catalog.models(
                    provider: call.filter("provider"), organization: call.filter("organization"), page,
                    as: call.context
                )
            },
            routes.get(.modelsRead) { id, context in try await catalog.model(id, as: context) },
            routes.update(.modelsUpdate, Model.patchSchema) { id, call in
                try await catalog.updateModel(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.modelsDelete) { id, call in
                try await catalog.deleteModel(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
