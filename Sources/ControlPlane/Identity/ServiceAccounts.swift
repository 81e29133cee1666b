import Postgres
package import Shared

extension Identity {
    package func serviceAccount(_ id: ServiceAccountID, as context: OperationContext) async throws -> ServiceAccount {
        try await self.reads.one(.serviceAccountsRead, as: context, "service account", at: \.scope) { tx in
            try ServiceAccountStore.fetch(id, &tx)
        }
    }

    func serviceAccounts(
        _ list: SubjectList, at home: ScopeReference?, as context: OperationContext
    ) async throws -> Page<ServiceAccount> {
        let found = try await self.reads.perform(.serviceAccountsRead, as: context) { tx, sight in
            try ServiceAccountStore.list(list, at: home?.node, sight, &tx)
        }
        return Page(found, list.page, position: \.id.bytes)
    }

    package func createServiceAccount(
        _ body: JSONValue, as context: OperationContext
    ) async throws -> Resolved<ServiceAccount> {
        let id: ServiceAccountID = self.time.newID()
        let outcome = try await self.changes.perform(.serviceAccountsCreate, on: Target(id), as: context) { tx, gate in
            let home = try Ownership.resolve(body["scope"]?.string, &tx)
            let missing = ControlError.invalid("There is no such organization, unit or project.", at: "/scope")
            let permit = try gate.permit(at: home.place, &tx, orMissing: missing)
            let account = ServiceAccount(id, of: home, body, at: context.time)
            try account.checkName(before: nil)
            try ServiceAccountStore.insert(account, &tx, permit)
            return Change(account, in: home.organization, after: account)
        }
        return try await outcome.resolved { id in try await self.serviceAccount(ServiceAccountID(id), as: context) }
    }

    package func updateServiceAccount(
        _ id: ServiceAccountID, _ body: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<ServiceAccount> {
        let outcome = try await self.changes.perform(.serviceAccountsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try ServiceAccountStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.patched(body, at: context.time)
            try after.checkName(before: before)
            try Self.check(AccessSubject(id), before.status, after.status, in: before.partition, gate, &tx)
            try ServiceAccountStore.save(after, &tx, permit)
            return Change(after, in: before.home.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.serviceAccount(id, as: context) }
    }

    /// Removes a service account with its tokens, memberships, bindings and deny rules.
    package func deleteServiceAccount(
        _ id: ServiceAccountID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.serviceAccountsDelete, on: Target(id), as: context) { tx, gate in
            let before = try ServiceAccountStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try Self.checkRemoval(AccessSubject(id), in: before.partition, gate, &tx)
            let ended = try ServiceAccountStore.remove(before, at: context.time, &tx, permit)
            return Change((), in: before.home.organization, before: before, after: ended)
        }.receipts
    }
}

extension ServiceAccount {
    /// The instance's account that is opened on the machine keeps its name, and nobody else has it.
    fileprivate func checkName(before: ServiceAccount?) throws(ControlError) {
        func isReserved(_ account: ServiceAccount) -> Bool {
            account.partition == .instance && account.name.lowercased() == BreakGlass.name
        }
        guard isReserved(self) != (before.map(isReserved) ?? false) else { return }
        throw .invalid(
            "'\(BreakGlass.name)' is the account that is opened on the machine: it is made, and named, there.",
            at: "/name")
    }
}
