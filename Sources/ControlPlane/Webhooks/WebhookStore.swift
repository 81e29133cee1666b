import Postgres
import Shared

/// The SQL of webhooks and their secrets.
enum WebhookStore {
    private static let columns: SQL = """
        select id, organization_id, name, url, event_types, status, disabled_reason, revision, created_at, updated_at
        from webhook
        """

    static func fetch(_ id: WebhookID, _ tx: inout Transaction, forUpdate: Bool = false) throws -> Webhook {
        let locking: SQL = forUpdate ? " for update" : ""
        let row = try tx.queryOne(Self.columns + " where id = $1 and deleted_at is null" + locking, id)
        guard let row else { throw ControlError.notFound("webhook") }
        return try Self.withSecrets([try Self.read(row)], &tx)[0]
    }

    /// Where those of some webhooks that are active are reached.
    static func activeURLs(of ids: Set<WebhookID>, _ tx: inout Transaction) throws -> [WebhookID: String] {
        let rows = try tx.query(
            "select id, url from webhook where id = any ($1) and deleted_at is null and status = 'active'",
            ids.sorted().map { SQLUUID(high: $0.value.high, low: $0.value.low) })
        var result: [WebhookID: String] = [:]
        for row in rows { result[try row.get("id")] = try row.get("url") }
        return result
    }

    static func list(
        organization: OrganizationID?, _ page: PageRequest, _ sight: Sight, _ tx: inout Transaction
    ) throws -> [Webhook] {
        let found = try tx.query(
            Self.columns + """
                 where deleted_at is null and ($1::uuid is null or access_partition(organization_id) = $1)
                and ($2::uuid is null or id > $2)
                and
                """ + Sight.condition("organization_id", 4) + """
                     order by id limit $3
                    """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map(Self.read)
        return try Self.withSecrets(found, &tx)
    }

    static func count(of partition: AccessPartition, _ tx: inout Transaction) throws -> Int {
        let row = try tx.queryOne(
            """
            select count(*) as n from webhook
            where access_partition(organization_id) = access_partition($1::uuid) and deleted_at is null
            """, partition.organization)
        return Int(try row?.get("n", as: Int64.self) ?? 0)
    }

    static func insert(_ webhook: Webhook, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            insert into webhook (id, organization_id, name, url, event_types, status, revision, created_at, updated_at)
            values ($1, $2::uuid, $3, $4, $5, $6, $7, $8, $8)
            """, webhook.id, webhook.organization, webhook.name, webhook.url, webhook.eventTypes,
            webhook.status.rawValue, webhook.stamps.revision, webhook.stamps.createdAt
        )
    }

    static func save(_ webhook: Webhook, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update webhook set name = $2, url = $3, event_types = $4, status = $5, disabled_reason = $6::text,
                revision = $7, updated_at = $8
            where id = $1
            """, webhook.id, webhook.name, webhook.url, webhook.eventTypes, webhook.status.rawValue,
            webhook.disabledReason, webhook.stamps.revision, webhook.stamps.updatedAt
        )
    }

    static func remove(_ id: WebhookID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            "update webhook set deleted_at = $2, updated_at = $2, revision = revision + 1 where id = $1", id, time)
        _ = try tx.execute("delete from webhook_secret where webhook_id = $1", id)
    }

    /// Disables one because its receiver wants nothing more.
    ///
    /// - Returns: whose it is; nil when it was disabled or deleted before.
    static func disable(
        _ id: WebhookID, reason: String, at now: Timestamp, _ tx: inout Transaction
    ) throws -> AccessPartition? {
        try tx.queryOne(
            """
            update webhook set status = 'disabled', disabled_reason = $2, revision = revision + 1, updated_at = $3
            where id = $1 and status = 'active' and deleted_at is null returning organization_id
            """, id, reason, now
        ).map { AccessPartition(try $0.optional("organization_id")) }
    }

    // MARK: Secrets

    /// Adds the next secret; the one before it ends at `others`, those before that end now.
    static func addSecret(
        _ sealed: SealedSecret, version: Int, to webhook: WebhookID, others: Timestamp, at time: Timestamp,
        _ tx: inout Transaction, _: borrowing Permit
    ) throws {
        _ = try tx.execute("delete from webhook_secret where webhook_id = $1 and version < $2 - 1", webhook, version)
        _ = try tx.execute(
            """
            update webhook_secret set expires_at = $2
            where webhook_id = $1 and (expires_at is null or expires_at > $2)
            """, webhook, others)
        _ = try tx.execute(
            """
            insert into webhook_secret (webhook_id, version, kek_id, wrapped_key, ciphertext, created_at)
            values ($1, $2, $3, $4, $5, $6)
            """, webhook, Int32(clamping: version), sealed.key.kekID, sealed.key.bytes, sealed.ciphertext, time
        )
    }

    /// The secrets that deliveries are signed with at an instant, newest first.
    static func secrets(
        of webhooks: Set<WebhookID>, at now: Timestamp, _ tx: inout Transaction
    ) throws -> [WebhookID: [(version: Int, sealed: SealedSecret)]] {
        let rows = try tx.query(
            """
            select webhook_id, version, kek_id, wrapped_key, ciphertext from webhook_secret
            where webhook_id = any ($1) and (expires_at is null or expires_at > $2) order by webhook_id, version desc
            """, webhooks.sorted().map { SQLUUID(high: $0.value.high, low: $0.value.low) }, now
        )
        var result: [WebhookID: [(version: Int, sealed: SealedSecret)]] = [:]
        for row in rows {
            let key = WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
            result[try row.get("webhook_id"), default: []].append(
                (try row.get("version"), SealedSecret(key: key, ciphertext: try row.get("ciphertext"))))
        }
        return result
    }

    private static func withSecrets(_ webhooks: [Webhook], _ tx: inout Transaction) throws -> [Webhook] {
        var webhooks = webhooks
        let rows = try tx.query(
            """
            select webhook_id, version, created_at, expires_at from webhook_secret
            where webhook_id = any ($1) order by webhook_id, version
            """, webhooks.map { SQLUUID(high: $0.id.value.high, low: $0.id.value.low) }
        )
        var secrets: [WebhookID: [Webhook.SecretInfo]] = [:]
        for row in rows {
            secrets[try row.get("webhook_id"), default: []].append(
                Webhook.SecretInfo(
                    version: try row.get("version"), createdAt: try row.get("created_at"),
                    expiresAt: try row.optional("expires_at")))
        }
        for index in webhooks.indices { webhooks[index].secrets = secrets[webhooks[index].id] ?? [] }
        return webhooks
    }

    @Sendable private static func read(_ row: Row) throws -> Webhook {
        Webhook(
            id: try row.get("id"), organization: try row.optional("organization_id"), name: try row.get("name"),
            url: try row.get("url"), eventTypes: try row.get("event_types"),
            status: ActiveStatus(rawValue: try row.get("status")) ?? .disabled,
            disabledReason: try row.optional("disabled_reason"), stamps: try Stamps(row)
        )
    }
}
