package import NIOCore

/// The current policy of one event loop.
///
/// Touched only there, so reading needs no lock.
package final class PolicyCell {
    /// What requests are decided by.
    package private(set) var index: PolicyIndex = .empty
    /// False before the first snapshot, and when the last word of the control plane is older than the group allows.
    package private(set) var isServing = false

    package init() {}

    func replace(with index: PolicyIndex, serving: Bool) {
        self.index = index
        self.isServing = serving
    }
}

/// Hands a new policy to every loop.
///
/// Called off the loops, after verification and compilation.
package struct PolicyPublisher: Sendable {
    private let cells: [NIOLoopBound<PolicyCell>]

    package init(cells: [NIOLoopBound<PolicyCell>]) { self.cells = cells }

    /// Returns when every loop decides by the new policy.
    package func publish(_ index: PolicyIndex, serving: Bool) async {
        for cell in self.cells {
            try? await cell.eventLoop.submit { cell.value.replace(with: index, serving: serving) }.get()
        }
    }
}
