import Shared

// Where things are: what decides on who sees and changes them.

extension ScopeNode {
    var scope: AccessScope { .node(self.reference.node) }
}

extension VirtualKey {
    var scope: AccessScope { .node(self.project.node) }
}

extension Ownership {
    /// Nil scope is the instance.
    var place: AccessScope { self.scope.map { .node($0.node) } ?? .instance }
}

extension Webhook {
    var place: AccessScope { AccessPartition(self.organization).scope }
}

extension Event {
    var place: AccessScope { AccessPartition(self.organization).scope }
}
