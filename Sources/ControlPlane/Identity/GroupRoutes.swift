import Shared

/// The endpoints of groups and of who is in them.
package enum GroupRoutes {
    package static func endpoints(_ identity: Identity) -> [Endpoint] {
        let routes = SubjectRoutes<GroupKind, UserGroup>(
            path: "groups", name: "groups", title: "a group",
            permissions: (.groupsCreate, .groupsRead, .groupsUpdate, .groupsDelete), schema: UserGroup.schema,
            json: \.json, id: \.id, stamps: \.stamps
        )
        return [
            routes.create(UserGroup.creationSchema) { try await identity.createGroup($0.body, as: $0.context) },
            routes.list([SubjectList.organizationFilter, SubjectList.statusFilter]) { call, list in
                try await identity.groups(list, as: call.context)
            },
            routes.get { try await identity.group($0, as: $1.context) },
            routes.update(UserGroup.patchSchema) { id, call in
                try await identity.updateGroup(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete("Delete a group, with its memberships and bindings; its members stay") { id, call in
                try await identity.deleteGroup(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ] + Self.members(identity)
    }

    private static func members(_ identity: Identity) -> [Endpoint] {
        let member: PathTemplate = "/v1/groups/{id}/members/{member}"
        return [
            Endpoint(
                .get, "/v1/groups/{id}/members", "group_members.list", "List who is directly in a group",
                auth: .bearer(.groupsRead), query: PageRequest.parameters,
                success: .json(.page(of: GroupMember.schema))
            ) { call in
                try await identity.members(of: try call.id(), try PageRequest(call, size: 17), as: call.context)
                    .answer(\.json)
            },
            Endpoint(
                .put, member, "group_members.add", "Put a user, a service account or a group into a group",
                auth: .bearer(.groupMembersAdd), status: 204, success: .empty
            ) { call in
                let receipts = try await identity.setMembership(
                    of: try Self.member(call), in: try call.id(), to: true, as: call.context)
                return Answer(status: 204).audited(receipts)
            },
            Endpoint(
                .delete, member, "group_members.remove", "Take a user, a service account or a group out of a group",
                auth: .bearer(.groupMembersRemove), status: 204, success: .empty
            ) { call in
                let receipts = try await identity.setMembership(
                    of: try Self.member(call), in: try call.id(), to: false, as: call.context)
                return Answer(status: 204).audited(receipts)
            },
        ]
    }

    private static func member(_ call: Call) throws(ControlError) -> AccessSubject {
        guard let member = call.path["member"].flatMap({ AccessSubject($0) }) else {
            throw ControlError(
                .unprocessable, "no_such_member", "A member is named by an identifier usr_…, grp_… or sa_….",
                pointer: "member")
        }
        return member
    }
}
