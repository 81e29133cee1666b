package import Shared

/// All that decides on access in one partition (an organization, or the instance), in memory, and the decisions.
///
/// The rule: a subject that is active is allowed a permission at a scope when a binding of itself, or of a group that it
/// is in (directly, or through groups that are in groups), allows it at that scope or above, and no deny rule for
/// everybody, itself or one of its groups says otherwise. A binding or deny rule that has expired says nothing. A group
/// that is not active gives nothing and passes nothing on.
///
/// It is a value: a copy that somebody reads stays as it is while the original is fed. The first fact after a copy was
/// made costs milliseconds in a large partition, the next ones microseconds: many facts go in one call of `apply`.
///
/// Inside, each id is a handle: an index into a table of records. What bindings and deny rules say lies with the scope,
/// sorted by whom they are for, so that a decision looks at the scopes of one path and nothing else.
package struct AccessPolicy: Sendable {
    var groups = AccessTable<UUIDValue, AccessParty>()
    /// Users and service accounts.
    var actors = AccessTable<AccessActorKey, AccessParty>()
    var places = AccessTable<AccessScope, AccessPlace>()
    var roles = AccessTable<RoleID, AccessRole>()
    var bindings = AccessTable<BindingID, AccessBindingRecord>()
    var denials = AccessTable<DenyRuleID, AccessDenialRecord>()
    var separations: [DutySeparationID: AccessSeparation] = [:]
    /// How many nodes are there: not those that are only spoken of.
    var nodeCount = 0

    /// The instance's handle among the places; it is always there.
    static let instance: Int32 = 0

    /// A policy that allows nothing.
    package init() {
        let handle = self.places.insert(.instance, AccessPlace(.instance))
        self.places[handle].isKnown = true
    }

    /// How much there is of each kind, with what is only spoken of.
    package var size: AccessPolicySize {
        AccessPolicySize(
            groups: self.groups.count, actors: self.actors.count, nodes: self.places.count - 1,
            roles: self.roles.count, bindings: self.bindings.count, denials: self.denials.count,
            separations: self.separations.count)
    }

    /// The scopes that hold at a node: itself, what is above it, the instance.
    ///
    /// Nil for a node that is not there, or that hangs on one that is not there; also where there are more than
    /// `AccessPath.capacity` above each other, which a circle of nodes comes to.
    package func path(to node: NodeID) -> AccessPath? {
        guard let handle = self.places.handle(of: .node(node)) else { return nil }
        return self.path(toPlace: handle)
    }

    func path(toPlace place: Int32) -> AccessPath? {
        var path = AccessPath.instance
        var handle = place
        while handle != Self.instance {
            let place = self.places[handle]
            guard place.isKnown, case .node(let node) = place.scope, path.append(node) else { return nil }
            handle = place.parent
        }
        return path
    }
}

/// How much a policy holds.
package struct AccessPolicySize: Sendable, Hashable {
    package let groups: Int
    /// Users and service accounts.
    package let actors: Int
    package let nodes: Int
    package let roles: Int
    package let bindings: Int
    package let denials: Int
    package let separations: Int
}
