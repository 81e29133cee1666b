import Crypto
package import Logging
package import Postgres
import ServiceLifecycle
package import Shared
import Synchronization

/// Compiles, signs and publishes every group's snapshots.
///
/// One replica does it at a time.
///
/// Woken by NOTIFY, backed by a poll each second: a lost notification costs a second, never a change.
package final class Publisher: Sendable {
    private let database: Database
    private let listener: Listener
    private let lock: AdvisoryLock
    private let keys: KeyEncryptionKeys
    private let time: TimeSource
    private let logger: Logger
    private let state = Mutex(Figures())
    private let hold = Mutex<AdvisoryLockHold?>(nil)
    /// When blobs are looked through next, on the uptime clock.
    private let pruneAt = Mutex<UInt64>(0)
    /// Nanoseconds between two looks.
    static let pruneInterval: UInt64 = 600_000_000_000

    /// For metrics.
    package struct Figures: Sendable {
        package var isLeader = false
        package var published = 0
        package var failures = 0
        /// Microseconds that the last compile and signature took.
        package var lastMicroseconds = 0
    }

    /// "GHPUBLSH" as a number: the advisory lock of the publisher.
    package static let lockKey: Int64 = 0x4748_5055_424C_5348
    /// Seconds after which an unchanged timestamp is issued anew.
    static let reissue: Int64 = 60

    package init(
        database: Database, listener: Listener, lock: AdvisoryLock, keys: KeyEncryptionKeys, time: TimeSource,
        logger: Logger
    ) {
        self.database = database
        self.listener = listener
        self.lock = lock
        self.keys = keys
        self.time = time
        self.logger = logger
    }

    package var figures: Figures { self.state.withLock { $0 } }

    package func run() async throws {
        let wake = Wakeup()
        let listening = Task {
            for await _ in self.listener.events() { wake.signal() }
        }
        defer { listening.cancel() }
        while !Task.isCancelled && !Task.isShuttingDownGracefully {
            do {
                if try await self.lead() { try await self.publishAll() }
            } catch is CancellationError {
                break
            } catch {
                self.state.withLock { $0.failures += 1 }
                self.logger.error("publishing failed", metadata: ["error": "\(error)"])
            }
            await wake.wait(upTo: .seconds(1))
        }
        await self.hold.withLock { $0 }?.release()
    }

    private func lead() async throws -> Bool {
        if self.hold.withLock({ $0?.isHeld != true }) {
            let taken = try await self.lock.tryAcquire(Self.lockKey)
            self.hold.withLock { $0 = taken }
        }
        let leads = self.hold.withLock { $0?.isHeld == true }
        let before = self.state.withLock { state in
            defer { state.isLeader = leads }
            return state.isLeader
        }
        if leads != before { self.logger.info(leads ? "publishing snapshots" : "another replica publishes") }
        return leads
    }

    private func publishAll() async throws {
        let groups = try await self.database.transaction(.readOnly) { tx in
            try tx.query("select id from gateway_group where deleted_at is null order by id").map {
                try $0.get("id", as: GatewayGroupID.self)
            }
        }
        guard !groups.isEmpty else { return }
        for group in groups { try await self.publish(group) }
        let now = self.time.uptime()
        if now >= self.pruneAt.withLock({ $0 }) {
            self.pruneAt.withLock { $0 = now + Self.pruneInterval }
            try await self.database.transaction { tx in _ = try BlobPruning.prune(&tx) }
        }
    }

    private func publish(_ group: GatewayGroupID) async throws {
        let began = self.time.uptime()
        let now = self.time.now()
        let keys = self.keys
        // The keys are read in the state that is compiled: what is recorded as signed under a root, is.
        // An epoch's leaf may meet another one at the head of the log: then it is done again.
        let (draft, ahead, signing) = try await self.database.transaction(
            .repeatableReadWrite, retrySerialization: 3
        ) { tx in
            let signing = try SigningKeys.load(&tx, keys: keys)
            let ahead = try FleetAhead.find(&tx, group: group)
            let compiler = SnapshotCompiler(group: group, deployment: signing.deployment, keys: keys)
            return (try compiler.compile(&tx, ahead: ahead, root: signing.root.version, now: now), ahead, signing)
        }
        if let opening = draft?.opening {
            self.logger.warning(
                "gateways are ahead of the database, which was restored: a new epoch is opened",
                metadata: [
                    "group": "\(group)", "seen": "\(opening.proof.version)", "gateway": "\(opening.proof.gateway)",
                    "epoch": "\(opening.after.epoch)",
                ]
            )
        }
        if let draft { try await self.sign(draft, signing) }
        let issued = try await self.issueTimestamp(group, signing, changed: draft != nil, atLeast: ahead.sequence)
        if let draft, issued {
            let micros = Int((self.time.uptime() - began) / 1000)
            self.state.withLock { state in
                state.published += 1
                state.lastMicroseconds = micros
            }
            self.logger.info(
                "snapshot published",
                metadata: [
                    "group": "\(group)", "snapshot": "\(draft.manifest.version)", "microseconds": "\(micros)",
                    "chunks": "\(draft.manifest.chunks.count)",
                ]
            )
        }
    }

    private func sign(_ draft: SnapshotCompiler.Draft, _ signing: SigningKeys) async throws {
        let payload = draft.manifest.wireBytes
        guard payload.count <= Manifest.sizeLimit else {
            throw PublishingFailure("the manifest has \(payload.count) bytes; the limit is \(Manifest.sizeLimit)")
        }
        let manifest = try signing.sign(.manifest, payload)
        let keyring = try draft.keyring.map { try signing.sign(.keyring, $0.wireBytes) }
        let version = draft.manifest.version
        let group = draft.manifest.group
        let kept = draft.keyringSHA256
        try await self.database.transaction { tx in
            let manifestHash = Array(SHA256.hash(data: manifest))
            try Self.storeBlob(&tx, manifestHash, manifest)
            var keyringHash = kept
            if let keyring {
                let hash = Array(SHA256.hash(data: keyring))
                try Self.storeBlob(&tx, hash, keyring)
                keyringHash = hash
            }
            _ = try tx.execute(
                """
                update snapshot set manifest_sha256 = $4, payload_sha256 = $5, keyring_sha256 = $6, published_at = now()
                where group_id = $1 and epoch = $2 and version = $3 and manifest_sha256 is null
                """,
                group, Int32(version.epoch), Int64(version.version), manifestHash,
                Array(SHA256.hash(data: payload)), keyringHash
            )
        }
    }

    private static func storeBlob(_ tx: inout Transaction, _ hash: [UInt8], _ bytes: [UInt8]) throws {
        _ = try tx.execute("insert into blob (sha256, bytes) values ($1, $2) on conflict do nothing", hash, bytes)
    }

    /// Issues a timestamp when snapshot or root changed, the last one is old, or gateways have seen a later one.
    ///
    /// Never for a snapshot that was signed under another root: the next round makes one under this.
    ///
    /// - Returns: whether one was issued.
    private func issueTimestamp(
        _ group: GatewayGroupID, _ signing: SigningKeys, changed: Bool, atLeast: Int
    ) async throws -> Bool {
        let now = self.time.now()
        return try await self.database.transaction { tx in
            let last = try tx.queryOne(
                """
                select sequence, epoch, version, root_version, issued_at from snapshot_timestamp
                where group_id = $1 for update
                """,
                group
            )
            let snapshot = try tx.queryOne(
                """
                select epoch, version, manifest_sha256, keyring_epoch, keyring_sha256, root_version from snapshot
                where group_id = $1 and manifest_sha256 is not null and keyring_sha256 is not null
                order by epoch desc, version desc limit 1
                """, group
            )
            let root = Int32(signing.root.version)
            guard let snapshot, try snapshot.get("root_version", as: Int32.self) == root else { return false }
            var sequence = 0
            if let last {
                sequence = Int(try last.get("sequence", as: Int64.self))
                let issued: Timestamp = try last.get("issued_at")
                let same =
                    try last.get("epoch", as: Int32.self) == snapshot.get("epoch", as: Int32.self)
                    && last.get("version", as: Int64.self) == snapshot.get("version", as: Int64.self)
                guard changed || !same || issued.adding(seconds: Self.reissue) <= now || atLeast > sequence else {
                    return false
                }
            }
            sequence = max(sequence, atLeast) + 1
            let statement = TimestampStatement(
                deployment: signing.deployment, group: group, sequence: sequence, issued: now,
                version: SnapshotVersion(
                    epoch: Int(try snapshot.get("epoch", as: Int32.self)),
                    version: Int(try snapshot.get("version", as: Int64.self))
                ),
                manifest: try snapshot.get("manifest_sha256"),
                keyringEpoch: Int(try snapshot.get("keyring_epoch", as: Int32.self)),
                keyring: try snapshot.get("keyring_sha256"), rootVersion: signing.root.version
            )
            _ = try tx.execute(
                """
                insert into snapshot_timestamp (group_id, sequence, epoch, version, envelope, issued_at, root_version)
                values ($1, $2, $3, $4, $5, $6, $7)
                on conflict (group_id) do update set sequence = excluded.sequence, epoch = excluded.epoch,
                    version = excluded.version, envelope = excluded.envelope, issued_at = excluded.issued_at,
                    root_version = excluded.root_version
                """,
                group, Int64(sequence), Int32(statement.version.epoch), Int64(statement.version.version),
                try signing.sign(.timestamp, statement.wireBytes), now, root
            )
            try tx.notify(TimestampFeed.channel, "\(group)")
            return true
        }
    }
}
