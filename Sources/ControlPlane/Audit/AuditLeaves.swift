import Crypto
import Postgres
import Shared

/// Makes the leaves of the audit log and appends them.
package struct AuditLeaves: Sendable {
    private let keys: KeyEncryptionKeys

    /// Most bytes of a leaf.
    package static let sizeLimit = 60 << 10
    /// Most bytes of the sealed part; beyond it, what people wrote at length is kept as a hash.
    static let personalLimit = 24 << 10

    package init(keys: KeyEncryptionKeys) { self.keys = keys }

    struct Record {
        let change: ChangeID
        let permission: Permission
        let target: Target
        let organization: OrganizationID?
        let before: (any Audited)?
        let after: (any Audited)?
    }

    /// Appends the leaf, last before COMMIT: to the organization's log, then to the system's.
    func append(
        _ tx: inout Transaction, _ record: Record, context: OperationContext, toSystem: Bool
    ) throws -> [AuditReceipt] {
        do {
            let leaf = try self.leaf(&tx, record, context: context)
            var receipts: [AuditReceipt] = []
            if let organization = record.organization {
                receipts.append(try Self.append(&tx, leaf, to: organization))
            }
            if toSystem { receipts.append(try Self.append(&tx, leaf, to: nil)) }
            return receipts
        } catch {
            if case PostgresError.server(let failure) = error, failure.sqlState.isTransient { throw error }
            throw ControlError(
                .unavailable, "audit_unavailable", "The change could not be recorded, so it was not made.",
                internalDetail: "\(error)"
            )
        }
    }

    private static func append(
        _ tx: inout Transaction, _ leaf: [UInt8], to organization: OrganizationID?
    ) throws -> AuditReceipt {
        let row = try tx.queryOne(
            "select log, leaf_index, leaf_hash from audit_append($1::uuid, $2)", organization, leaf
        )
        guard let row else { throw ControlError(.unavailable, "audit_unavailable", "The audit log did not answer.") }
        return AuditReceipt(
            log: try row.get("log"), index: try row.get("leaf_index"), leafHash: try row.get("leaf_hash")
        )
    }

    /// The final form of a leaf, version 1.
    ///
    /// Its bytes are what is hashed: nothing here may change.
    private func leaf(_ tx: inout Transaction, _ record: Record, context: OperationContext) throws -> [UInt8] {
        var leaf: [String: JSONValue] = [
            "v": 1,
            "at": JSONValue(context.time),
            "change": JSONValue(record.change),
            "actor": ["kind": .string(context.actor.kind.rawValue), "id": .string(context.actor.text)],
            "permission": .string(record.permission.rawValue),
            "target": ["kind": .string(record.target.kind), "id": .string(record.target.text)],
            "organization": JSONValue(record.organization),
            "request": JSONValue(context.request),
            "before": record.before?.auditState ?? .null,
            "after": record.after?.auditState ?? .null,
            "outcome": "ok",
        ]
        let sealed = try self.personal(&tx, record, context)
        if !sealed.isEmpty { leaf["personal"] = .array(sealed) }
        let bytes = JSONValue.object(leaf).utf8
        guard bytes.count <= Self.sizeLimit else {
            throw ControlError(.internalFailure, "internal", "", internalDetail: "a leaf of \(bytes.count) bytes")
        }
        return bytes
    }

    /// Personal data, each part under the key of whom it is about: the caller's address under the caller's, names under
    /// the organization's.
    private func personal(
        _ tx: inout Transaction, _ record: Record, _ context: OperationContext
    ) throws -> [JSONValue] {
        var sealed: [JSONValue] = []
        if let address = context.remoteAddress {
            let subject = (context.actor.id, context.actor.text)
            sealed.append(try self.seal(&tx, ["remote_address": .string(address)], of: subject, record.change))
        }
        var names: [String: JSONValue] = [:]
        for (name, state) in [("before", record.before), ("after", record.after)] {
            guard let personal = state?.auditPersonal, !personal.isNull else { continue }
            names[name] = Self.bounded(personal)
        }
        if !names.isEmpty {
            let subject =
                record.organization.map { ($0.value, $0.description) } ?? (context.actor.id, context.actor.text)
            sealed.append(try self.seal(&tx, .object(names), of: subject, record.change))
        }
        return sealed
    }

    private static func bounded(_ value: JSONValue) -> JSONValue {
        let bytes = value.utf8
        guard bytes.count > Self.personalLimit / 2 else { return value }
        return ["name": value["name"] ?? .null, "sha256": .string(Hex.encode(SHA256.hash(data: bytes)))]
    }

    private func seal(
        _ tx: inout Transaction, _ value: JSONValue, of subject: (id: UUIDValue, text: String), _ change: ChangeID
    ) throws -> JSONValue {
        let key = try SubjectKeys.key(of: subject.id, &tx, keys: self.keys)
        let context = "gatehouse audit|\(change)|\(subject.text)"
        let box = try AES.GCM.seal(value.utf8, using: key, authenticating: Array(context.utf8))
        guard let combined = box.combined else {
            throw ControlError(.unavailable, "audit_unavailable", "The change could not be recorded.")
        }
        return ["subject": .string(subject.text), "sealed": .string(Base64URL.encode(combined))]
    }
}

/// The keys that personal data is under, one for each subject.
///
/// Without its key, what is about a subject is gone.
enum SubjectKeys {
    private static func context(_ subject: UUIDValue) -> String { "gatehouse subject|\(Crockford.encode(subject))" }

    /// The subject's key; made when there is none.
    static func key(of subject: UUIDValue, _ tx: inout Transaction, keys: KeyEncryptionKeys) throws -> SymmetricKey {
        if let found = try Self.find(subject, &tx, keys) { return found }
        let wrapped = try keys.wrap(SymmetricKey(size: .bits256), context: Self.context(subject))
        _ = try tx.execute(
            "insert into subject_key (subject_id, kek_id, wrapped_key) values ($1, $2, $3) on conflict do nothing",
            subject, wrapped.kekID, wrapped.bytes
        )
        guard let made = try Self.find(subject, &tx, keys) else {
            throw ControlError(.unavailable, "busy", "The subject's key is not there yet; try again.")
        }
        return made
    }

    private static func find(
        _ subject: UUIDValue, _ tx: inout Transaction, _ keys: KeyEncryptionKeys
    ) throws -> SymmetricKey? {
        let row = try tx.queryOne("select kek_id, wrapped_key from subject_key where subject_id = $1", subject)
        guard let row else { return nil }
        let wrapped = WrappedKey(kekID: try row.get("kek_id"), bytes: try row.get("wrapped_key"))
        return try keys.unwrap(wrapped, context: Self.context(subject))
    }
}
