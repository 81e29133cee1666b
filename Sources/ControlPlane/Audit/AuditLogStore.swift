import Postgres
import Shared

/// Which log of an organization, or of the system, is meant.
///
/// The text form is part of the API.
package enum AuditLane: String, Sendable, CaseIterable {
    /// What was changed: each in the transaction of its change.
    case changes
    /// Who was refused what: in batches, soon afterwards.
    case denials
}

/// The SQL of appending to the audit logs.
enum AuditLogStore {
    /// The log of an organization, or of the system; made when there is none.
    static func open(_ tx: inout Transaction, of organization: OrganizationID?, _ lane: AuditLane) throws -> AuditLogID
    {
        let row = try tx.queryOne("select audit_log_open($1::uuid, $2) as log", organization, lane.rawValue)
        guard let row else { throw Self.silent }
        return try row.get("log")
    }

    /// Appends a leaf; the log is ours until the transaction ends.
    static func append(
        _ tx: inout Transaction, _ leaf: [UInt8], to organization: OrganizationID?, _ lane: AuditLane
    ) throws -> AuditReceipt {
        let row = try tx.queryOne(
            "select log, leaf_index, leaf_hash from audit_append($1::uuid, $2, $3)", organization, lane.rawValue, leaf
        )
        guard let row else { throw Self.silent }
        return AuditReceipt(
            log: try row.get("log"), index: try row.get("leaf_index"), leafHash: try row.get("leaf_hash")
        )
    }

    /// Whether the leaf of a receipt is in its log.
    static func has(_ receipt: AuditReceipt, _ tx: inout Transaction) throws -> Bool {
        try tx.queryOne(
            "select 1 as there from audit_leaf where log_id = $1 and index = $2 and hash = $3", receipt.log,
            receipt.index, receipt.leafHash
        ) != nil
    }

    private static let silent = ControlError(.unavailable, "audit_unavailable", "The audit log did not answer.")
}
