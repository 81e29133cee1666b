package import Postgres
package import Shared

/// Reads events.
package struct Events: Sendable {
    private let reads: Reads

    /// Days for which an event is kept, with what became of its deliveries.
    package static let keptDays: Int64 = 90

    package init(reads: Reads) { self.reads = reads }

    package func get(_ id: EventID, as context: OperationContext) async throws -> Event {
        try await self.reads.one(.eventsRead, as: context, "event", at: \.place) { tx in
            guard let found = try EventStore.find(id, &tx) else { throw ControlError.notFound("event") }
            return found
        }
    }

    /// Newest first.
    package func list(
        organization: OrganizationID?, type: String?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Event> {
        let found = try await self.reads.perform(.eventsRead, as: context) { tx, sight in
            try EventStore.list(organization: organization, type: type, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Removes some of those that are too old.
    ///
    /// - Returns: how many.
    package static func removeOld(
        _ tx: inout Transaction, at now: Timestamp, limit: Int64 = Removals.limit
    ) throws -> Int {
        try EventStore.remove(before: now.adding(seconds: -Self.keptDays * 86_400), limit: limit, &tx)
    }
}

/// The endpoints of events.
package enum EventRoutes {
    package static func endpoints(_ events: Events) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/events", "events.list", "List events, newest first", auth: .bearer(.eventsRead),
                query: [
                    QueryParameter("organization", .id(OrganizationKind.self), "Those of one organization."),
                    QueryParameter(
                        "type", .string(.oneOf(Event.types + [Event.webhookTest])), "Those of one type."),
                ] + PageRequest.parameters, success: .json(.page(of: Event.schema))
            ) { call in
                try await events.list(
                    organization: call.filter("organization"), type: call.query["type"]?.string, try PageRequest(call),
                    as: call.context
                ).answer(\.json)
            },
            Endpoint(
                .get, "/v1/events/{id}", "events.get", "Read an event", auth: .bearer(.eventsRead),
                success: .json(Event.schema)
            ) { call in
                .json(try await events.get(try call.id(), as: call.context).json)
            },
        ]
    }
}
