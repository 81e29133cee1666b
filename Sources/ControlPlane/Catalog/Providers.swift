import Postgres
package import Shared

extension Catalog {
    package func provider(_ id: ProviderID, as context: OperationContext) async throws -> Provider {
        try await self.reads.one(.providersRead, as: context, "provider", at: \.owner.place) { tx in
            try ProviderStore.fetch(id, &tx)
        }
    }

    package func providers(organization: OrganizationID?, _ page: PageRequest, as context: OperationContext)
        async throws -> Page<Provider>
    {
        let found = try await self.reads.perform(.providersRead, as: context) { tx, sight in
            try ProviderStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createProvider(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Provider> {
        let id: ProviderID = self.time.newID()
        let outcome = try await self.changes.perform(.providersCreate, on: Target(id), as: context) { tx, gate in
            let owner = try Ownership.resolve(body["scope"]?.string, &tx)
            let permit = try gate.permit(at: owner.place, &tx, orMissing: Ownership.missing)
            let provider = Provider(
                id: id, owner: owner, name: body["name"]?.string ?? "", kind: body["kind"]?.string ?? "",
                baseURL: body["base_url"]?.string ?? "", status: .active, stamps: Stamps(new: context.time)
            )
            try provider.check()
            try gate.requireInstance(forLoopback: provider.baseURL, at: "/base_url", &tx)
            try ProviderStore.insert(provider, &tx, permit)
            return Change(provider, in: owner.organization, after: provider)
        }
        return try await outcome.resolved { try await self.provider(ProviderID($0), as: context) }
    }

    package func updateProvider(
        _ id: ProviderID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Provider> {
        let outcome = try await self.changes.perform(.providersUpdate, on: Target(id), as: context) { tx, gate in
            let before = try ProviderStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.applying(patch, at: context.time)
            if after.baseURL != before.baseURL {
                try gate.requireInstance(forLoopback: after.baseURL, at: "/base_url", &tx)
            }
            try ProviderStore.save(after, &tx, permit)
            return Change(after, in: before.owner.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.provider(id, as: context) }
    }

    package func deleteProvider(
        _ id: ProviderID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.providersDelete, on: Target(id), as: context) { tx, gate in
            let before = try ProviderStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            guard try !ProviderStore.isUsed(id, &tx) else {
                throw ControlError.conflict("not_empty", "It still has models or credentials.")
            }
            try ProviderStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.owner.organization, before: before)
        }.receipts
    }
}
