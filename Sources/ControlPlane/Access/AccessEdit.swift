import Postgres
import Shared

/// What is looked at before anything changes that decides on access: nobody gives what he does not hold, nobody comes into
/// conflict with a separation of duties, and the last owner stays.
enum AccessEdit {
    /// Holds the partition, so that nobody else changes it meanwhile, and throws when the caller may not bring about what
    /// the facts do.
    ///
    /// `notAllowed` (`escalation`) for what would give more than the caller holds, or for longer, unless he holds
    /// `roles.bind` there (for the contents of a role `roles.escalate`); `conflict` (`separation_of_duties`) for what would make somebody hold what
    /// must be apart (`last_owner`: for what would leave no owner).
    ///
    /// It comes before the transaction writes anything of the partition.
    static func check(
        _ facts: [AccessFact], in partition: AccessPartition, as gate: Gate, _ tx: inout Transaction
    ) throws {
        try AccessStore.lock(partition, &tx)
        let before = try gate.policy(of: partition, &tx)
        var after = before
        after.apply(facts)
        let time = gate.access.context.time
        for fact in facts {
            for gift in self.gifts(of: fact, before, after, in: partition, at: time) {
                try self.require(gift, as: gate, &tx)
            }
        }
        try LastOwner.check(before, after, in: partition, as: gate, &tx)
        guard let (subject, conflict) = before.newConflicts(after: after, at: time, limit: 1).first else { return }
        throw ControlError.conflict(
            "separation_of_duties",
            "\(subject.text) would hold both sides of the separation of duties \(conflict.separation), by the bindings "
                + "\(conflict.first.binding) and \(conflict.second.binding).")
    }

    /// Permissions that somebody comes to hold at a scope.
    private struct Gift {
        let permissions: PermissionSet
        let scope: AccessScope
        /// What lets one give them without holding them.
        let waiver: Permission
        /// They are held before this instant; nil for good.
        var until: Timestamp?
        /// They are taken away instead.
        var isTaken = false
    }

    private static func gifts(
        of fact: AccessFact, _ before: AccessPolicy, _ after: AccessPolicy, in partition: AccessPartition,
        at time: Timestamp
    ) -> [Gift] {
        func gifts(of subject: AccessSubject) -> [Gift] {
            after.grants(of: subject, at: time).map {
                Gift(
                    permissions: after.permissions(of: $0.role), scope: $0.scope, waiver: .rolesBind,
                    until: $0.expiresAt)
            }
        }
        func returned(by group: AccessSubject) -> [Gift] {
            before.denials(of: group, at: time).map {
                Gift(permissions: $0.permissions, scope: $0.scope, waiver: .rolesBind)
            }
        }
        switch fact {
        case .binding(let binding):
            return [
                Gift(
                    permissions: after.permissions(of: binding.role), scope: binding.scope, waiver: .rolesBind,
                    until: binding.expiresAt)
            ]
        case .member(_, let group, true): return gifts(of: AccessSubject(group))
        case .subject(let subject, true): return gifts(of: subject)
        // Who leaves a group, or whose group goes, may again what was denied to the group.
        case .member(_, let group, false): return returned(by: AccessSubject(group))
        case .subject(let subject, false), .removedSubject(let subject):
            return subject.kind == .group ? returned(by: subject) : []
        case .role(let role, let permissions):
            let more = permissions.subtracting(before.permissions(of: role))
            return [Gift(permissions: more, scope: partition.scope, waiver: .rolesEscalate)]
        case .denial(let denial):
            // What it no longer denies.
            let old = before.denial(denial.id)?.permissions ?? PermissionSet()
            return [
                Gift(permissions: old.subtracting(denial.permissions), scope: denial.scope, waiver: .rolesBind),
                // Who may do less does not forbid it to those who may do more.
                Gift(
                    permissions: denial.permissions.subtracting(old), scope: denial.scope, waiver: .rolesBind,
                    isTaken: true),
            ]
        case .removedDenial(let rule):
            guard let denial = before.denial(rule) else { return [] }
            return [Gift(permissions: denial.permissions, scope: denial.scope, waiver: .rolesBind)]
        default: return []
        }
    }

    private static func require(_ gift: Gift, as gate: Gate, _ tx: inout Transaction) throws {
        var held = try gate.access.permissions(at: gift.scope, &tx)
        var isTooLong = false
        if !gift.isTaken {
            // What one holds until tomorrow is not given, nor prolonged, beyond.
            let lasting = held.intersection(try gate.access.permissions(at: gift.scope, until: gift.until, &tx))
            isTooLong = gift.permissions.isSubset(of: held)
            held = lasting
        }
        let missing = gift.permissions.subtracting(held).permissions
        guard !missing.isEmpty, !held.contains(gift.waiver) else { return }
        let place = try Self.name(gift.scope, &tx)
        let names = missing.prefix(3).map(\.rawValue).joined(separator: ", ")
        let lack = isTooLong ? "which you do not hold there for so long" : "which you do not hold there"
        let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
        throw ControlError(
            .notAllowed, "escalation",
            "This would \(gift.isTaken ? "deny" : "give") \(names)\(more) at \(place), \(lack); "
                + "\(gift.waiver.rawValue) would allow it.")
    }

    private static func name(_ scope: AccessScope, _ tx: inout Transaction) throws -> String {
        guard case .node(let node) = scope else { return "the instance" }
        return try ScopeNodeStore.find(node, &tx)?.reference.description ?? "a place that is gone"
    }
}

extension AccessPartition {
    /// Where what holds for all of it holds.
    package var scope: AccessScope { self.organization.map { .node($0.node) } ?? .instance }
}
