import Shared

/// The endpoints of users.
package enum UserRoutes {
    package static func endpoints(_ identity: Identity) -> [Endpoint] {
        let routes = SubjectRoutes<UserKind, User>(
            path: "users", name: "users", title: "a user",
            permissions: (.usersCreate, .usersRead, .usersUpdate, .usersDelete), schema: User.schema, json: \.json,
            id: \.id, stamps: \.stamps
        )
        let filters = [
            SubjectList.organizationFilter, SubjectList.statusFilter,
            QueryParameter("login", .string(.login), "Those whose login begins so, in any case of letters."),
            QueryParameter("group", .id(GroupKind.self), "Those who are directly in a group."),
        ]
        return [
            routes.create(User.creationSchema) { try await identity.createUser($0.body, as: $0.context) },
            routes.list(filters) { call, list in
                try await identity.users(
                    list, login: call.query["login"]?.string, group: call.filter("group"), as: call.context)
            },
            routes.get { try await identity.user($0, as: $1.context) },
            routes.update(User.patchSchema) { id, call in
                try await identity.updateUser(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete("Delete a user, with his tokens, memberships, bindings and deny rules") { id, call in
                try await identity.deleteUser(id, ifRevision: try call.ifMatch(), as: call.context)
            },
            Endpoint(
                .post, "/v1/users/{id}/forget", "users.forget",
                "Forget a person: delete the user, if he is not, and erase what is known of him, for good",
                auth: .bearer(.usersForget), body: .json(ForgottenUser.requestSchema),
                success: .json(ForgottenUser.schema)
            ) { call in
                let done = try await identity.forgetUser(
                    try call.id(), reason: call.body["reason"]?.string ?? "", as: call.context)
                return Answer.json(done.value.json).audited(done.receipts)
            },
            Endpoint(
                .get, "/v1/users/{id}/groups", "users.groups", "List the groups that a user is in",
                auth: .bearer(.groupsRead), query: PageRequest.parameters, success: .json(.page(of: HeldGroup.schema))
            ) { call in
                let user: UserID = try call.id()
                return try await identity.groups(of: user, try PageRequest(call), as: call.context).answer(\.json)
            },
        ]
    }
}
