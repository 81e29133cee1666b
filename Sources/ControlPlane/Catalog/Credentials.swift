import Postgres
package import Shared

extension Catalog {
    package func credential(_ id: CredentialID, as context: OperationContext) async throws -> Credential {
        try await self.reads.one(.credentialsRead, as: context, "credential", at: \.owner.place) { tx in
            try CredentialStore.fetch(id, &tx)
        }
    }

    package func credentials(
        provider: ProviderID?, organization: OrganizationID?, _ page: PageRequest,
        as context: OperationContext
    ) async throws -> Page<Credential> {
        let found = try await self.reads.perform(.credentialsRead, as: context) { tx, sight in
            try CredentialStore.list(provider: provider, organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func createCredential(
        for provider: ProviderID, name: String, secret: Secret<String>, as context: OperationContext
    ) async throws -> Resolved<Credential> {
        let id: CredentialID = self.time.newID()
        let sealed = try self.seal(secret, id, version: 1)
        let outcome = try await self.changes.perform(.credentialsCreate, on: Target(id), as: context) { tx, gate in
            let missing = ControlError.invalid("There is no such provider.", at: "/provider")
            guard let home = try ProviderStore.find(provider, &tx, lock: .share) else { throw missing }
            let permit = try gate.permit(at: home.owner.place, &tx, orMissing: missing)
            let credential = Credential(
                id: id, provider: provider, owner: home.owner, name: name, status: .active, version: 1,
                hint: Credential.hint(of: secret), stamps: Stamps(new: context.time)
            )
            try CredentialStore.insert(credential, sealed, &tx, permit)
            return Change(credential, in: home.owner.organization, after: credential)
        }
        return try await outcome.resolved { try await self.credential(CredentialID($0), as: context) }
    }

    package func updateCredential(
        _ id: CredentialID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Credential> {
        let outcome = try await self.changes.perform(.credentialsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try CredentialStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            try CredentialStore.save(after, &tx, permit)
            return Change(after, in: before.owner.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.credential(id, as: context) }
    }

    /// Replaces the secret; gateways have the new one with the next snapshot.
    package func rotateCredential(
        _ id: CredentialID, secret: Secret<String>, as context: OperationContext
    ) async throws -> Resolved<Credential> {
        let keys = self.keys
        let outcome = try await self.changes.perform(.credentialsRotate, on: Target(id), as: context) { tx, gate in
            let before = try CredentialStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            var after = before
            after.version += 1
            after.hint = Credential.hint(of: secret)
            after.stamps.advance(to: context.time)
            let sealed = try keys.seal(
                secret, context: KeyEncryptionKeys.credentialContext(id, version: after.version)
            )
            try CredentialStore.replaceSecret(after, sealed, &tx, permit)
            return Change(after, in: before.owner.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.credential(id, as: context) }
    }

    package func deleteCredential(
        _ id: CredentialID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.credentialsDelete, on: Target(id), as: context) { tx, gate in
            let before = try CredentialStore.fetch(id, &tx, lock: .update)
            let permit = try gate.permit(at: before.owner.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            guard try !CredentialStore.isUsed(id, &tx) else {
                throw ControlError.conflict("in_use", "A route names it.")
            }
            try CredentialStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.owner.organization, before: before)
        }.receipts
    }

    private func seal(_ secret: Secret<String>, _ id: CredentialID, version: Int) throws -> SealedSecret {
        try self.keys.seal(secret, context: KeyEncryptionKeys.credentialContext(id, version: version))
    }
}
