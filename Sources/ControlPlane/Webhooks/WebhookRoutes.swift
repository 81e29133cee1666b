import Shared

/// The endpoints of webhooks.
package enum WebhookRoutes {
    private static let path: PathTemplate = "/v1/webhooks"

    package static func endpoints(_ webhooks: Webhooks) -> [Endpoint] {
        let routes = ResourceRoutes<WebhookKind, Webhook>(
            path: "webhooks", name: "webhooks", title: "a webhook", schema: Webhook.schema, json: \.json, id: \.id,
            revision: \.stamps.revision
        )
        return [
            Endpoint(
                .post, Self.path, "webhooks.create", "Create a webhook; its secret is shown this once",
                auth: .bearer(.webhooksCreate), body: .json(Webhook.creationSchema), status: 201,
                success: .json(Webhook.schema)
            ) { call in
                let made = try await webhooks.create(call.body, as: call.context)
                return Self.answer(made, status: 201).located(at: "\(Self.path)/\(made.value.webhook.id)")
            },
            routes.list(
                .webhooksRead,
                [QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization.")]
            ) { call, page in
                try await webhooks.list(organization: call.filter("organization"), page, as: call.context)
            },
            routes.get(.webhooksRead) { id, context in try await webhooks.get(id, as: context) },
            routes.update(.webhooksUpdate, Webhook.patchSchema) { id, call in
                try await webhooks.update(id, call.body, ifRevision: try call.ifMatch(), as: call.context)
            },
            routes.delete(.webhooksDelete) { id, call in
                try await webhooks.delete(id, ifRevision: try call.ifMatch(), as: call.context)
            },
        ] + Self.actions(webhooks)
    }

    private static func actions(_ webhooks: Webhooks) -> [Endpoint] {
        [
            Endpoint(
                .post, "/v1/webhooks/{id}/rotate", "webhooks.rotate",
                "Give a webhook another signing secret; the one before signs too for a while",
                auth: .bearer(.webhooksRotate), body: .json(Webhook.rotationSchema), success: .json(Webhook.schema)
            ) { call in
                Self.answer(
                    try await webhooks.rotate(
                        try call.id(), overlap: call.body["overlap_seconds"]?.integer ?? 0, as: call.context),
                    status: 200)
            },
            Endpoint(
                .post, "/v1/webhooks/{id}/test", "webhooks.test", "Send a test event to a webhook",
                auth: .bearer(.webhooksTest), status: 202, success: .json(Event.schema)
            ) { call in
                let made = try await webhooks.test(try call.id(), as: call.context)
                return Answer.json(made.value.json, status: 202).located(at: "/v1/events/\(made.value.id)")
                    .audited(made.receipts)
            },
            Endpoint(
                .get, "/v1/webhooks/{id}/deliveries", "webhook_deliveries.list",
                "List what was, and is to be, delivered to a webhook, newest event first",
                auth: .bearer(.webhooksRead),
                query: [
                    QueryParameter(
                        "state", .string(.oneOf(WebhookDelivery.State.allCases.map(\.rawValue))),
                        "Those in one state.")
                ] + PageRequest.parameters, success: .json(.page(of: WebhookDelivery.schema))
            ) { call in
                let state = call.query["state"]?.string.flatMap { WebhookDelivery.State(rawValue: $0) }
                return try await webhooks.deliveries(
                    of: try call.id(), state: state, try PageRequest(call), as: call.context
                ).answer(\.json)
            },
        ]
    }

    private static func answer(_ issued: Resolved<Webhooks.Issued>, status: Int) -> Answer {
        let webhook = issued.value.webhook
        return Answer.resource(
            webhook.json.showing(issued.value.secret, isReplay: issued.isReplay), revision: webhook.stamps.revision,
            status: status
        ).audited(issued.receipts)
    }
}
