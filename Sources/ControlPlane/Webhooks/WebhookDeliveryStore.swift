import Postgres
import Shared

/// The SQL of deliveries: the outbox that is written with each event.
package enum WebhookDeliveryStore {
    /// What one attempt needs.
    struct Claim: Sendable {
        let webhook: WebhookID
        let event: EventID
        /// Its number, from 1: nobody else has this one.
        let attempt: Int
    }

    /// Seconds after which an attempt that nobody reported the end of is taken to be lost, and made again: more than one
    /// may take.
    package static let claimSeconds: Int64 = 60

    /// Takes some of what is due, at most so many of one webhook; what another replica takes just now is passed over.
    ///
    /// - Parameters:
    ///   - room: most that are taken.
    ///   - busy: webhooks that nothing is taken of.
    static func claim(
        _ room: Int, perWebhook: Int, busy: [WebhookID], at now: Timestamp, _ tx: inout Transaction
    ) throws -> [Claim] {
        let rows = try tx.query(
            """
            with due as materialized (
                select webhook_id, event_id, next_at from webhook_delivery
                where state = 'pending' and next_at <= $1 and webhook_id <> all ($4)
                order by next_at limit 64 for update skip locked),
            ranked as (
                select webhook_id, event_id, next_at, row_number() over (partition by webhook_id order by next_at) as n
                from due),
            taken as (select webhook_id, event_id from ranked where n <= $3 order by next_at limit $2)
            update webhook_delivery d set attempts = d.attempts + 1, next_at = $5 from taken t
            where d.webhook_id = t.webhook_id and d.event_id = t.event_id
            returning d.webhook_id, d.event_id, d.attempts
            """, now, room, perWebhook, busy.map { SQLUUID(high: $0.value.high, low: $0.value.low) },
            now.adding(seconds: Self.claimSeconds)
        )
        return try rows.map {
            Claim(webhook: try $0.get("webhook_id"), event: try $0.get("event_id"), attempt: try $0.get("attempts"))
        }
    }

    /// Says how an attempt ended; nothing when another one was begun meanwhile, because this one took too long.
    static func finish(
        _ claim: Claim, state: WebhookDelivery.State, next: Timestamp, status: Int?, error: String?, at now: Timestamp,
        _ tx: inout Transaction
    ) throws {
        _ = try tx.execute(
            """
            update webhook_delivery set state = $4, next_at = $5, last_at = $6, last_status = $7::integer,
                last_error = $8::text, done_at = case when $4 = 'pending' then null else $6 end
            where webhook_id = $1 and event_id = $2 and attempts = $3 and state = 'pending'
            """, claim.webhook, claim.event, Int32(clamping: claim.attempt), state.rawValue, next, now,
            status.map { Int32(clamping: $0) }, error.map { String($0.unicodeScalars.prefix(500)) }
        )
    }

    /// Gives up everything that is still to be delivered to a webhook.
    static func abandon(_ webhook: WebhookID, _ reason: String, at now: Timestamp, _ tx: inout Transaction) throws {
        _ = try tx.execute(
            """
            update webhook_delivery set state = 'failed', last_error = $2, done_at = $3
            where webhook_id = $1 and state = 'pending'
            """, webhook, reason, now
        )
    }

    /// How many wait, and since when the oldest of them does.
    static func waiting(_ tx: inout Transaction) throws -> (count: Int, since: Timestamp?) {
        let row = try tx.queryOne(
            "select count(*) as n, min(created_at) as since from webhook_delivery where state = 'pending'")
        return (Int(try row?.get("n", as: Int64.self) ?? 0), try row?.optional("since"))
    }

    /// Newest event first.
    static func list(
        of webhook: WebhookID, state: WebhookDelivery.State?, _ page: PageRequest, _ tx: inout Transaction
    ) throws -> [WebhookDelivery] {
        try tx.query(
            """
            select d.webhook_id, d.event_id, e.type, d.state, d.attempts, d.next_at, d.last_at, d.last_status,
                d.last_error, d.created_at, d.done_at
            from webhook_delivery d join event e on e.id = d.event_id
            where d.webhook_id = $1 and ($2::text is null or d.state = $2) and ($3::uuid is null or d.event_id < $3)
            order by d.event_id desc limit $4
            """, webhook, state?.rawValue, page.afterID, page.fetchLimit
        ).map { row in
            WebhookDelivery(
                webhook: try row.get("webhook_id"), event: try row.get("event_id"), eventType: try row.get("type"),
                state: WebhookDelivery.State(rawValue: try row.get("state")) ?? .failed,
                attempts: try row.get("attempts"), nextAt: try row.get("next_at"), lastAt: try row.optional("last_at"),
                lastStatus: try row.optional("last_status"), lastError: try row.optional("last_error"),
                createdAt: try row.get("created_at"), doneAt: try row.optional("done_at"))
        }
    }
}
