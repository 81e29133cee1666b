import Shared

/// The endpoints of gateway groups, join tokens and gateways.
package enum FleetRoutes {
    package static func endpoints(_ fleet: Fleet) -> [Endpoint] {
        Self.groups(fleet) + Self.memberships(fleet) + [Self.joinTokens(fleet)] + Self.gateways(fleet)
    }

    private static func groups(_ fleet: Fleet) -> [Endpoint] {
        let routes = ResourceRoutes<GatewayGroupKind, GatewayGroup>(
            path: "gateway-groups", name: "gateway_groups", title: "a gateway group", schema: GatewayGroup.schema,
            json: \.json, id: \.id, revision: \.revision, isOfInstance: true
        )
        return [
            routes.create(.gatewayGroupsCreate, GatewayGroup.creationSchema) { call in
                try await fleet.createGroup(call.body, as: call.context)
            },
            routes.list(.gatewayGroupsRead, []) { _, page in try await fleet.groups(page) },
            routes.get(.gatewayGroupsRead) { id, _ in try await fleet.group(id) },
            routes.update(.gatewayGroupsUpdate, GatewayGroup.patchSchema) { id, call in
                try await fleet.updateGroup(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
        ]
    }

    private static func memberships(_ fleet: Fleet) -> [Endpoint] {
        let path: PathTemplate = "/v1/gateway-groups/{id}/organizations/{organization}"
        return [
            Endpoint(
                .put, path, "gateway_groups.add_organization", "Let a group's gateways serve an organization",
                auth: .instance(.gatewayGroupsAssign), status: 204, success: .empty
            ) { call in
                let receipts = try await fleet.setMembership(
                    of: try call.id("organization"), in: try call.id(), to: true, as: call.context
                )
                return Answer(status: 204).audited(receipts)
            },
            Endpoint(
                .delete, path, "gateway_groups.remove_organization", "Take an organization from a group's gateways",
                auth: .instance(.gatewayGroupsAssign), status: 204, success: .empty
            ) { call in
                let receipts = try await fleet.setMembership(
                    of: try call.id("organization"), in: try call.id(), to: false, as: call.context
                )
                return Answer(status: 204).audited(receipts)
            },
        ]
    }

    private static func joinTokens(_ fleet: Fleet) -> Endpoint {
        Endpoint(
            .post, "/v1/join-tokens", "join_tokens.create", "Create a token that lets one gateway join a group",
            auth: .instance(.joinTokensCreate), body: .json(IssuedJoinToken.creationSchema), status: 201,
            success: .json(IssuedJoinToken.schema)
        ) { call in
            guard let group = call.body["group"]?.string.flatMap({ GatewayGroupID($0) }) else {
                throw ControlError.notFound("gateway group")
            }
            let issued = try await fleet.createJoinToken(
                for: group, ttl: call.body["ttl_seconds"]?.integer ?? IssuedJoinToken.ttlLimit, as: call.context
            )
            let secret = issued.isReplay ? nil : issued.value.text
            return Answer.json(issued.value.json.showing(secret, isReplay: issued.isReplay), status: 201)
                .located(at: "/v1/join-tokens/\(issued.value.id)").audited(issued.receipts)
        }
    }

    private static func gateways(_ fleet: Fleet) -> [Endpoint] {
        let item: PathTemplate = "/v1/gateways/{id}"
        return [
            Endpoint(
                .get, "/v1/gateways", "gateways.list", "List gateways and how they stand",
                auth: .instance(.gatewaysRead),
                query: [
                    QueryParameter("group", .id(GatewayGroupKind.self), "Those of one group."),
                    QueryParameter(
                        "status", .string(.oneOf(Gateway.Status.allCases.map(\.rawValue))),
                        "active (when absent), or removed: those that were, with removed_at."
                    ),
                ] + PageRequest.parameters, success: .json(.page(of: Gateway.schema))
            ) { call in
                let status = call.query["status"]?.string.flatMap { Gateway.Status(rawValue: $0) } ?? .active
                let page = try await fleet.gateways(group: call.filter("group"), status: status, try PageRequest(call))
                return page.answer { $0.json(at: call.context.time) }
            },
            Endpoint(
                .get, item, "gateways.get", "Read a gateway and how it stands, also one that was removed",
                auth: .instance(.gatewaysRead),
                success: .json(Gateway.schema)
            ) { call in
                let gateway = try await fleet.gateway(try call.id())
                return .resource(gateway.json(at: call.context.time), revision: gateway.revision)
            },
            Endpoint(
                .delete, item, "gateways.delete", "Remove a gateway and give its group another key",
                auth: .instance(.gatewaysDelete), status: 204, success: .empty
            ) { call in
                let receipts = try await fleet.deleteGateway(
                    try call.id(), ifRevision: try call.ifMatch(), as: call.context
                )
                return Answer(status: 204).audited(receipts)
            },
        ]
    }
}
