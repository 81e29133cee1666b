import Postgres
package import Shared

/// What can be done with those who act: users, groups, service accounts and their tokens.
package struct Identity: Sendable {
    let reads: Reads
    let changes: Changes
    let time: TimeSource

    package init(reads: Reads, changes: Changes, time: TimeSource) {
        self.reads = reads
        self.changes = changes
        self.time = time
    }

    /// Whose users and groups are asked for: an organization's, which is held, or the instance's for none.
    ///
    /// - Returns: where such a thing is made, and what an organization that is not there is answered with.
    static func home(
        _ organization: OrganizationID?, _ tx: inout Transaction
    ) throws -> (scope: AccessScope, missing: ControlError) {
        let missing = ControlError.invalid("There is no such organization.", at: "/organization")
        guard let organization else { return (.instance, missing) }
        let node = try ScopeNodeStore.find(organization.node, &tx, lock: .share)
        guard node?.reference == .organization(organization) else { throw missing }
        return (.node(organization.node), missing)
    }
}

extension ActiveStatus {
    /// Of a row with `status`; nobody is active whose status this build does not know.
    init(_ row: Row) throws { self = ActiveStatus(rawValue: try row.get("status")) ?? .disabled }

    init?(_ value: JSONValue?) {
        guard let status = value?.string.flatMap({ ActiveStatus(rawValue: $0) }) else { return nil }
        self = status
    }
}

extension Metadata {
    /// Of a row with `metadata` as text.
    static func read(_ row: Row) throws -> [String: String] {
        Self.read(try JSONParser.parse(Array(try row.get("metadata", as: String.self).utf8)))
    }
}

extension ScopeNodeStore.Lock {
    /// The clause that holds rows of one table of a statement; those that only refer to them do not wait for it.
    func clause(of table: SQL) -> SQL {
        switch self {
        case .none: ""
        case .share: " for share of " + table
        case .update: " for no key update of " + table
        }
    }
}

extension Identity {
    /// Looks whether the caller may bring about what comes of another status: who is active again has what he had, and a
    /// group that is not active takes nothing away any more.
    static func check(
        _ subject: AccessSubject, _ before: ActiveStatus, _ after: ActiveStatus, in partition: AccessPartition,
        _ gate: Gate, _ tx: inout Transaction
    ) throws {
        guard before != after else { return }
        if after == .disabled { try Self.checkNotSelf(subject, gate) }
        try AccessEdit.check([.subject(subject, isActive: after == .active)], in: partition, as: gate, &tx)
    }

    /// The same for one that goes: with a group goes what was denied to its members.
    static func checkRemoval(
        _ subject: AccessSubject, in partition: AccessPartition, _ gate: Gate, _ tx: inout Transaction
    ) throws {
        try Self.checkNotSelf(subject, gate)
        try AccessEdit.check([.removedSubject(subject)], in: partition, as: gate, &tx)
    }

    /// Nobody shuts himself out by accident: another one does it.
    private static func checkNotSelf(_ subject: AccessSubject, _ gate: Gate) throws(ControlError) {
        guard gate.access.context.subject == subject else { return }
        throw .conflict("own_account", "One does not disable or delete oneself: somebody else has to.")
    }
}
