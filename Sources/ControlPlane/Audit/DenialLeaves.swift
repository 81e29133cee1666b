import Postgres
import Shared

/// Makes the leaves of denials and appends them.
struct DenialLeaves: Sendable {
    private let keys: KeyEncryptionKeys

    init(keys: KeyEncryptionKeys) { self.keys = keys }

    /// Appends a leaf for each: to the log of the organization that it is about, or else to the system's.
    ///
    /// Logs are taken in one order, as every replica does it: organizations by identifier, then the system.
    ///
    /// - Returns: the receipt of the first leaf, nil without entries.
    func append(_ tx: inout Transaction, _ entries: [DenialLane.Entry]) throws -> AuditReceipt? {
        let owners = try DenialStore.organizations(of: Set(entries.flatMap(\.targets).map(\.id)), &tx)
        var byLog: [OrganizationID?: [DenialLane.Entry]] = [:]
        for entry in entries { byLog[Self.organization(of: entry, owners), default: []].append(entry) }
        var first: AuditReceipt?
        for organization in byLog.keys.sorted(by: Self.isBefore) {
            let log = try AuditLogStore.open(&tx, of: organization, .denials)
            for entry in byLog[organization] ?? [] {
                let leaf = try self.leaf(&tx, entry, organization, log)
                let receipt = try AuditLogStore.append(&tx, leaf, to: organization, .denials)
                if first == nil { first = receipt }
            }
        }
        return first
    }

    private static func isBefore(_ left: OrganizationID?, _ right: OrganizationID?) -> Bool {
        guard let left else { return false }
        return right.map { left < $0 } ?? true
    }

    /// The one organization that all targets belong to.
    private static func organization(
        of entry: DenialLane.Entry, _ owners: [UUIDValue: OrganizationID]
    ) -> OrganizationID? {
        guard !entry.hasMoreTargets, let first = entry.targets.first.flatMap({ owners[$0.id] }),
            entry.targets.allSatisfy({ owners[$0.id] == first })
        else { return nil }
        return first
    }

    /// The final form of a denial's leaf, version 1.
    ///
    /// Its bytes are what is hashed: nothing here may change.
    private func leaf(
        _ tx: inout Transaction, _ entry: DenialLane.Entry, _ organization: OrganizationID?, _ log: AuditLogID
    ) throws -> [UInt8] {
        var leaf: [String: JSONValue] = [
            "v": 1,
            "at": JSONValue(entry.first),
            "last_at": JSONValue(entry.last),
            "count": .integer(entry.count),
            "actor": Self.actor(entry.key.caller),
            "operation": .string(entry.key.operation),
            "reason": .string(entry.key.reason),
            "targets": .array(entry.targets.map { ["kind": .string($0.kind), "id": .string($0.text)] }),
            "more_targets": .bool(entry.hasMoreTargets),
            "credentials": JSONValue(entry.credentials),
            "organization": JSONValue(organization),
            "request": JSONValue(entry.request),
            "outcome": "denied",
        ]
        if !entry.addresses.isEmpty {
            // Who is not known has no key: his address is under one of the log itself.
            var subject = (log.value, log.description)
            if case .actor(let actor) = entry.key.caller { subject = (actor.id, actor.text) }
            let sealed = try SubjectKeys.seal(
                &tx, ["remote_addresses": JSONValue(entry.addresses)], of: subject, in: "\(entry.request)",
                keys: self.keys
            )
            if let sealed { leaf["personal"] = .array([sealed]) }
        }
        return JSONValue.object(leaf).utf8
    }

    private static func actor(_ caller: Denial.Caller) -> JSONValue {
        switch caller {
        case .actor(let actor): ["kind": .string(actor.kind.rawValue), "id": .string(actor.text)]
        case .address, .unknown: ["kind": "anonymous", "id": "anonymous"]
        case .several: ["kind": "several", "id": "several"]
        }
    }
}

/// The SQL of denials.
enum DenialStore {
    /// Which organization owns each of these, as far as one does.
    static func organizations(
        of ids: Set<UUIDValue>, _ tx: inout Transaction
    ) throws -> [UUIDValue: OrganizationID] {
        guard !ids.isEmpty else { return [:] }
        let rows = try tx.query(
            """
            select id, organization_id from scope_node where id = any($1)
            union all select id, organization_id from virtual_key where id = any($1)
            union all select p.id, n.organization_id from provider p join scope_node n on n.id = p.node_id
                where p.id = any($1)
            union all select c.id, n.organization_id from credential c join provider p on p.id = c.provider_id
                join scope_node n on n.id = p.node_id where c.id = any($1)
            union all select m.id, n.organization_id from model m join provider p on p.id = m.provider_id
                join scope_node n on n.id = p.node_id where m.id = any($1)
            union all select id, organization_id from user_account where id = any($1) and organization_id is not null
            union all select id, organization_id from user_group where id = any($1) and organization_id is not null
            union all select id, organization_id from service_account where id = any($1) and organization_id is not null
            union all select id, organization_id from api_token where id = any($1) and organization_id is not null
            union all select r.id, n.organization_id from route r join scope_node n on n.id = r.node_id
                where r.id = any($1)
            """, ids.map { SQLUUID(high: $0.high, low: $0.low) }
        )
        var owners: [UUIDValue: OrganizationID] = [:]
        for row in rows { owners[try row.get("id")] = try row.get("organization_id") }
        return owners
    }
}
