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
        /// What others agreed to it by.
        let approval: ApprovalID?
    }

    /// Appends the leaf, last before COMMIT: to the organization's log, then to the system's.
    func append(
        _ tx: inout Transaction, _ record: Record, context: OperationContext, toSystem: Bool
    ) throws -> [AuditReceipt] {
        do {
            let leaf = try self.leaf(&tx, record, context: context)
            var receipts: [AuditReceipt] = []
            if let organization = record.organization {
                receipts.append(try AuditLogStore.append(&tx, leaf, to: organization, .changes))
            }
            if toSystem { receipts.append(try AuditLogStore.append(&tx, leaf, to: nil, .changes)) }
            return receipts
        } catch {
            if case PostgresError.server(let failure) = error, failure.sqlState.isTransient { throw error }
            throw ControlError(
                .unavailable, "audit_unavailable", "The change could not be recorded, so it was not made.",
                internalDetail: "\(error)"
            )
        }
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
        if let approval = record.approval { leaf["approval"] = JSONValue(approval) }
        let sealed = try self.personal(&tx, record, context)
        if !sealed.isEmpty { leaf["personal"] = .array(sealed) }
        let bytes = JSONValue.object(leaf).utf8
        guard bytes.count <= Self.sizeLimit else {
            throw ControlError(.internalFailure, "internal", "", internalDetail: "a leaf of \(bytes.count) bytes")
        }
        return bytes
    }

    /// Personal data, each part under the key of whom it is about.
    ///
    /// The caller's address is under the caller's, names under the person's, or else the organization's. What is about
    /// somebody who was forgotten is left out.
    private func personal(
        _ tx: inout Transaction, _ record: Record, _ context: OperationContext
    ) throws -> [JSONValue] {
        var sealed: [JSONValue] = []
        if let address = context.remoteAddress {
            let subject = (context.actor.id, context.actor.text)
            let part = try SubjectKeys.seal(
                &tx, ["remote_address": .string(address)], of: subject, in: "\(record.change)", keys: self.keys)
            if let part { sealed.append(part) }
        }
        // Mostly one, of a person before and after; two where what was one's becomes another's.
        var parts: [(subject: (id: UUIDValue, text: String), names: [String: JSONValue])] = []
        for (name, state) in [("before", record.before), ("after", record.after)] {
            guard let state, case let personal = state.auditPersonal, !personal.isNull else { continue }
            let subject = Self.subject(of: state, in: record, context)
            let index = parts.firstIndex { $0.subject.id == subject.id } ?? parts.count
            if index == parts.count { parts.append((subject, [:])) }
            parts[index].names[name] = Self.bounded(personal)
        }
        for part in parts {
            let names = try SubjectKeys.seal(
                &tx, .object(part.names), of: part.subject, in: "\(record.change)", keys: self.keys)
            if let names { sealed.append(names) }
        }
        return sealed
    }

    /// Whom the names in a state are about.
    private static func subject(
        of state: any Audited, in record: Record, _ context: OperationContext
    ) -> (id: UUIDValue, text: String) {
        if let person = state.auditPerson { return (person.value, person.description) }
        return record.organization.map { ($0.value, $0.description) } ?? (context.actor.id, context.actor.text)
    }

    private static func bounded(_ value: JSONValue) -> JSONValue {
        let bytes = value.utf8
        guard bytes.count > Self.personalLimit / 2 else { return value }
        return ["name": value["name"] ?? .null, "sha256": .string(Hex.encode(SHA256.hash(data: bytes)))]
    }
}
