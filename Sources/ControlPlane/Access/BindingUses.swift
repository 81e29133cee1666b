package import Postgres
import Shared
import Synchronization

/// When bindings last allowed something, collected in memory and written now and then.
///
/// Which binding it was is worked out once between two writes for what a subject does at a place: a request does not pay
/// for it again and again.
package final class BindingUses: Sendable {
    private struct Use: Hashable {
        let subject: AccessSubject
        let permission: Permission
        /// The innermost node; nil for the instance.
        let node: NodeID?
    }

    private struct State {
        var seen: Set<Use> = []
        var bindings: [BindingID: Timestamp] = [:]
    }

    private let state = Mutex(State())

    /// Uses that are remembered between two writes at most; of others nothing is noted.
    static let limit = 20_000

    package init() {}

    /// Notes what a policy has just allowed.
    func note(
        _ subject: AccessSubject, _ permission: Permission, along path: AccessPath, by policy: AccessPolicy,
        at time: Timestamp
    ) {
        let use = Use(subject: subject, permission: permission, node: path.count > 0 ? path[0] : nil)
        let isNew = self.state.withLock { state in state.seen.count < Self.limit && state.seen.insert(use).inserted }
        guard isNew, let grant = policy.decide(subject, permission, along: path, at: time).grants.items.first else {
            return
        }
        self.state.withLock { $0.bindings[grant.binding] = max($0.bindings[grant.binding] ?? time, time) }
    }

    /// Writes what was collected since; when that fails, it is collected again.
    ///
    /// - Returns: how many bindings were used.
    package func write(to database: Database) async throws -> Int {
        let used = self.state.withLock { state in
            defer { state = State() }
            return state.bindings
        }
        do {
            return try await LastUses.write(used, to: "role_binding", of: database)
        } catch {
            self.state.withLock { state in
                guard state.bindings.count + used.count <= Self.limit else { return }
                state.bindings.merge(used) { max($0, $1) }
            }
            throw error
        }
    }
}
