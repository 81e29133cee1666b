package import Postgres
package import Shared

/// What can be done with gateway groups, the tokens to join them, and gateways.
package struct Fleet: Sendable {
    let database: Database
    let changes: Changes
    let keys: KeyEncryptionKeys
    let time: TimeSource

    package init(database: Database, changes: Changes, keys: KeyEncryptionKeys, time: TimeSource) {
        self.database = database
        self.changes = changes
        self.keys = keys
        self.time = time
    }

    package func group(_ id: GatewayGroupID) async throws -> GatewayGroup {
        try await self.database.transaction(.readOnly) { tx in try GatewayGroupStore.fetch(id, &tx) }
    }

    package func groups(_ page: PageRequest) async throws -> Page<GatewayGroup> {
        let found = try await self.database.transaction(.readOnly) { tx in try GatewayGroupStore.list(page, &tx) }
        return Page(found, page, position: \.id.bytes)
    }

    package func createGroup(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<GatewayGroup> {
        let id: GatewayGroupID = self.time.newID()
        let outcome = try await self.changes.perform(.gatewayGroupsCreate, on: Target(id), at: .instance, as: context) {
            tx, permit in
            let group = GatewayGroup(
                id: id, name: "", keyBucketBits: 8, maxStaleSeconds: 259_200, maxBodyBytes: 33_554_432,
                requestSeconds: 900, unpricedModels: .deny, organizations: [], revision: 1, createdAt: context.time,
                updatedAt: context.time
            ).filled(by: body)
            try GatewayGroupStore.insert(group, &tx, permit)
            return Change(group, in: nil, after: group)
        }
        return try await outcome.resolved { try await self.group(GatewayGroupID($0)) }
    }

    package func updateGroup(
        _ id: GatewayGroupID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<GatewayGroup> {
        let outcome = try await self.changes.perform(.gatewayGroupsUpdate, on: Target(id), at: .instance, as: context) {
            tx, permit in
            let before = try GatewayGroupStore.fetch(id, &tx, lock: .update)
            try Revision.check(before.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            try GatewayGroupStore.save(after, &tx, permit)
            return Change(after, in: nil, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.group(id) }
    }

    /// Gives a group's gateways what an organization may do, or takes it away.
    package func setMembership(
        of organization: OrganizationID, in id: GatewayGroupID, to isMember: Bool, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.gatewayGroupsAssign, on: Target(id), at: .instance, as: context) { tx, permit in
            _ = try GatewayGroupStore.fetch(id, &tx, lock: .share)
            if isMember {
                _ = try ScopeNodeStore.fetch(.organization(organization), &tx, lock: .share)
                try GatewayGroupStore.add(organization, to: id, &tx, permit)
            } else {
                guard try GatewayGroupStore.remove(organization, from: id, &tx, permit) else {
                    throw ControlError.notFound("membership")
                }
            }
            let membership = Membership(group: id, organization: organization)
            return Change(
                (), in: organization, before: isMember ? nil : membership, after: isMember ? membership : nil,
                concernsInstance: true, group: id
            )
        }.receipts
    }

    private struct Membership: Audited {
        let group: GatewayGroupID
        let organization: OrganizationID

        var auditState: JSONValue {
            ["group": JSONValue(self.group), "organization": JSONValue(self.organization)]
        }
    }
}
