package import Shared

/// The scopes that hold somewhere, innermost first; the instance is always the last.
///
/// It has its nodes in itself: making and passing one allocates nothing. One policy makes it, another may decide along
/// it: the instance's policy knows no nodes.
package struct AccessPath: Sendable {
    /// How many nodes can be above each other: an organization, eight units and a project are ten.
    package static let capacity = 12

    private var nodes: InlineArray<12, NodeID>
    /// How many nodes there are, the instance not counted.
    package private(set) var count: Int

    /// Everywhere: the path of what belongs to no node.
    package static let instance = AccessPath()

    private init() {
        self.nodes = InlineArray(repeating: NodeID(UUIDValue(high: 0, low: 0)))
        self.count = 0
    }

    /// A path of these nodes, innermost first; nil when there are more than `capacity`.
    package init?(_ nodes: some Sequence<NodeID>) {
        self.init()
        for node in nodes { guard self.append(node) else { return nil } }
    }

    /// Adds what is above; false when there is no room.
    mutating func append(_ node: NodeID) -> Bool {
        guard self.count < Self.capacity else { return false }
        self.nodes[self.count] = node
        self.count += 1
        return true
    }

    /// The node at a position from 0, the innermost, to below `count`.
    package subscript(position: Int) -> NodeID { self.nodes[position] }

    /// Every scope, innermost first, with the instance.
    package var scopes: [AccessScope] {
        (0..<self.count).map { .node(self.nodes[$0]) } + [.instance]
    }

    package func contains(_ scope: AccessScope) -> Bool {
        guard case .node(let node) = scope else { return true }
        for position in 0..<self.count where self.nodes[position] == node { return true }
        return false
    }
}

extension AccessPath: Equatable {
    package static func == (left: AccessPath, right: AccessPath) -> Bool {
        guard left.count == right.count else { return false }
        for position in 0..<left.count where left[position] != right[position] { return false }
        return true
    }
}
