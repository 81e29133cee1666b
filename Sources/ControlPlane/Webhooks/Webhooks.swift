import Postgres
package import Shared

/// What can be done with webhooks.
package struct Webhooks: Sendable {
    private let reads: Reads
    private let changes: Changes
    private let keys: KeyEncryptionKeys
    private let time: TimeSource

    /// A webhook, with its secret when that was made just now.
    package struct Issued: Sendable {
        package let webhook: Webhook
        package let secret: Secret<String>?
    }

    package init(reads: Reads, changes: Changes, keys: KeyEncryptionKeys, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.keys = keys
        self.time = time
    }

    package func get(_ id: WebhookID, as context: OperationContext) async throws -> Webhook {
        try await self.reads.one(.webhooksRead, as: context, "webhook", at: \.place) { tx in
            try WebhookStore.fetch(id, &tx)
        }
    }

    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<Webhook> {
        let found = try await self.reads.perform(.webhooksRead, as: context) { tx, sight in
            try WebhookStore.list(organization: organization, page, sight, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Of a body that `Webhook.creationSchema` accepts.
    package func create(_ body: JSONValue, as context: OperationContext) async throws -> Resolved<Issued> {
        let id: WebhookID = self.time.newID()
        let secret = WebhookSignature.newSecret()
        let keys = self.keys
        let outcome = try await self.changes.perform(.webhooksCreate, on: Target(id), as: context) { tx, gate in
            let organization = body["organization"]?.string.flatMap { OrganizationID($0) }
            let permit = try Self.permit(in: organization, gate, &tx)
            guard try WebhookStore.count(of: AccessPartition(organization), &tx) < Webhook.countLimit else {
                let owner = organization == nil ? "The instance" : "The organization"
                throw ControlError(
                    .conflict, "too_many_webhooks", "\(owner) has \(Webhook.countLimit) webhooks already.",
                    pointer: "/organization")
            }
            let webhook = Webhook(
                id: id, organization: organization, name: body["name"]?.string ?? "",
                url: body["url"]?.string ?? "",
                eventTypes: (body["event_types"]?.array ?? []).compactMap(\.string), status: .active,
                stamps: Stamps(new: context.time))
            try webhook.check()
            try gate.requireInstance(forLoopback: webhook.url, at: "/url", &tx)
            try WebhookStore.insert(webhook, &tx, permit)
            let sealed = try keys.seal(secret, context: KeyEncryptionKeys.webhookContext(id, version: 1))
            try WebhookStore.addSecret(
                sealed, version: 1, to: id, others: context.time, at: context.time, &tx, permit)
            let stored = try WebhookStore.fetch(id, &tx)
            return Change(Issued(webhook: stored, secret: secret), in: organization, after: stored)
        }
        return try await outcome.resolved {
            Issued(webhook: try await self.get(WebhookID($0), as: context), secret: nil)
        }
    }

    /// The permit to make one of an organization, or of the instance, which is held for ourselves: two that create at once
    /// count one after the other.
    private static func permit(
        in organization: OrganizationID?, _ gate: Gate, _ tx: inout Transaction
    ) throws -> Permit {
        guard let organization else {
            let permit = try gate.permit(at: .instance, &tx, orMissing: Access.denied(gate.permission))
            try AccessStore.lock(.instance, &tx)
            return permit
        }
        let missing = ControlError.invalid("There is no such organization.", at: "/organization")
        guard let home = try ScopeNodeStore.find(organization.node, &tx, lock: .update),
            home.reference == .organization(organization)
        else { throw missing }
        return try gate.permit(at: home.scope, &tx, orMissing: missing)
    }

    package func update(
        _ id: WebhookID, _ patch: JSONValue, ifRevision: Int64?, as context: OperationContext
    ) async throws -> Resolved<Webhook> {
        let outcome = try await self.changes.perform(.webhooksUpdate, on: Target(id), as: context) { tx, gate in
            let before = try WebhookStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            let after = try before.applying(patch, at: context.time)
            if after.url != before.url { try gate.requireInstance(forLoopback: after.url, at: "/url", &tx) }
            try WebhookStore.save(after, &tx, permit)
            if after.status == .disabled {
                try WebhookDeliveryStore.abandon(id, "the webhook was disabled", at: context.time, &tx)
            }
            return Change(after, in: before.organization, before: before, after: after)
        }
        return try await outcome.resolved { _ in try await self.get(id, as: context) }
    }

    /// Gives it another secret; deliveries are signed with the one before, too, for `overlap` seconds.
    package func rotate(
        _ id: WebhookID, overlap: Int64, as context: OperationContext
    ) async throws -> Resolved<Issued> {
        let secret = WebhookSignature.newSecret()
        let keys = self.keys
        let outcome = try await self.changes.perform(.webhooksRotate, on: Target(id), as: context) { tx, gate in
            let before = try WebhookStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            let after = try before.applying([:], at: context.time)
            try WebhookStore.save(after, &tx, permit)
            let version = (before.secrets.last?.version ?? 0) + 1
            let sealed = try keys.seal(secret, context: KeyEncryptionKeys.webhookContext(id, version: version))
            try WebhookStore.addSecret(
                sealed, version: version, to: id, others: context.time.adding(seconds: overlap), at: context.time,
                &tx, permit)
            let stored = try WebhookStore.fetch(id, &tx)
            return Change(
                Issued(webhook: stored, secret: secret), in: before.organization, before: before, after: stored)
        }
        return try await outcome.resolved { _ in Issued(webhook: try await self.get(id, as: context), secret: nil) }
    }

    /// Stores an event that goes to this webhook alone.
    package func test(_ id: WebhookID, as context: OperationContext) async throws -> Resolved<Event> {
        let eventID: EventID = self.time.newID()
        let outcome = try await self.changes.perform(.webhooksTest, on: Target(eventID), as: context) { tx, gate in
            let webhook = try WebhookStore.fetch(id, &tx, forUpdate: true)
            _ = try gate.permit(at: webhook.place, &tx, orMissing: .notFound("webhook"))
            guard webhook.status == .active else {
                throw ControlError.conflict("webhook_disabled", "The webhook is disabled: nothing is sent to it.")
            }
            let event = Event(
                id: eventID, type: Event.webhookTest, organization: webhook.organization, subject: Target(id),
                occurredAt: context.time, data: ["webhook": JSONValue(id)])
            try EventStore.raise(event, only: id, &tx)
            return Change(event, in: webhook.organization, after: event)
        }
        return try await outcome.resolved { id in try await Events(reads: self.reads).get(EventID(id), as: context) }
    }

    package func delete(
        _ id: WebhookID, ifRevision: Int64?, as context: OperationContext
    ) async throws -> [AuditReceipt] {
        try await self.changes.perform(.webhooksDelete, on: Target(id), as: context) { tx, gate in
            let before = try WebhookStore.fetch(id, &tx, forUpdate: true)
            let permit = try gate.permit(at: before.place, &tx)
            try Revision.check(before.stamps.revision, ifRevision)
            try WebhookStore.remove(id, at: context.time, &tx, permit)
            try WebhookDeliveryStore.abandon(id, "the webhook was deleted", at: context.time, &tx)
            return Change((), in: before.organization, before: before)
        }.receipts
    }

    /// What was, and is to be, delivered to it: newest event first.
    package func deliveries(
        of id: WebhookID, state: WebhookDelivery.State?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<WebhookDelivery> {
        let found = try await self.reads.perform(.webhooksRead, as: context) { tx, sight in
            try sight.require(try WebhookStore.fetch(id, &tx).place, "webhook", &tx)
            return try WebhookDeliveryStore.list(of: id, state: state, page, &tx)
        }
        return Page(found, page, position: \.event.bytes)
    }
}
