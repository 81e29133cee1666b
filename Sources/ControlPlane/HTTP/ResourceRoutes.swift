package import Shared

/// The five endpoints that most nouns have, made from the noun's operations.
struct ResourceRoutes<Kind: IdentifierKind, Value: Sendable> {
    /// In paths: `gateway-groups`.
    let path: String
    /// In operation names: `gateway_groups`.
    let name: String
    /// For people: `a gateway group`.
    let title: String
    let schema: Schema
    let json: @Sendable (Value) -> JSONValue
    let id: @Sendable (Value) -> Identifier<Kind>
    let revision: @Sendable (Value) -> Int64
    /// They are the instance's: permissions are needed there, not where each thing is.
    var isOfInstance = false

    private func auth(_ permission: Permission) -> Endpoint.Auth {
        self.isOfInstance ? .instance(permission) : .bearer(permission)
    }

    var collection: PathTemplate { PathTemplate("/v1/\(self.path)") }
    var item: PathTemplate { PathTemplate("/v1/\(self.path)/{id}") }

    func create(
        _ permission: Permission, _ body: Schema,
        _ operation: @escaping @Sendable (Call) async throws -> Resolved<Value>
    ) -> Endpoint {
        Endpoint(
            .post, self.collection, "\(self.name).create", "Create \(self.title)", auth: self.auth(permission),
            body: .json(body), status: 201, success: .json(self.schema)
        ) { call in
            let made = try await operation(call)
            return self.answer(made, status: 201).located(at: "\(self.collection)/\(self.id(made.value))")
        }
    }

    func list(
        _ permission: Permission, _ filters: [QueryParameter],
        _ operation: @escaping @Sendable (Call, PageRequest) async throws -> Page<Value>
    ) -> Endpoint {
        Endpoint(
            .get, self.collection, "\(self.name).list", "List \(self.name)", auth: self.auth(permission),
            query: filters + PageRequest.parameters, success: .json(.page(of: self.schema))
        ) { call in
            try await operation(call, try PageRequest(call)).answer(self.json)
        }
    }

    func get(
        _ permission: Permission,
        _ operation: @escaping @Sendable (Identifier<Kind>, OperationContext) async throws -> Value
    ) -> Endpoint {
        Endpoint(
            .get, self.item, "\(self.name).get", "Read \(self.title)", auth: self.auth(permission),
            success: .json(self.schema)
        ) { call in
            let value = try await operation(try call.id(), call.context)
            return .resource(self.json(value), revision: self.revision(value))
        }
    }

    func update(
        _ permission: Permission, _ body: Schema,
        _ operation: @escaping @Sendable (Identifier<Kind>, Call) async throws -> Resolved<Value>
    ) -> Endpoint {
        Endpoint(
            .patch, self.item, "\(self.name).update", "Change \(self.title)", auth: self.auth(permission),
            body: .json(body), success: .json(self.schema)
        ) { call in
            self.answer(try await operation(try call.id(), call), status: 200)
        }
    }

    func delete(
        _ permission: Permission,
        _ operation: @escaping @Sendable (Identifier<Kind>, Call) async throws -> [AuditReceipt]
    ) -> Endpoint {
        Endpoint(
            .delete, self.item, "\(self.name).delete", "Delete \(self.title)", auth: self.auth(permission), status: 204,
            success: .empty
        ) { call in
            Answer(status: 204).audited(try await operation(try call.id(), call))
        }
    }

    func answer(_ changed: Resolved<Value>, status: Int) -> Answer {
        Answer.resource(self.json(changed.value), revision: self.revision(changed.value), status: status)
            .audited(changed.receipts)
    }
}

/// What can be done with the things of a noun that each are somewhere below an organization, or the instance's.
package protocol ResourceOperations<Kind, Value>: Sendable {
    associatedtype Kind: IdentifierKind
    associatedtype Value: Sendable

    func get(_ id: Identifier<Kind>, as context: OperationContext) async throws -> Value
    func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Value>
    /// Of a body that the noun's schema accepts.
    func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Value>
    /// Of a patch that the noun's schema accepts.
    func update(
        _ id: Identifier<Kind>, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Value>
    func delete(_ id: Identifier<Kind>, ifRevision: Int64?, as context: OperationContext) async throws -> [AuditReceipt]
}

/// What each of the five operations needs.
struct ResourcePermissions {
    let create: Permission
    let read: Permission
    let update: Permission
    let delete: Permission
}

extension ResourceRoutes {
    /// All five endpoints.
    func all(
        _ things: some ResourceOperations<Kind, Value>, _ permissions: ResourcePermissions, creation: Schema,
        patch: Schema
    ) -> [Endpoint] {
        [
            self.create(permissions.create, creation) { call in try await things.create(call.body, as: call.context) },
            self.list(permissions.read, Ownership.scopeFilters) { call, page in
                try await things.list(organization: call.filter("organization"), page, as: call.context)
            },
            self.get(permissions.read) { id, context in try await things.get(id, as: context) },
            self.update(permissions.update, patch) { id, call in
                try await things.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            self.delete(permissions.delete) { id, call in
                try await things.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }
}
