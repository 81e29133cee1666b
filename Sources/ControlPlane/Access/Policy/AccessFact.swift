package import Shared

/// Where something is allowed: everywhere, or at a node of the scope tree and all that is under it.
package enum AccessScope: Sendable, Hashable {
    /// The whole deployment.
    case instance
    case node(NodeID)
}

/// Whom something is allowed.
package struct AccessSubject: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        case user
        case group
        case serviceAccount = "service_account"
    }

    package let kind: Kind
    package let id: UUIDValue

    package init(_ kind: Kind, _ id: UUIDValue) {
        self.kind = kind
        self.id = id
    }

    /// Nil for what is no person.
    package var user: UserID? { self.kind == .user ? UserID(self.id) : nil }

    package init(_ id: UserID) { self.init(.user, id.value) }
    package init(_ id: GroupID) { self.init(.group, id.value) }
    package init(_ id: ServiceAccountID) { self.init(.serviceAccount, id.value) }
}

/// What a binding says: a role for a subject, at a scope.
package struct AccessBinding: Sendable, Hashable {
    package let id: BindingID
    package let subject: AccessSubject
    package let role: RoleID
    package let scope: AccessScope
    /// It holds before this instant; nil for as long as it is there.
    package let expiresAt: Timestamp?

    package init(id: BindingID, subject: AccessSubject, role: RoleID, scope: AccessScope, expiresAt: Timestamp?) {
        self.id = id
        self.subject = subject
        self.role = role
        self.scope = scope
        self.expiresAt = expiresAt
    }
}

/// What a deny rule says: what a subject, or everybody, may not do at a scope, whatever bindings allow.
package struct AccessDenial: Sendable, Hashable {
    package let id: DenyRuleID
    /// Nil for everybody.
    package let subject: AccessSubject?
    package let permissions: PermissionSet
    package let scope: AccessScope
    /// It holds before this instant; nil for as long as it is there.
    package let expiresAt: Timestamp?

    package init(
        id: DenyRuleID, subject: AccessSubject?, permissions: PermissionSet, scope: AccessScope,
        expiresAt: Timestamp?
    ) {
        self.id = id
        self.subject = subject
        self.permissions = permissions
        self.scope = scope
        self.expiresAt = expiresAt
    }
}

/// What nobody may be allowed both of: a separation of duties (ANSI INCITS 359, static).
///
/// A subject is in conflict when bindings allow it a permission of `first` at one scope and one of `second` at the same
/// scope, above it or below it.
package struct AccessSeparation: Sendable, Hashable {
    package let id: DutySeparationID
    package let first: PermissionSet
    package let second: PermissionSet

    package init(id: DutySeparationID, first: PermissionSet, second: PermissionSet) {
        self.id = id
        self.first = first
        self.second = second
    }
}

/// One row of what decides on access, as it is from now on.
package enum AccessFact: Sendable, Hashable {
    /// A node of the scope tree; an organization has no parent.
    case node(NodeID, parent: NodeID?)
    case removedNode(NodeID)
    /// A user, a group or a service account; of one that is not active nothing is allowed.
    case subject(AccessSubject, isActive: Bool)
    case removedSubject(AccessSubject)
    /// Whether a user, a service account or a group is a member of a group.
    case member(AccessSubject, of: GroupID, Bool)
    case role(RoleID, PermissionSet)
    case removedRole(RoleID)
    case binding(AccessBinding)
    case removedBinding(BindingID)
    case denial(AccessDenial)
    case removedDenial(DenyRuleID)
    case separation(AccessSeparation)
    case removedSeparation(DutySeparationID)
}

extension AccessSubject {
    /// The identifier as text.
    package var text: String {
        switch self.kind {
        case .user: UserID(self.id).description
        case .group: GroupID(self.id).description
        case .serviceAccount: ServiceAccountID(self.id).description
        }
    }

    /// Reads the identifier of a user, a group or a service account.
    package init?(_ text: String) {
        if let id = UserID(text) {
            self.init(id)
        } else if let id = GroupID(text) {
            self.init(id)
        } else if let id = ServiceAccountID(text) {
            self.init(id)
        } else {
            return nil
        }
    }
}
