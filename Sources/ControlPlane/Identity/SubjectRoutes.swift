import Shared

/// The five endpoints that users, groups and service accounts have alike.
struct SubjectRoutes<Kind: IdentifierKind, Value: Sendable>: Sendable {
    /// In paths: `service-accounts`.
    let path: String
    /// In operation names: `service_accounts`.
    let name: String
    /// For people: `a service account`.
    let title: String
    let permissions: (create: Permission, read: Permission, update: Permission, delete: Permission)
    let schema: Schema
    let json: @Sendable (Value) -> JSONValue
    let id: @Sendable (Value) -> Identifier<Kind>
    let stamps: @Sendable (Value) -> Stamps

    var collection: PathTemplate { PathTemplate("/v1/\(self.path)") }
    var item: PathTemplate { PathTemplate("/v1/\(self.path)/{id}") }

    func create(
        _ body: Schema, _ operation: @escaping @Sendable (Call) async throws -> Resolved<Value>
    ) -> Endpoint {
        Endpoint(
            .post, self.collection, "\(self.name).create", "Create \(self.title)",
            auth: .bearer(self.permissions.create), body: .json(body), status: 201, success: .json(self.schema)
        ) { call in
            let made = try await operation(call)
            return self.answer(made, status: 201).located(at: "\(self.collection)/\(self.id(made.value))")
        }
    }

    func list(
        _ filters: [QueryParameter],
        _ operation: @escaping @Sendable (Call, SubjectList) async throws -> Page<Value>
    ) -> Endpoint {
        Endpoint(
            .get, self.collection, "\(self.name).list", "List \(self.path.replacing("-", with: " "))",
            auth: .bearer(self.permissions.read), query: filters + PageRequest.parameters,
            success: .json(.page(of: self.schema))
        ) { call in
            try await operation(call, try SubjectList(call)).answer(self.json)
        }
    }

    func get(_ operation: @escaping @Sendable (Identifier<Kind>, Call) async throws -> Value) -> Endpoint {
        Endpoint(
            .get, self.item, "\(self.name).get", "Read \(self.title)", auth: .bearer(self.permissions.read),
            success: .json(self.schema)
        ) { call in
            let value = try await operation(try call.id(), call)
            return .resource(self.json(value), revision: self.stamps(value).revision)
        }
    }

    func update(
        _ body: Schema, _ operation: @escaping @Sendable (Identifier<Kind>, Call) async throws -> Resolved<Value>
    ) -> Endpoint {
        Endpoint(
            .patch, self.item, "\(self.name).update", "Change \(self.title)", auth: .bearer(self.permissions.update),
            body: .json(body), success: .json(self.schema)
        ) { call in
            self.answer(try await operation(try call.id(), call), status: 200)
        }
    }

    func delete(
        _ summary: String, _ operation: @escaping @Sendable (Identifier<Kind>, Call) async throws -> [AuditReceipt]
    ) -> Endpoint {
        Endpoint(
            .delete, self.item, "\(self.name).delete", summary, auth: .bearer(self.permissions.delete), status: 204,
            success: .empty
        ) { call in
            Answer(status: 204).audited(try await operation(try call.id(), call))
        }
    }

    private func answer(_ changed: Resolved<Value>, status: Int) -> Answer {
        Answer.resource(
            self.json(changed.value), revision: self.stamps(changed.value).revision, status: status
        ).audited(changed.receipts)
    }
}
