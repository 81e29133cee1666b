package import Postgres
package import Shared
import Synchronization

/// The signing keys, unwrapped, read again every few seconds: a rotation needs no restart.
package final class SigningKeyCache: Sendable {
    private let database: Database
    private let keys: KeyEncryptionKeys
    private let time: TimeSource
    private let state = Mutex<(keys: SigningKeys, read: UInt64)?>(nil)

    /// Nanoseconds that keys are kept for.
    static let lifetime: UInt64 = 5_000_000_000

    package init(database: Database, keys: KeyEncryptionKeys, time: TimeSource) {
        self.database = database
        self.keys = keys
        self.time = time
    }

    package func current() async throws -> SigningKeys {
        let now = self.time.uptime()
        if let known = self.state.withLock({ $0 }), now < known.read + Self.lifetime { return known.keys }
        let keys = self.keys
        let loaded = try await self.database.transaction(.readOnly) { tx in try SigningKeys.load(&tx, keys: keys) }
        self.state.withLock { $0 = (loaded, now) }
        return loaded
    }
}
