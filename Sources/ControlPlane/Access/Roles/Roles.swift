import Postgres
package import Shared

/// What can be done with roles.
package struct Roles: ResourceOperations {
    private let reads: Reads
    private let changes: Changes
    private let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    /// One that is built in is seen by whoever sees roles anywhere.
    package func get(_ id: RoleID, as context: OperationContext) async throws -> Role {
        try await self.reads.perform(.rolesRead, as: context) { tx, sight in
            let role = try RoleStore.fetch(id, &tx)
            if !role.isBuiltIn { try sight.require(role.partition.scope, "role", &tx) }
            return role
        }
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Role> {
        let found = try await self.reads.perform(.rolesRead, as: context) { tx, sight in
            try RoleStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `Role.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Role> {
        let id: RoleID = self.time.newID()
        let outcome = try await self.changes.perform(.rolesCreate, on: Target(id), as: context) { tx, gate in
            let organization = body["organization"]?.string.flatMap { OrganizationID($0) }
            let permit = try gate.permit(in: organization, &tx)
            let role = Role(
                id: id, organization: organization, name: body["name"]?.string ?? "",
                description: body["description"]?.string ?? "", permissions: PermissionSet(body, "permissions"),
                stamps: Stamps(new: context.time))
            try AccessEdit.check([.role(id, role.permissions)], in: role.partition, as: gate, &tx)
            try RoleStore.insert(role, &tx, permit)
            return Change(role, in: organization, after: role)
        }
        return try await outcome.resolved { try await self.get(RoleID($0), as: context) }
    }

    package func update(
        _ id: RoleID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Role> {
        let outcome = try await self.changes.perform(.rolesUpdate, on: Target(id), as: context) { tx, gate in
            let before = try Self.own(id, &tx)
            let permit = try gate.permit(at: before.partition.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = before.applying(patch, at: context.time)
            try AccessEdit.check([.role(id, after.permissions)], in: after.partition, as: gate, &tx)
            try RoleStore.save(after, &tx, permit)
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    package func delete(
        _ id: RoleID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.rolesDelete, on: Target(id), as: context) { tx, gate in
            let before = try Self.own(id, &tx)
            let permit = try gate.permit(at: before.partition.scope, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try AccessEdit.check([.removedRole(id)], in: before.partition, as: gate, &tx)
            guard try !RoleStore.isBound(id, &tx) else {
                throw ControlError.conflict("in_use", "A binding names it; delete its bindings first.")
            }
            try RoleStore.remove(id, at: context.time, &tx, permit)
            return Change((), in: before.organization, before: before)
        }.receipts
    }

    private static func own(_ id: RoleID, _ tx: inout Transaction) throws -> Role {
        let role = try RoleStore.fetch(id, &tx, forUpdate: true)
        guard !role.isBuiltIn else {
            throw ControlError.conflict("built_in", "The role is built in: make one of your own with what you need.")
        }
        return role
    }
}

extension Gate {
    /// The permit for something that is an organization's, or the instance's.
    func permit(in organization: OrganizationID?, _ tx: inout Transaction) throws -> Permit {
        guard let organization else {
            return try self.permit(at: .instance, &tx, orMissing: Access.denied(self.permission))
        }
        let missing = ControlError.invalid("There is no such organization.", at: "/organization")
        guard try ScopeNodeStore.find(organization.node, &tx, lock: .share)?.reference == .organization(organization)
        else { throw missing }
        return try self.permit(at: .node(organization.node), &tx, orMissing: missing)
    }
}
