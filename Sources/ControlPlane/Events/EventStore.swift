import Postgres
import Shared

/// The SQL of events, which nothing changes.
enum EventStore {
    private static let columns: SQL =
        "select id, type, organization_id, subject_kind, subject_id, occurred_at, data::text as data from event"

    /// Stores an event, and with it what is to be delivered.
    ///
    /// - Parameter webhook: the only one that gets it; nil for all that ask for its type.
    static func raise(_ event: Event, only webhook: WebhookID? = nil, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            """
            insert into event (id, type, organization_id, subject_kind, subject_id, occurred_at, data)
            values ($1, $2, $3::uuid, $4, $5, $6, $7)
            """, event.id, event.type, event.organization, event.subject.kind, event.subject.id, event.occurredAt,
            SQLJSON(event.data.text)
        )
        _ = try tx.execute(
            """
            insert into webhook_delivery (webhook_id, event_id, next_at, created_at)
            select w.id, $1, $2, $2 from webhook w
            where access_partition(w.organization_id) = access_partition($3::uuid) and w.deleted_at is null and w.status = 'active'
                and (w.id = $4::uuid or ($4::uuid is null and w.event_types && array['*', $5::text]))
            """, event.id, event.occurredAt, event.organization, webhook, event.type
        )
    }

    static func find(_ id: EventID, _ tx: inout Transaction) throws -> Event? {
        try tx.queryOne(Self.columns + " where id = $1", id).map(Self.read)
    }

    /// Newest first.
    static func list(
        organization: OrganizationID?, type: String?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Event] {
        try tx.query(
            Self.columns + """
                 where ($1::uuid is null or organization_id = $1) and ($2::text is null or type = $2)
                and ($3::uuid is null or id < $3)
                and
                """ + Sight.condition("organization_id", 5) + """
                     order by id desc limit $4
                    """, organization, type, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
    }

    /// Removes the oldest of those that happened before an instant; their deliveries go with them.
    ///
    /// Identifiers grow with time, so it is found by them.
    static func remove(before instant: Timestamp, limit: Int64, _ tx: inout Transaction) throws -> Int {
        try tx.execute(
            """
            delete from event where id = any (array(
                select id from event where id < $1 order by id limit $2))
            """, UUIDValue(milliseconds: UInt64(clamping: instant.milliseconds), random: (0, 0)), limit)
    }

    /// Of a row of `event`.
    @Sendable static func read(_ row: Row) throws -> Event {
        let kind: String = try row.get("subject_kind")
        let subject = Target(Target.text(kind: kind, id: try row.get("subject_id")))
        guard let subject else {
            throw ControlError(
                .internalFailure, "internal", "The error was logged under the request id.",
                internalDetail: "an event about a '\(kind)'")
        }
        return Event(
            id: try row.get("id"), type: try row.get("type"), organization: try row.optional("organization_id"),
            subject: subject, occurredAt: try row.get("occurred_at"),
            data: try JSONParser.parse(Array(try row.get("data", as: String.self).utf8)))
    }
}
