import Postgres
package import Shared

extension Catalog {
    package func model(_ id: ModelID, as context: OperationContext) async throws -> Model {
        try await self.reads.one(.modelsRead, as: context, "model", at: \.owner.place) { tx in
            try ModelStore.fetch(id, &tx)
        }
    }

    package func models(
        provider: ProviderID?, organization: OrganizationID?, _ page: PageRequest,
        as context: OperationContext
    ) async throws -> Page<Model> {
        let found = try await self.reads.perform(.modelsRead, as: context) { tx, sight in
            try ModelStore.list(provider: provider, organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createModel(
        of provider: ProviderID, _ body: JSONValue, as context: OperationContext
    ) async throws -> Resolved<Model> {
        let id: ModelID = self.time.newID()
        let outcome = try await self.changes.perform(.modelsCreate, on: Target(id), as: context) { tx, gate in
            let missing = ControlError.invalid("There is no such provider.", at: "/provider")
            guard let home = try ProviderStore.find(provider, &tx, lock: .share) else { throw missing }
            let permit = try gate.permit(at: home.owner.place, &tx, orMissing: missing)
            let model = Model(
                id: id, provider: provider, owner: home.owner, name: body["name"]?.string ?? "",
                contextWindow: body["context_window"]?.integer ?? 0,
                maxOutputTokens: body["max_output_tokens"]?.integer ?? 0, status: .active,
                stamps: Stamps(new: context.time)
            )
            try ModelStore.insert(model, &tx, permit)
            return Change(model, in: home.owner.organization, after: model)
        }
        return try await outcome.resolved { try await self.model(ModelID($0), as: context) }
    }

    package func updateModel(
        _ id: ModelID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Model> {
        let outcome = try await self.changes.perform(.modelsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try ModelStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            try ModelStore.save(after, &tx, permit)
            return Change(after, in: before.owner.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.model(id, as: context) }
    }

    package func deleteModel(
        _ id: ModelID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.modelsDelete, on: Target(id), as: context) { tx, gate in
            let before = try ModelStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            guard try !ModelStore.isUsed(id, &tx) else { throw ControlError.conflict("in_use", "A route names it.") }
            try ModelStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.owner.organization, before: before)
        }.receipts
    }
}
