import Postgres
package import Shared

/// What can be done with organizations, units and projects.
package struct Organizations: Sendable {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ reference: ScopeReference, as context: OperationContext) async throws -> ScopeNode {
        try await self.reads.one(
            reference.kind.permissions.read, as: context, reference.kind.rawValue, at: \.scope
        ) { tx in try ScopeNodeStore.fetch(reference, &tx) }
    }

    package func list(
        _ kind: ScopeNode.Kind, organization: OrganizationID?, parent: ScopeReference?, _ page: PageRequest,
        as context: OperationContext
    ) async throws -> Page<ScopeNode> {
        let found = try await self.reads.perform(kind.permissions.read, as: context) { tx, sight in
            try ScopeNodeStore.list(kind, organization: organization, parent: parent?.node, page, sight, &tx)
        }
        return Page(found, page) { $0.reference.node.bytes }
    }

    package func create(
        _ kind: ScopeNode.Kind, name: String, parent: ScopeReference?, metadata: [String: String],
        tags: [TagDeclaration] = [], as context: OperationContext
    ) async throws -> Resolved<ScopeNode> {
        let reference = ScopeReference(kind, self.time.newID())
        let outcome = try await self.changes.perform(
            kind.permissions.create, on: reference.target, as: context
        ) { tx, gate in
            let missing = ControlError.invalid("There is no such organization or unit.", at: "/parent")
            let permit = try gate.permit(at: parent.map { .node($0.node) } ?? .instance, &tx, orMissing: missing)
            var organization = OrganizationID(reference.node.value)
            if let parent {
                guard let found = try Self.place(kind, under: parent, &tx) else { throw missing }
                organization = found
            }
            let node = ScopeNode(
                reference: reference, parent: parent, organization: organization, name: name, status: .active,
                metadata: metadata, tags: tags, revision: 1, createdAt: context.time, updatedAt: context.time
            )
            try ScopeNodeStore.insert(node, &tx, permit)
            try ProjectTags.check(nil, node, &tx)
            return Change(node, in: organization, after: node, concernsInstance: kind == .organization)
        }
        return try await outcome.resolved { id in try await self.get(ScopeReference(kind, NodeID(id)), as: context) }
    }

    /// The organization that something new under `parent` is in; holds the parent, and is nil when there is none.
    private static func place(
        _ kind: ScopeNode.Kind, under parent: ScopeReference, _ tx: inout Transaction
    ) throws -> OrganizationID? {
        guard let found = try ScopeNodeStore.find(parent.node, &tx, lock: .share), found.reference == parent,
            parent.kind != .project
        else { return nil }
        if kind == .unit, try ScopeNodeStore.unitDepth(parent.node, &tx) >= ScopeNode.unitDepthLimit {
            throw ControlError.conflict("too_deep", "Units may be nested \(ScopeNode.unitDepthLimit) deep at most.")
        }
        return found.organization
    }

    package func update(
        _ reference: ScopeReference, to draft: ScopeNode.Draft, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<ScopeNode> {
        let outcome = try await self.changes.perform(
            reference.kind.permissions.update, on: reference.target, as: context
        ) { tx, gate in
            let before = try ScopeNodeStore.fetch(reference, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.revision, ifRevision)
            let after = try before.applying(draft, at: context.time)
            try ProjectTags.check(before, after, &tx)
            try ScopeNodeStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(reference, as: context) }
    }

    package func delete(
        _ reference: ScopeReference, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(
            reference.kind.permissions.delete, on: reference.target, as: context
        ) { tx, gate in
            let before = try ScopeNodeStore.fetch(reference, &tx, lock: .update)
            let permit = try gate.permit(at: before.scope, &tx)
            try Revision.check(before.revision, ifRevision)
            if let occupant = try ScopeNodeStore.occupant(reference.node, &tx) {
                throw ControlError.conflict("not_empty", "It still has \(occupant).")
            }
            try ScopeNodeStore.remove(before, at: context.time, &tx, permit)
            return Change(
                (), in: before.organization, before: before, concernsInstance: reference.kind == .organization
            )
        }.receipts
    }
}

/// Optimistic concurrency: nobody overwrites what he has not seen.
package enum Revision {
    package static func check(_ current: Int64, _ expected: Int64?) throws(ControlError) {
        guard expected == nil || expected == current else {
            throw ControlError(
                .preconditionFailed, "revision_mismatch", "It is at revision \(current) by now; read it again.",
                pointer: "If-Match"
            )
        }
    }
}

extension ScopeNode.Kind {
    package var permissions: (create: Permission, read: Permission, update: Permission, delete: Permission) {
        switch self {
        case .organization: (.organizationsCreate, .organizationsRead, .organizationsUpdate, .organizationsDelete)
        case .unit: (.unitsCreate, .unitsRead, .unitsUpdate, .unitsDelete)
        case .project: (.projectsCreate, .projectsRead, .projectsUpdate, .projectsDelete)
        }
    }

    /// In paths and operation names.
    package var plural: String { self.rawValue + "s" }
}
