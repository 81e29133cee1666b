package import Shared
import Synchronization

/// The values that clients gave to each tag of each project, all loops of a process together: so many are told apart.
///
/// Asked only when a loop sees a set for the first time.
package final class TagValues: Sendable {
    /// Most values of one name of one project.
    package static let limit = 10_000

    private struct Name: Hashable {
        let project: NodeID
        let name: [UInt8]
    }

    private let limit: Int
    private let seen = Mutex<[Name: Set<Int>]>([:])

    package init(limit: Int = TagValues.limit) { self.limit = limit }

    /// Whether a value is one of those that are told apart; a new one becomes that while there is room.
    package func admits(_ value: [UInt8], of name: [UInt8], project: NodeID) -> Bool {
        // Hashes, because the values need not be held once more; they are seeded by the process.
        let hash = value.hashValue
        return self.seen.withLock { seen in
            let key = Name(project: project, name: name)
            if seen[key, default: []].contains(hash) { return true }
            guard seen[key, default: []].count < self.limit else { return false }
            seen[key, default: []].insert(hash)
            return true
        }
    }
}
