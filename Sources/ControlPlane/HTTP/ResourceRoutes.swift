import Shared

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
