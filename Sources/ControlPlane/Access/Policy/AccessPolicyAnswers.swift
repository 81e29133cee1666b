package import Shared

/// The first of what there is, and how many there are in all.
package struct AccessList<Element: Sendable & Equatable>: Sendable, Equatable {
    package let items: [Element]
    package let count: Int

    /// Most that are named.
    package static var limit: Int { 100 }

    package init(_ elements: [Element]) {
        self.items = elements.count <= Self.limit ? elements : Array(elements.prefix(Self.limit))
        self.count = elements.count
    }

    static var none: Self { Self([]) }

    package var isEmpty: Bool { self.count == 0 }
}

/// A binding, and how it comes to a subject.
package struct AccessGrant: Sendable, Hashable {
    package let binding: BindingID
    package let role: RoleID
    package let scope: AccessScope
    package let expiresAt: Timestamp?
    /// The groups through which it comes, shortest way: first the one that the subject is a member of, last the one that the
    /// binding is for; none when it is for the subject itself.
    package let groups: [GroupID]
}

/// A deny rule that applies, and why.
package struct AppliedDenial: Sendable, Hashable {
    package let rule: DenyRuleID
    package let scope: AccessScope
    package let expiresAt: Timestamp?
    package let isForEverybody: Bool
    /// As in `AccessGrant`; none when it is for the subject itself or for everybody.
    package let groups: [GroupID]

    package init(
        rule: DenyRuleID, scope: AccessScope, expiresAt: Timestamp?, isForEverybody: Bool, groups: [GroupID]
    ) {
        self.rule = rule
        self.scope = scope
        self.expiresAt = expiresAt
        self.isForEverybody = isForEverybody
        self.groups = groups
    }
}

/// Why something is allowed or not.
package struct AccessDecision: Sendable, Equatable {
    package enum Standing: String, Sendable {
        case active
        case inactive
        /// No fact names it.
        case unknown
    }

    package let isAllowed: Bool
    /// What the subject is; nothing below is said of one that is not active, but the roles.
    package let standing: Standing
    /// Every binding that grants it: shortest chain of groups first, then innermost scope first.
    package let grants: AccessList<AccessGrant>
    /// Every deny rule that forbids it, innermost scope first; also when nothing grants it.
    package let denials: AccessList<AppliedDenial>
    /// Where nothing grants it: the roles that would.
    package let roles: AccessList<RoleID>
    /// Where nothing grants it: bindings that would, but have expired.
    package let expired: AccessList<AccessGrant>
    /// Where nothing grants it: bindings that grant it at scopes elsewhere.
    package let elsewhere: AccessList<AccessGrant>
}

/// Where a subject may do something: what a list is filtered by.
package struct AccessReach: Sendable, Equatable {
    /// At the instance, and so everywhere that is not excepted.
    package let everywhere: Bool
    /// At each of these and all that is under them; not sorted, some may be under others or not be there.
    package let nodes: [NodeID]
    /// Not at these, nor at anything under them.
    package let except: [NodeID]

    package init(everywhere: Bool, nodes: [NodeID], except: [NodeID]) {
        self.everywhere = everywhere
        self.nodes = nodes
        self.except = except
    }

    package static let nowhere = AccessReach(everywhere: false, nodes: [], except: [])

    package var isNowhere: Bool { !self.everywhere && self.nodes.isEmpty }

    package func contains(_ path: AccessPath) -> Bool {
        if self.except.contains(where: { path.contains(.node($0)) }) { return false }
        return self.everywhere || self.nodes.contains { path.contains(.node($0)) }
    }
}

/// One who may do something, and one reason for it.
package struct AccessHolder: Sendable, Hashable {
    /// A user or a service account.
    package let subject: AccessSubject
    /// The binding with the shortest chain of groups, innermost.
    package let grant: AccessGrant
}

/// Those who may do something, by their ids, some at a time.
package struct AccessHolders: Sendable, Equatable {
    package let holders: [AccessHolder]
    /// How many there are in all.
    package let count: Int
    /// What the next call goes on after; nil when these are the last.
    package let next: AccessSubject?
}

/// What a separation of duties forbids, and is.
package struct AccessConflict: Sendable, Hashable {
    package let separation: DutySeparationID
    /// A binding that allows something of its first permissions.
    package let first: AccessGrant
    /// One that allows something of its second, at the same scope, above it or below it; it may be the same one.
    package let second: AccessGrant
}

/// What somebody may do at a scope that he might not before, and the other way round.
package struct AccessChange: Sendable, Hashable {
    package let scope: AccessScope
    package let gained: PermissionSet
    package let lost: PermissionSet

    package init(scope: AccessScope, gained: PermissionSet, lost: PermissionSet) {
        self.scope = scope
        self.gained = gained
        self.lost = lost
    }
}

/// What changes for one user or service account.
package struct AccessSubjectEffect: Sendable, Equatable {
    package let subject: AccessSubject
    /// Each scope at which another change holds than at the one above it, outermost first.
    ///
    /// What holds at a scope holds under it, as far as bindings and deny rules there leave it.
    package let changes: AccessList<AccessChange>

    package init(subject: AccessSubject, changes: AccessList<AccessChange>) {
        self.subject = subject
        self.changes = changes
    }
}

/// What facts would change.
package struct AccessEffect: Sendable, Equatable {
    /// Those to whom something changes, by their ids; bounded.
    package let subjects: [AccessSubjectEffect]
    /// How many users and service accounts gain something somewhere.
    package let gaining: Int
    /// How many lose something somewhere; one may gain and lose.
    package let losing: Int
    /// How many gain, lose, or both.
    package let count: Int
}
