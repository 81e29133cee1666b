import Postgres
package import Shared

/// What can be done with virtual keys.
package struct VirtualKeys: Sendable {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    /// A key, with its text when that was made just now.
    package struct Issued: Sendable {
        package let key: VirtualKey
        package let secret: Secret<String>?
    }

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: VirtualKeyID, as context: OperationContext) async throws -> VirtualKey {
        try await self.reads.one(.virtualKeysRead, as: context, "virtual key", at: \.scope) { tx in
            try VirtualKeyStore.fetch(id, &tx)
        }
    }

    package func list(
        organization: OrganizationID?, project: ProjectID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<VirtualKey> {
        let found = try await self.reads.perform(.virtualKeysRead, as: context) { tx, sight in
            try VirtualKeyStore.list(organization: organization, project: project, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    package func create(
        in project: ProjectID, _ draft: VirtualKey.Draft, as context: OperationContext
    ) async throws -> Resolved<Issued> {
        let id: VirtualKeyID = self.time.newID()
        let token = TokenText.generate(.virtualKey)
        let outcome = try await self.changes.perform(.virtualKeysCreate, on: Target(id), as: context) { tx, gate in
            let missing = ControlError.invalid("There is no such project.", at: "/project")
            guard let home = try ScopeNodeStore.find(project.node, &tx, lock: .share),
                home.reference == .project(project)
            else { throw missing }
            let permit = try gate.permit(at: home.scope, &tx, orMissing: missing)
            let blank = VirtualKey(
                id: id, publicID: token.publicID, project: project, organization: home.organization, name: "",
                status: .active, allowedNetworks: [], metadata: [:], tags: [:], revision: 1, createdAt: context.time,
                updatedAt: context.time
            )
            let filled = try blank.filled(by: draft, at: context.time)
            try KeyTags.check(filled.tags, of: home)
            try Self.checkOwner(of: filled, &tx)
            try VirtualKeyStore.insert(filled, &tx, permit)
            try VirtualKeyStore.addSecret(
                token.digest, to: id, others: context.time, at: context.time, &tx, permit
            )
            let key = try VirtualKeyStore.fetch(id, &tx)
            return Change(Issued(key: key, secret: token.secret), in: home.organization, after: key)
        }
        return try await outcome.resolved { id in
            Issued(key: try await self.get(VirtualKeyID(id), as: context), secret: nil)
        }
    }

    package func update(
        _ id: VirtualKeyID, to draft: VirtualKey.Draft, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<VirtualKey> {
        try await self.change(id, .virtualKeysUpdate, ifRevision, context) { key, tx, _ in
            let after = try key.applying(draft, at: context.time)
            if after.owner != key.owner { try Self.checkOwner(of: after, &tx) }
            if after.tags != key.tags, let home = try ScopeNodeStore.find(key.project.node, &tx, lock: .share) {
                try KeyTags.check(after.tags, of: home)
            }
            return after
        }
    }

    /// Ends a key for good.
    package func revoke(_ id: VirtualKeyID, as context: OperationContext) async throws -> Resolved<VirtualKey> {
        try await self.change(id, .virtualKeysRevoke, nil, context) { key, _, _ in
            var revoked = key
            revoked.status = .revoked
            revoked.revision += 1
            revoked.updatedAt = context.time
            return revoked
        }
    }

    /// Gives a key another secret; those before stay good for `overlap` seconds.
    package func rotate(
        _ id: VirtualKeyID, overlap: Int64, as context: OperationContext
    ) async throws -> Resolved<Issued> {
        let outcome = try await self.changes.perform(.virtualKeysRotate, on: Target(id), as: context) { tx, gate in
            let before = try VirtualKeyStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.scope, &tx)
            let token = TokenText.generate(.virtualKey, publicID: before.publicID)
            let after = try before.applying(VirtualKey.Draft([:]), at: context.time)
            try VirtualKeyStore.save(after, &tx, permit)
            try VirtualKeyStore.addSecret(
                token.digest, to: id, others: context.time.adding(seconds: overlap), at: context.time, &tx, permit
            )
            let key = try VirtualKeyStore.fetch(id, &tx)
            return Change(
                Issued(key: key, secret: token.secret), in: before.organization, before: before, after: key
            )
        }
        return try await outcome.resolved { _ in Issued(key: try await self.get(id, as: context), secret: nil) }
    }

    package func delete(
        _ id: VirtualKeyID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.virtualKeysDelete, on: Target(id), as: context) { tx, gate in
            let before = try VirtualKeyStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.revision, ifRevision)
            try VirtualKeyStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }

    private static func checkOwner(of key: VirtualKey, _ tx: inout Transaction) throws {
        guard let owner = key.owner else { return }
        guard try BindingStore.partition(of: owner, held: true, &tx)?.organization == key.organization else {
            throw ControlError.invalid("The organization has no such user or service account.", at: "/owner")
        }
    }

    private func change(
        _ id: VirtualKeyID, _ permission: Permission, _ ifRevision: Int64?, _ context: OperationContext,
        _ body: @escaping @Sendable (VirtualKey, inout Transaction, borrowing Permit) throws -> VirtualKey
    ) async throws -> Resolved<VirtualKey> {
        let outcome = try await self.changes.perform(permission, on: Target(id), as: context) { tx, gate in
            let before = try VirtualKeyStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.revision, ifRevision)
            let after = try body(before, &tx, permit)
            try VirtualKeyStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }
}
