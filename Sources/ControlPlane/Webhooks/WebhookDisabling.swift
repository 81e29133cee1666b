import Postgres
import Shared

/// Disables a webhook whose receiver answered that it is gone for good.
enum WebhookDisabling {
    private static let reason = "the receiver answered 410 (gone)"

    /// In the transaction that stores the answer, with a leaf in the audit log of whose it is.
    ///
    /// Nobody asked for it: the actor is the control plane, and there is no change and no permission.
    static func disable(_ id: WebhookID, event: EventID, at now: Timestamp, _ tx: inout Transaction) throws {
        guard let owner = try WebhookStore.disable(id, reason: Self.reason, at: now, &tx) else { return }
        try WebhookDeliveryStore.abandon(id, Self.reason, at: now, &tx)
        let target = Target(id)
        let deployment = try tx.queryOne("select id from deployment")?.get("id", as: DeploymentID.self)
        let leaf: JSONValue = [
            "v": 1,
            "at": JSONValue(now),
            "change": .null,
            "event": "webhook.disabled",
            "actor": ["kind": "control_plane", "id": JSONValue(deployment)],
            "permission": .null,
            "target": ["kind": .string(target.kind), "id": .string(target.text)],
            "organization": JSONValue(owner.organization),
            "request": .null,
            "before": ["status": .string(ActiveStatus.active.rawValue)],
            "after": [
                "status": .string(ActiveStatus.disabled.rawValue), "reason": .string(Self.reason),
                "event": JSONValue(event),
            ],
            "outcome": "ok",
        ]
        _ = try AuditLogStore.append(&tx, leaf.utf8, to: owner.organization, .changes)
    }
}
