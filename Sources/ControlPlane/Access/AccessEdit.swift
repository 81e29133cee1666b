import Postgres
import Shared

/// What is looked at before anything changes that decides on access: nobody gives what he does not hold, nobody comes into
/// conflict with a separation of duties, and the last owner stays.
enum AccessEdit {
    /// Holds the partition, so that nobody else changes it meanwhile, and throws when the caller may not bring about what
    /// the facts do.
    ///
    /// `notAllowed` (`escalation`) for what would give more than the caller holds, or for longer, unless he holds
    /// `roles.bind` there (for the contents of a role `roles.escalate`); `conflict` for what would make somebody hold what
    /// must be apart (`separation_of_duties`), and for what would leave no owner (`last_owner`).
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
        var giving = AccessGiving(gate.access, to: after, of: partition)
        for fact in facts {
            for gift in self.gifts(of: fact, before, after, in: partition, at: time) {
                try giving.require(gift, &tx)
            }
        }
        try LastOwner.check(before, after, in: partition, as: gate, &tx)
        guard let (subject, conflict) = before.newConflicts(after: after, at: time, limit: 1).first else { return }
        throw ControlError.conflict(
            "separation_of_duties",
            "\(subject.text) would hold both sides of the separation of duties \(conflict.separation), by the bindings "
                + "\(conflict.first.binding) and \(conflict.second.binding).")
    }

    /// Refuses the text of a service account's token to whoever may not do what it may: he has what it has from then on.
    static func check(_ token: APIToken, as gate: Gate, _ tx: inout Transaction) throws {
        let partition = AccessPartition(token.organization)
        var giving = AccessGiving(gate.access, to: try gate.policy(of: partition, &tx), of: partition)
        for gift in try giving.gifts(of: token, at: gate.access.context.time, &tx) { try giving.require(gift, &tx) }
    }

    /// What somebody comes to hold, or is denied, by a fact.
    private static func gifts(
        of fact: AccessFact, _ before: AccessPolicy, _ after: AccessPolicy, in partition: AccessPartition,
        at time: Timestamp
    ) -> [AccessGift] {
        func gifts(of subject: AccessSubject, to recipient: AccessSubject) -> [AccessGift] {
            after.grants(of: subject, at: time).map {
                AccessGift(
                    permissions: after.permissions(of: $0.role), scope: $0.scope, recipient: recipient,
                    until: $0.expiresAt)
            }
        }
        func returned(by group: AccessSubject, to recipient: AccessSubject?) -> [AccessGift] {
            before.denials(of: group, at: time).map {
                AccessGift(permissions: $0.permissions, scope: $0.scope, recipient: recipient)
            }
        }
        switch fact {
        case .binding(let binding):
            return [
                AccessGift(
                    permissions: after.permissions(of: binding.role), scope: binding.scope, recipient: binding.subject,
                    until: binding.expiresAt)
            ]
        case .member(let member, let group, true): return gifts(of: AccessSubject(group), to: member)
        case .subject(let subject, true): return gifts(of: subject, to: subject)
        // Who leaves a group, or whose group goes, may again what was denied to the group.
        case .member(let member, let group, false): return returned(by: AccessSubject(group), to: member)
        case .subject(let subject, false), .removedSubject(let subject):
            return subject.kind == .group ? returned(by: subject, to: nil) : []
        case .role(let role, let permissions):
            let more = permissions.subtracting(before.permissions(of: role))
            return [
                AccessGift(
                    permissions: more, scope: partition.scope, waiver: .rolesEscalate,
                    isUnbound: before.roles.handle(of: role) == nil)
            ]
        case .denial(let denial):
            // What it no longer denies.
            let old = before.denial(denial.id)?.permissions ?? PermissionSet()
            return [
                AccessGift(permissions: old.subtracting(denial.permissions), scope: denial.scope),
                // Who may do less does not forbid it to those who may do more.
                AccessGift(
                    permissions: denial.permissions.subtracting(old), scope: denial.scope, isTaken: true),
            ]
        case .removedDenial(let rule):
            guard let denial = before.denial(rule) else { return [] }
            return [AccessGift(permissions: denial.permissions, scope: denial.scope)]
        default: return []
        }
    }
}

extension AccessPartition {
    /// Where what holds for all of it holds.
    package var scope: AccessScope { self.organization.map { .node($0.node) } ?? .instance }
}
