import Postgres
package import Shared

extension Identity {
    package func members(
        of id: GroupID, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<GroupMember> {
        let after = try page.after.map { bytes throws(ControlError) -> AccessSubject in
            guard let kind = bytes.first.flatMap({ AccessSubject.Kind(ordinal: $0) }),
                let id = UUIDValue(bytes: Array(bytes.dropFirst()))
            else {
                throw ControlError(.invalid, "invalid_cursor", "The cursor is not one of this list.", pointer: "cursor")
            }
            return AccessSubject(kind, id)
        }
        let found = try await self.reads.perform(.groupsRead, as: context) { tx, sight in
            try sight.require(try GroupStore.fetch(id, &tx).scope, "group", &tx)
            return try GroupMemberStore.list(of: id, after: after, limit: page.fetchLimit, &tx)
        }
        return Page(found, page, position: \.position)
    }

    /// The groups that a user is in, himself or by way of others.
    package func groups(
        of user: UserID, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<HeldGroup> {
        let found = try await self.reads.perform(.groupsRead, as: context) { tx, sight in
            let scope = try UserStore.fetch(user, &tx).scope
            // His groups are where he is; both he and they must be seen.
            try sight.require(scope, "user", &tx)
            guard try sight.access.allows(.usersRead, at: scope, &tx) else { throw ControlError.hidden("user") }
            return try GroupMemberStore.groups(of: AccessSubject(user), page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// The same for a service account.
    package func groups(
        of account: ServiceAccountID, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<HeldGroup> {
        let found = try await self.reads.perform(.groupsRead, as: context) { tx, sight in
            let account = try ServiceAccountStore.fetch(account, &tx)
            try sight.require(account.partition.scope, "service account", &tx)
            guard try sight.access.allows(.serviceAccountsRead, at: account.scope, &tx) else {
                throw ControlError.hidden("service account")
            }
            return try GroupMemberStore.groups(of: AccessSubject(account.id), page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Puts somebody into a group, or takes him out; who is in it, or is not, stays so.
    package func setMembership(
        of member: AccessSubject, in id: GroupID, to isMember: Bool, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        let permission: Permission = isMember ? .groupMembersAdd : .groupMembersRemove
        return try await self.changes.perform(permission, on: Target(id), as: context) { tx, gate in
            let partition = try GroupStore.fetch(id, &tx).partition
            let permit = try gate.permit(at: partition.scope, &tx)
            // From here on nobody is removed, and no group is put into another.
            try AccessStore.lock(partition, &tx)
            let group = try GroupStore.fetch(id, &tx)
            let before = try GroupMemberStore.has(member, in: id, &tx)
            if isMember { try Self.checkMember(member, of: group, &tx) }
            let after = isMember ? before ?? GroupMember(member: member, since: context.time) : nil
            if (before == nil) != (after == nil) {
                try AccessEdit.check([.member(member, of: id, isMember)], in: partition, as: gate, &tx)
                if let after {
                    try GroupMemberStore.add(after, to: group, &tx, permit)
                } else {
                    try GroupMemberStore.remove(member, from: group, at: context.time, &tx, permit)
                }
            }
            return Change(
                (), in: group.organization, before: before.map { Membership(group: id, member: $0) },
                after: after.map { Membership(group: id, member: $0) })
        }.receipts
    }

    private static func checkMember(
        _ member: AccessSubject, of group: UserGroup, _ tx: inout Transaction
    ) throws {
        // What is in another organization is answered like what is nowhere.
        guard try GroupMemberStore.exists(member, in: group.partition, &tx) else {
            let owner = group.organization == nil ? "The instance" : "The group's organization"
            throw ControlError(
                .unprocessable, "no_such_member", "\(owner) has no such user, group or service account.",
                pointer: "member")
        }
        guard member.kind == .group else { return }
        let nesting = try GroupMemberStore.nesting(of: GroupID(member.id), in: group.id, &tx)
        if nesting.isCycle {
            throw ControlError(
                .conflict, "group_cycle", "The group would come to be in itself.", pointer: "member")
        }
        if nesting.depth > UserGroup.depthLimit {
            throw ControlError(
                .conflict, "too_deep", "Groups may be nested \(UserGroup.depthLimit) deep at most.", pointer: "member")
        }
    }

    private struct Membership: Audited {
        let group: GroupID
        let member: GroupMember

        var auditState: JSONValue {
            [
                "group": JSONValue(self.group), "member": .string(self.member.member.text),
                "created_at": JSONValue(self.member.since),
            ]
        }
    }
}
