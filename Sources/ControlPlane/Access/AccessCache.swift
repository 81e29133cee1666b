package import Postgres
package import Shared
import Synchronization

/// What decides on access, in memory: read once, and after that only what changed.
///
/// What it holds of a partition is as new as the transaction that asks: a permission that was withdrawn is withdrawn for
/// the next request, whichever process of the control plane it comes to.
package final class AccessCache: Sendable {
    private struct Entry {
        let policy: AccessPolicy
        let position: AccessStore.Position
        var usedAt: UInt64
    }

    private let entries = Mutex<[AccessPartition: Entry]>([:])
    private let time: TimeSource

    /// Partitions that are held at most; those not asked for longest make room.
    static let partitionLimit = 1000

    package init(time: TimeSource) { self.time = time }

    /// The policy of a partition, in a transaction that has changed nothing of it.
    package func policy(of partition: AccessPartition, _ tx: inout Transaction) throws -> AccessPolicy {
        let position = try AccessStore.position(of: partition, &tx)
        let uptime = self.time.uptime()
        let held = self.entries.withLock { entries -> Entry? in
            entries[partition]?.usedAt = uptime
            return entries[partition]
        }
        // Of another server, or of one that has come less far: what was held may never have been.
        let known = held.flatMap {
            $0.position.server == position.server && $0.position.revision <= position.revision ? $0 : nil
        }
        if let known, known.position == position { return known.policy }
        var policy = known?.policy ?? AccessPolicy()
        policy.apply(try AccessStore.facts(of: partition, after: known?.position.revision ?? 0, &tx))
        let entry = Entry(policy: policy, position: position, usedAt: uptime)
        self.entries.withLock { entries in
            if let other = entries[partition]?.position, other.server == position.server,
                other.revision >= position.revision, known != nil || held == nil
            {
                return
            }
            entries[partition] = entry
            if entries.count > Self.partitionLimit, let oldest = entries.min(by: { $0.value.usedAt < $1.value.usedAt })
            {
                entries[oldest.key] = nil
            }
        }
        return policy
    }
}
