import Postgres
import Shared

/// A partition that has somebody who may do everything in it for good keeps one.
enum LastOwner {
    /// Refuses what leaves nobody who can give access back (`conflict`, `last_owner`).
    ///
    /// Whoever has the machine, himself or by the break-glass account, may: he gets in again.
    static func check(
        _ before: AccessPolicy, _ after: AccessPolicy, in partition: AccessPartition, as gate: Gate,
        _ tx: inout Transaction
    ) throws {
        let time = gate.access.context.time
        guard before.hasOwner(of: partition, at: time), !after.hasOwner(of: partition, at: time),
            try !Self.isWaived(gate, &tx)
        else { return }
        let place = partition.organization == nil ? "the instance" : "the organization"
        throw ControlError.conflict(
            "last_owner",
            "Nobody would be left who may do everything in \(place) for good; bind the role owner to somebody else first."
        )
    }

    private static func isWaived(_ gate: Gate, _ tx: inout Transaction) throws -> Bool {
        if case .everything = gate.access.context.authority { return true }
        guard let subject = gate.access.context.subject else { return false }
        return try BreakGlass.isAccount(subject, &tx)
    }
}

extension AccessPolicy {
    /// What takes access back into one's hands.
    private static let essential = PermissionSet([.bindingsCreate, .rolesBind, .denyRulesDelete])

    /// Whether an active user or service account of a partition has a role with every permission at its top, by a binding
    /// of its own or of its groups that does not expire, and is denied nothing there that gives access back.
    ///
    /// Roles are not added up, and deny rules further down are not looked at.
    func hasOwner(of partition: AccessPartition, at time: Timestamp) -> Bool {
        guard let handle = self.places.handle(of: partition.scope) else { return false }
        let place = self.places[handle]
        var owners = AccessActors(self)
        for entry in place.grants.all
        where entry.expires == .max && PermissionSet.all.isSubset(of: self.roles[entry.what].permissions) {
            owners.insert(entry.who, of: self)
        }
        var denied = AccessActors(self)
        for entry in place.denials.all where time.microseconds < entry.expires {
            guard !self.denials[entry.what].permissions.intersection(Self.essential).isEmpty else { continue }
            if entry.who.isEverybody { return false }
            denied.insert(entry.who, of: self)
        }
        owners.descend(self)
        denied.descend(self)
        owners.subtract(denied)
        return owners.count > 0
    }
}
