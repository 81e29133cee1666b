import Postgres
import Shared

/// A new epoch of a group's snapshots, opened because a gateway proved that the database had been ahead of what it is.
struct EpochOpening: Sendable {
    let group: GatewayGroupID
    /// The newest version that the database knew; nil when it knew none.
    let before: SnapshotVersion?
    let after: SnapshotVersion
    let proof: FleetAhead.Report

    /// Appends the leaf to the system's log, last in the transaction that opens the epoch.
    ///
    /// Nobody asked for it: the actor is the control plane, and there is no change and no permission.
    func append(_ tx: inout Transaction, by deployment: DeploymentID, at time: Timestamp) throws {
        let target = Target(self.group)
        let leaf: JSONValue = [
            "v": 1,
            "at": JSONValue(time),
            "change": .null,
            "event": "snapshot_epoch.opened",
            "actor": ["kind": "control_plane", "id": JSONValue(deployment)],
            "permission": .null,
            "target": ["kind": .string(target.kind), "id": .string(target.text)],
            "organization": .null,
            "request": .null,
            "before": self.before?.json ?? .null,
            "after": self.after.json,
            "proof": [
                "gateway": JSONValue(self.proof.gateway), "version": self.proof.version.json,
                "manifest_sha256": .string(Hex.encode(self.proof.manifest)),
            ],
            "outcome": "ok",
        ]
        _ = try AuditLogStore.append(&tx, leaf.utf8, to: nil, .changes)
    }
}
