import Postgres
package import Shared

extension Identity {
    package func user(_ id: UserID, as context: OperationContext) async throws -> User {
        try await self.reads.one(.usersRead, as: context, "user", at: \.scope) { tx in try UserStore.fetch(id, &tx) }
    }

    /// - Parameter group: a group whose direct members are asked for; nobody is in one that the caller does not see.
    func users(
        _ list: SubjectList, login: String?, group: GroupID?, as context: OperationContext
    ) async throws -> Page<User> {
        let found = try await self.reads.perform(.usersRead, as: context) { tx, sight in
            if let group {
                guard let asked = try GroupStore.find(group, &tx),
                    try sight.access.allows(.groupsRead, at: asked.scope, &tx)
                else { return [User]() }
            }
            return try UserStore.list(list, UserStore.Filter(login: login, group: group), sight, &tx)
        }
        return Page(found, list.page, position: \.id.bytes)
    }

    package func createUser(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<User> {
        let user = User(self.time.newID(), body, at: context.time)
        let outcome = try await self.changes.perform(.usersCreate, on: Target(user.id), as: context) { tx, gate in
            let home = try Self.home(user.organization, &tx)
            let permit = try gate.permit(at: home.scope, &tx, orMissing: home.missing)
            try UserStore.insert(user, &tx, permit)
            return Change(user, in: user.organization, after: user)
        }
        return try await outcome.resolved { id in try await self.user(UserID(id), as: context) }
    }

    package func updateUser(
        _ id: UserID, _ body: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<User> {
        let outcome = try await self.changes.perform(.usersUpdate, on: Target(id), as: context) { tx, gate in
            let before = try UserStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.patched(body, at: context.time)
            try Self.check(AccessSubject(id), before.status, after.status, in: before.partition, gate, &tx)
            try UserStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.user(id, as: context) }
    }

    /// Removes a user with his tokens, memberships, bindings and deny rules.
    package func deleteUser(
        _ id: UserID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.usersDelete, on: Target(id), as: context) { tx, gate in
            let before = try UserStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try Self.checkRemoval(AccessSubject(id), in: before.partition, gate, &tx)
            let ended = try UserStore.remove(before, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before, after: ended)
        }.receipts
    }
}
