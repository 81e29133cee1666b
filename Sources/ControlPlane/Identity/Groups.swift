import Postgres
package import Shared

extension Identity {
    package func group(_ id: GroupID, as context: OperationContext) async throws -> UserGroup {
        try await self.reads.one(.groupsRead, as: context, "group", at: \.scope) { tx in try GroupStore.fetch(id, &tx) }
    }

    func groups(_ list: SubjectList, as context: OperationContext) async throws -> Page<UserGroup> {
        let found = try await self.reads.perform(.groupsRead, as: context) { tx, sight in
            try GroupStore.list(list, sight, &tx)
        }
        return Page(found, list.page, position: \.id.bytes)
    }

    package func createGroup(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<UserGroup> {
        let group = UserGroup(self.time.newID(), body, at: context.time)
        let outcome = try await self.changes.perform(.groupsCreate, on: Target(group.id), as: context) { tx, gate in
            let home = try Self.home(group.organization, &tx)
            let permit = try gate.permit(at: home.scope, &tx, orMissing: home.missing)
            try GroupStore.insert(group, &tx, permit)
            return Change(group, in: group.organization, after: group)
        }
        return try await outcome.resolved { id in try await self.group(GroupID(id), as: context) }
    }

    package func updateGroup(
        _ id: GroupID, _ body: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<UserGroup> {
        let outcome = try await self.changes.perform(.groupsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try GroupStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.patched(body, at: context.time)
            try Self.check(AccessSubject(id), before.status, after.status, in: before.partition, gate, &tx)
            try GroupStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.group(id, as: context) }
    }

    /// Removes a group with its memberships, bindings and deny rules; its members stay.
    package func deleteGroup(
        _ id: GroupID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.groupsDelete, on: Target(id), as: context) { tx, gate in
            let before = try GroupStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try Self.checkRemoval(AccessSubject(id), in: before.partition, gate, &tx)
            let ended = try GroupStore.remove(before, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before, after: ended)
        }.receipts
    }
}
