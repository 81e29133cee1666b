package import Shared

/// The endpoints of virtual keys.
package enum VirtualKeyRoutes {
    private static let path: PathTemplate = "/v1/virtual-keys"
    private static let item: PathTemplate = "/v1/virtual-keys/{id}"

    package static func endpoints(_ keys: VirtualKeys) -> [Endpoint] {
        [
            Endpoint(
                .post, Self.path, "virtual_keys.create", "Create a virtual key; its text is shown this once",
                auth: .bearer(.virtualKeysCreate), body: .json(VirtualKey.creationSchema), status: 201,
                success: .json(VirtualKey.schema)
            ) { call in
                guard let project = call.body["project"]?.string.flatMap({ ProjectID($0) }) else {
                    throw ControlError.notFound("project")
                }
                let made = try await keys.create(in: project, VirtualKey.Draft(call.body), as: call.context)
                return Self.answer(made, status: 201).located(at: "\(Self.path)/\(made.value.key.id)")
            },
            Endpoint(
                .get, Self.path, "virtual_keys.list", "List virtual keys", auth: .bearer(.virtualKeysRead),
                query: [
                    QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization."),
                    QueryParameter("project", .id(ProjectKind.self), "Those of one project."),
                ] + PageRequest.parameters, success: .json(.page(of: VirtualKey.schema))
            ) { call in
                try await keys.list(
                    organization: call.filter("organization"), project: call.filter("project"), try PageRequest(call),
                    as: call.context
                ).answer(\.json)
            },
            Endpoint(
                .get, Self.item, "virtual_keys.get", "Read a virtual key", auth: .bearer(.virtualKeysRead),
                success: .json(VirtualKey.schema)
            ) { call in
                let key = try await keys.get(try call.id(), as: call.context)
                return .resource(key.json, revision: key.revision)
            },
            Endpoint(
                .patch, Self.item, "virtual_keys.update", "Change a virtual key", auth: .bearer(.virtualKeysUpdate),
                body: .json(VirtualKey.patchSchema), success: .json(VirtualKey.schema)
            ) { call in
                let changed = try await keys.update(
                    try call.id(), to: VirtualKey.Draft(call.body), ifRevision: try call.ifMatch(), as: call.context
                )
                return .resource(changed.value.json, revision: changed.value.revision).audited(changed.receipts)
            },
            Endpoint(
                .post, "/v1/virtual-keys/{id}/rotate", "virtual_keys.rotate",
                "Give a virtual key another secret; those before it end", auth: .bearer(.virtualKeysRotate),
                body: .json(VirtualKey.rotationSchema), success: .json(VirtualKey.schema)
            ) { call in
                Self.answer(
                    try await keys.rotate(
                        try call.id(), overlap: call.body["overlap_seconds"]?.integer ?? 0, as: call.context
                    ), status: 200
                )
            },
            Endpoint(
                .post, "/v1/virtual-keys/{id}/revoke", "virtual_keys.revoke", "End a virtual key for good",
                auth: .bearer(.virtualKeysRevoke), success: .json(VirtualKey.schema)
            ) { call in
                let revoked = try await keys.revoke(try call.id(), as: call.context)
                return .resource(revoked.value.json, revision: revoked.value.revision).audited(revoked.receipts)
            },
            Endpoint(
                .delete, Self.item, "virtual_keys.delete", "Revoke and delete a virtual key",
                auth: .bearer(.virtualKeysDelete), status: 204, success: .empty
            ) { call in
                let receipts = try await keys.delete(try call.id(), ifRevision: try call.ifMatch(), as: call.context)
                return Answer(status: 204).audited(receipts)
            },
        ]
    }

    private static func answer(_ issued: Resolved<VirtualKeys.Issued>, status: Int) -> Answer {
        let key = issued.value.key
        return Answer.resource(
            key.json.showing(issued.value.secret, isReplay: issued.isReplay), revision: key.revision, status: status
        ).audited(issued.receipts)
    }
}

extension JSONValue {
    /// The resource with its secret, this once; a replay says that it was shown.
    package func showing(_ secret: Secret<String>?, isReplay: Bool) -> JSONValue {
        var members = self.object ?? [:]
        if let secret { members["secret"] = .string(secret.reveal()) }
        if isReplay { members["secret_already_issued"] = true }
        return .object(members)
    }
}
