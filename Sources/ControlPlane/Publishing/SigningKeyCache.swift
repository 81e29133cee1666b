package import Postgres
package import Shared
import Synchronization

/// The signing keys, unwrapped, read again every few seconds: a rotation needs no restart.
///
/// Calls that come while one reads them go on with what is known, for as long again.
package final class SigningKeyCache: Sendable {
    private let database: Database
    private let keys: KeyEncryptionKeys
    private let time: TimeSource
    private let state = Mutex(State())

    private struct State {
        var known: (keys: SigningKeys, read: UInt64)?
        var isReading = false
    }

    /// Nanoseconds that keys are kept for.
    static let lifetime: UInt64 = 5_000_000_000

    package init(database: Database, keys: KeyEncryptionKeys, time: TimeSource) {
        self.database = database
        self.keys = keys
        self.time = time
    }

    package func current() async throws -> SigningKeys {
        let now = self.time.uptime()
        let known = self.state.withLock { state -> SigningKeys? in
            if let known = state.known, now < known.read + (state.isReading ? 2 : 1) * Self.lifetime {
                return known.keys
            }
            state.isReading = true
            return nil
        }
        if let known { return known }
        defer { self.state.withLock { $0.isReading = false } }
        let keys = self.keys
        let loaded = try await self.database.transaction(.readOnly) { tx in try SigningKeys.load(&tx, keys: keys) }
        self.state.withLock { $0.known = (loaded, now) }
        return loaded
    }
}
