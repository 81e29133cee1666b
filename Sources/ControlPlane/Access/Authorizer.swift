package import Postgres
import Shared

/// Says what a caller may do, by the bindings and rules of his partition as the transaction sees them.
package struct Authorizer: Sendable {
    private let cache: AccessCache
    private let uses: BindingUses

    package init(cache: AccessCache, uses: BindingUses = BindingUses()) {
        self.cache = cache
        self.uses = uses
    }

    package func policy(of partition: AccessPartition, _ tx: inout Transaction) throws -> AccessPolicy {
        try self.cache.policy(of: partition, &tx)
    }

    /// What a caller may do in one transaction, before that changes anything.
    package func access(
        of context: OperationContext, _ tx: inout Transaction
    ) throws -> Access {
        var policy: AccessPolicy?
        if case .bindings(_, let partition, _) = context.authority {
            policy = try self.cache.policy(of: partition, &tx)
        }
        return Access(context: context, policy: policy, uses: self.uses)
    }
}

/// What a caller may do, in one transaction.
package struct Access: Sendable {
    package let context: OperationContext
    /// Of the caller's partition; nil for whoever does not go by bindings.
    package let policy: AccessPolicy?
    private let uses: BindingUses

    init(context: OperationContext, policy: AccessPolicy?, uses: BindingUses) {
        self.context = context
        self.policy = policy
        self.uses = uses
    }

    package func holdsAnywhere(_ permission: Permission) -> Bool {
        switch self.context.authority {
        case .none: false
        case .everything: true
        case .only(let permissions): permissions.contains(permission)
        case .bindings(let subject, _, let boundary):
            boundary.permissions?.contains(permission) != false
                && self.policy?.reach(of: subject, permission, at: self.context.time).isNowhere == false
        }
    }

    /// Whether the caller holds the permission at a scope.
    package func allows(_ permission: Permission, at scope: AccessScope, _ tx: inout Transaction) throws -> Bool {
        switch self.context.authority {
        case .none: return false
        case .everything: return true
        case .only(let permissions): return permissions.contains(permission)
        case .bindings:
            guard let path = try AccessStore.path(to: scope, &tx) else { return false }
            return self.allows(permission, along: path)
        }
    }

    /// Whether the caller holds it by no binding: wherever something is.
    func isUnbounded(_ permission: Permission) -> Bool {
        if case .bindings = self.context.authority { return false }
        return self.holdsAnywhere(permission)
    }

    /// The same along a path that is known.
    package func allows(_ permission: Permission, along path: AccessPath) -> Bool {
        guard case .bindings(let subject, _, let boundary) = self.context.authority else {
            return self.holdsAnywhere(permission)
        }
        guard boundary.permissions?.contains(permission) != false,
            boundary.scope.map({ path.contains(.node($0)) }) != false, let policy = self.policy
        else { return false }
        let time = self.context.time
        guard policy.allows(subject, permission, along: path, at: time) else { return false }
        self.uses.note(subject, permission, along: path, by: policy, at: time)
        return true
    }

    /// Notes that a list is read: by the bindings of the first places that are seen.
    func note(_ permission: Permission, _ reach: AccessReach) {
        guard case .bindings(let subject, _, _) = self.context.authority, let policy = self.policy else { return }
        if reach.everywhere {
            self.uses.note(subject, permission, along: .instance, by: policy, at: self.context.time)
        }
        for node in reach.nodes.prefix(4) {
            guard let path = AccessPath([node]) else { continue }
            self.uses.note(subject, permission, along: path, by: policy, at: self.context.time)
        }
    }

    /// All that the caller holds along a path at an instant, as far as is known now.
    func permissions(along path: AccessPath, at time: Timestamp) -> PermissionSet {
        switch self.context.authority {
        case .none: return PermissionSet()
        case .everything: return .all
        case .only(let permissions): return permissions
        case .bindings(let subject, _, let boundary):
            guard let policy = self.policy, boundary.scope.map({ path.contains(.node($0)) }) != false else {
                return PermissionSet()
            }
            let held = policy.permissions(of: subject, along: path, at: time)
            return boundary.permissions.map { held.intersection($0) } ?? held
        }
    }

    package static func denied(_ permission: Permission) -> ControlError {
        ControlError(.notAllowed, "permission_denied", "The permission \(permission.rawValue) is needed.")
    }
}

/// The proof that something was allowed; stores ask for it with every write.
///
/// Only `Authority` makes one, and it cannot be copied or kept.
package struct Permit: ~Copyable, Sendable {
    package let permission: Permission
    package let actor: Actor

    fileprivate init(permission: Permission, actor: Actor) {
        self.permission = permission
        self.actor = actor
    }
}

/// What one change may be permitted: the body of a change says where it takes place, and gets a permit for there.
package struct Gate: Sendable {
    private let authorizer: Authorizer
    package let access: Access
    package let permission: Permission
    package let target: Target
    let approvals = GateApprovals()

    init(_ authorizer: Authorizer, access: Access, permission: Permission, target: Target) {
        self.authorizer = authorizer
        self.access = access
        self.permission = permission
        self.target = target
    }

    /// The permit for a change at a scope.
    ///
    /// Throws `notAllowed` to a caller who may see what is there, and to others `missing`: what a thing that does not
    /// exist is answered with. Things are hidden wherever they are; of places, the instance is known to everybody.
    ///
    /// - Parameter missing: by default that there is no such target: say another error where there is none yet.
    package func permit(
        at scope: AccessScope, _ tx: inout Transaction, orMissing missing: ControlError? = nil
    ) throws -> Permit {
        let path = try AccessStore.path(to: scope, &tx)
        if path.map({ self.access.allows(self.permission, along: $0) }) ?? self.access.isUnbounded(self.permission) {
            if let path { try self.approvals.look(at: path, of: self, &tx) }
            return Permit(permission: self.permission, actor: self.access.context.actor)
        }
        let isSeen = try self.permission.reading.map { try self.access.allows($0, at: scope, &tx) } ?? false
        guard !isSeen else { throw Access.denied(self.permission) }
        let missing = missing ?? .notFound(String(self.target.kind.map { $0 == "_" ? " " : $0 }))
        guard scope != .instance || missing.kind == .notFound else { throw Access.denied(self.permission) }
        throw missing.because("not_visible")
    }

    /// Has the change need the approvals of a rule, whatever that is about.
    func requireApproval(by rule: ApprovalRule, _ tx: inout Transaction) throws {
        guard let place = try AccessStore.path(to: rule.place, &tx) else { return }
        try self.approvals.require(rule, at: place, of: self, &tx)
    }

    /// What decides on access of a partition, before the transaction has changed anything of it.
    func policy(of partition: AccessPartition, _ tx: inout Transaction) throws -> AccessPolicy {
        try self.authorizer.policy(of: partition, &tx)
    }

    /// Whether anybody else holds the permission there, of the caller's partition.
    package func isHeldByOthers(along path: AccessPath) -> Bool {
        guard case .bindings(let subject, _, _) = self.access.context.authority, let policy = self.access.policy else {
            return false
        }
        let found = policy.holders(of: self.permission, along: path, at: self.access.context.time, limit: 2)
        return found.holders.contains { $0.subject != subject }
    }
}
