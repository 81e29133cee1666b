package import Shared

/// How the gateway stands to the control plane, for `/readyz`, metrics and the status report.
package struct PolicyStatus: Sendable {
    package var version = SnapshotVersion(epoch: 0, version: 0)
    package var manifest: [UInt8] = []
    package var keyringEpoch = 0
    package var sequence = 0
    /// When the control plane last said what is current; nil before it ever did.
    package var fresh: Timestamp?
    package var isServing = false
    /// The process is ending.
    package var isDraining = false
    /// The control plane shut this process out, because another one runs under the same identity.
    package var isFenced = false
    /// Counts the processes of this gateway; nil before the control plane said so.
    package var epoch: Int?
    /// The newest snapshot that was refused, and why; nil once a newer one is served.
    package var refused: (version: SnapshotVersion, error: SnapshotError)?
    package var applied = 0
    package var refusals = 0
    /// The highest sequence and keyring epoch ever seen, also by earlier processes: below them all is refused.
    package var sequenceSeen = 0
    package var keyringEpochSeen = 0
    /// How often something said that the control plane's database was restored from an older state: a new epoch, or
    /// something older than what was seen.
    package var restoreSigns = 0

    /// Why `/readyz` says no; nil when it says yes.
    package var notReady: String? {
        if self.isFenced { return Self.fencedText }
        return self.isServing ? nil : "no current snapshot is served"
    }

    static let fencedText =
        "fenced: another process runs under this gateway's identity; stop all of them and start one"
}
