import Postgres
package import Shared

/// What can be done with bindings.
package struct Bindings: Sendable {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: BindingID, as context: OperationContext) async throws -> Binding {
        try await self.reads.one(.bindingsRead, as: context, "binding", at: \.place) { tx in
            try BindingStore.fetch(id, &tx)
        }
    }

    /// - Parameters name: what lists are filtered by; a scope is meant as it is, without what is above or below it.
    package func list(
        organization: OrganizationID?, subject: AccessSubject?, role: RoleID?, scope: ScopeReference?,
        _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Binding> {
        let filter = BindingStore.Filter(organization: organization, subject: subject, role: role, scope: scope)
        let found = try await self.reads.perform(.bindingsRead, as: context) { tx, sight in
            try BindingStore.list(filter, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `Binding.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Binding> {
        let id: BindingID = self.time.newID()
        let outcome = try await self.changes.perform(.bindingsCreate, on: Target(id), as: context) { tx, gate in
            let owner = try Ownership.resolve(body["scope"]?.string, &tx)
            let permit = try gate.permit(at: owner.place, &tx, orMissing: Ownership.missing)
            guard let subject = body["subject"]?.string.flatMap({ AccessSubject($0) }),
                let partition = try BindingStore.partition(of: subject, held: true, &tx),
                partition.organization == nil || partition.organization == owner.organization
            else {
                throw ControlError.invalid("There is no such user, group or service account.", at: "/subject")
            }
            guard let role = try body["role"]?.string.flatMap({ RoleID($0) }).flatMap({ try RoleStore.find($0, &tx) }),
                role.isBuiltIn || role.partition == partition
            else { throw ControlError.invalid("There is no such role.", at: "/role") }
            let expires = body["expires_at"]?.string.flatMap { Timestamp($0) }
            try Self.check(expires, at: context.time)
            let binding = Binding(
                id: id, organization: partition.organization, subject: subject, role: role.id, scope: owner.scope,
                reason: body["reason"]?.string ?? "", expiresAt: expires, createdBy: context.actor,
                stamps: Stamps(new: context.time))
            try AccessEdit.check([binding.fact], in: partition, as: gate, &tx)
            try BindingStore.insert(binding, &tx, permit)
            return Change(binding, in: owner.organization, after: binding)
        }
        return try await outcome.resolved { try await self.get(BindingID($0), as: context) }
    }

    package func update(
        _ id: BindingID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Binding> {
        let outcome = try await self.changes.perform(.bindingsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try BindingStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            if after.expiresAt != before.expiresAt {
                try Self.check(after.expiresAt, at: context.time)
                try AccessEdit.check([after.fact], in: after.partition, as: gate, &tx)
            }
            try BindingStore.save(after, &tx, permit)
            return Change(after, in: try before.scopeOrganization(&tx), before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: BindingID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.bindingsDelete, on: Target(id), as: context) { tx, gate in
            let before = try BindingStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try AccessEdit.check([.removedBinding(id)], in: before.partition, as: gate, &tx)
            try BindingStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: try before.scopeOrganization(&tx), before: before)
        }.receipts
    }

    private static func check(_ expires: Timestamp?, at now: Timestamp) throws(ControlError) {
        guard let expires, expires <= now else { return }
        throw ControlError.invalid("It would have ended already.", at: "/expires_at")
    }
}

extension Binding {
    /// Whose log a change of it goes to: that of the organization it is about, also where the subject is the instance's.
    func scopeOrganization(_ tx: inout Transaction) throws -> OrganizationID? {
        guard let scope else { return nil }
        return try ScopeNodeStore.find(scope.node, &tx)?.organization ?? self.organization
    }
}
