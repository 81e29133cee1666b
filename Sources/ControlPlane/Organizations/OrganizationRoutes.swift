import Shared

/// The endpoints of organizations, units and projects: the same five for each.
package enum OrganizationRoutes {
    package static func endpoints(_ organizations: Organizations) -> [Endpoint] {
        ScopeNode.Kind.allCases.flatMap { Self.endpoints($0, organizations) }
    }

    private static func endpoints(_ kind: ScopeNode.Kind, _ organizations: Organizations) -> [Endpoint] {
        let path = PathTemplate("/v1/\(kind.plural)")
        let item = PathTemplate("/v1/\(kind.plural)/{id}")
        let schema = ScopeNode.schema(kind)
        let permissions = kind.permissions
        let name = kind.rawValue
        return [
            Endpoint(
                .post, path, "\(kind.plural).create", "Create \(kind.article) \(name)",
                auth: .bearer(permissions.create),
                body: .json(ScopeNode.creationSchema(kind)), status: 201, success: .json(schema)
            ) { call in
                let made = try await organizations.create(
                    kind, name: call.body["name"]?.string ?? "",
                    parent: call.body["parent"]?.string.flatMap { ScopeReference($0) },
                    metadata: Metadata.read(call.body["metadata"]), tags: try ProjectTags.read(call.body["tags"]),
                    as: call.context
                )
                return Answer.resource(made.value.json, revision: made.value.revision, status: 201)
                    .located(at: "\(path)/\(made.value.reference)").audited(made.receipts)
            },
            Endpoint(
                .get, path, "\(kind.plural).list", "List \(name)s", auth: .bearer(permissions.read),
                query: Self.filters(kind) + PageRequest.parameters, success: .json(.page(of: schema))
            ) { call in
                let page = try await organizations.list(
                    kind, organization: call.filter("organization"),
                    parent: call.query["parent"]?.string.flatMap { ScopeReference($0) }, try PageRequest(call),
                    as: call.context
                )
                return page.answer(\.json)
            },
            Endpoint(
                .get, item, "\(kind.plural).get", "Read \(kind.article) \(name)", auth: .bearer(permissions.read),
                success: .json(schema)
            ) { call in
                let node = try await organizations.get(try Self.reference(kind, call), as: call.context)
                return .resource(node.json, revision: node.revision)
            },
            Endpoint(
                .patch, item, "\(kind.plural).update", "Change \(kind.article) \(name)",
                auth: .bearer(permissions.update),
                body: .json(ScopeNode.patchSchema(kind)), success: .json(schema)
            ) { call in
                let changed = try await organizations.update(
                    try Self.reference(kind, call), to: ScopeNode.Draft(call.body), ifRevision: try call.ifMatch(),
                    as: call.context
                )
                return .resource(changed.value.json, revision: changed.value.revision).audited(changed.receipts)
            },
            Endpoint(
                .delete, item, "\(kind.plural).delete", "Delete \(kind.article) \(name) that has nothing in it",
                auth: .bearer(permissions.delete), status: 204, success: .empty
            ) { call in
                let receipts = try await organizations.delete(
                    try Self.reference(kind, call), ifRevision: try call.ifMatch(), as: call.context
                )
                return Answer(status: 204).audited(receipts)
            },
        ]
    }

    private static func filters(_ kind: ScopeNode.Kind) -> [QueryParameter] {
        kind == .organization
            ? []
            : [
                QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization."),
                QueryParameter("parent", .id(OrganizationKind.self, UnitKind.self), "Those directly under one parent."),
            ]
    }

    private static func reference(_ kind: ScopeNode.Kind, _ call: Call) throws(ControlError) -> ScopeReference {
        guard let text = call.path["id"], let reference = ScopeReference(text), reference.kind == kind else {
            throw .notFound(kind.rawValue)
        }
        return reference
    }
}

extension ScopeNode.Kind {
    var article: String { self == .project ? "a" : self == .unit ? "a" : "an" }
}
