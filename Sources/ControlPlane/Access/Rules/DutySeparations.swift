import Postgres
package import Shared

/// What can be done with separations of duties.
///
/// One that is made while somebody is in conflict with it stays for him; from then on nothing brings anybody into conflict
/// with it.
package struct DutySeparations: ResourceOperations {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    package func get(_ id: DutySeparationID, as context: OperationContext) async throws -> DutySeparation {
        try await self.reads.one(
            .dutySeparationsRead, as: context, "separation of duties", at: \.partition.scope
        ) { tx in try DutySeparationStore.fetch(id, &tx) }
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<DutySeparation> {
        let found = try await self.reads.perform(.dutySeparationsRead, as: context) { tx, sight in
            try DutySeparationStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `DutySeparation.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<DutySeparation> {
        let id: DutySeparationID = self.time.newID()
        let outcome = try await self.changes.perform(.dutySeparationsCreate, on: Target(id), as: context) { tx, gate in
            let organization = body["organization"]?.string.flatMap { OrganizationID($0) }
            let permit = try gate.permit(in: organization, &tx)
            let separation = DutySeparation(
                id: id, organization: organization, name: body["name"]?.string ?? "",
                first: PermissionSet(body, "first"), second: PermissionSet(body, "second"),
                reason: body["reason"]?.string ?? "", stamps: Stamps(new: context.time))
            try Self.check(separation)
            try DutySeparationStore.insert(separation, &tx, permit)
            return Change(separation, in: organization, after: separation)
        }
        return try await outcome.resolved { try await self.get(DutySeparationID($0), as: context) }
    }

    package func update(
        _ id: DutySeparationID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<DutySeparation> {
        let outcome = try await self.changes.perform(.dutySeparationsUpdate, on: Target(id), as: context) { tx, gate in
            let before = try DutySeparationStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.partition.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            try Self.check(after)
            try DutySeparationStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: DutySeparationID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.dutySeparationsDelete, on: Target(id), as: context) { tx, gate in
            let before = try DutySeparationStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.partition.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try DutySeparationStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }

    private static func check(_ separation: DutySeparation) throws(ControlError) {
        let both = separation.first.intersection(separation.second).permissions
        guard both.isEmpty else {
            throw ControlError(
                .unprocessable, "both_sides", "On both sides: \(both.map(\.rawValue).joined(separator: ", ")).",
                pointer: "/second")
        }
    }
}
