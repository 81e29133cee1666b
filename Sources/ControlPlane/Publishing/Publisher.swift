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
        let keys = self.keys
        let signing = try await self.database.transaction(.readOnly) { tx in
            try SigningKeys.load(&tx, keys: keys)
        }
        for group in groups { try await self.publish(group, signing) }
        let now = self.time.uptime()
        if now >= self.pruneAt.withLock({ $0 }) {
            self.pruneAt.withLock { $0 = now + Self.pruneInterval }
            try await self.database.transaction { tx in _ = try BlobPruning.prune(&tx) }
        }
    }

    private func publish(_ group: GatewayGroupID, _ signing: SigningKeys) async throws {
        let began = self.time.uptime()
        let now = self.time.now()
        let compiler = SnapshotCompiler(group: group, deployment: signing.deployment, keys: self.keys)
        let (draft, sequence) = try await self.database.transaction(.repeatableReadWrite) { tx in
            let ahead = try FleetAhead.find(&tx, group: group)
            return (try compiler.compile(&tx, seen: ahead.version, now: now), ahead.sequence)
        }
        if let draft { try await self.sign(draft, signing) }
        let issued = try await self.issueTimestamp(group, signing, changed: draft != nil, atLeast: sequence)
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

    /// Issues a timestamp when the snapshot changed, the last one is old, or gateways have seen a later one.
    ///
    /// - Returns: whether one was issued.
    private func issueTimestamp(
        _ group: GatewayGroupID, _ signing: SigningKeys, changed: Bool, atLeast: Int
    ) async throws -> Bool {
        let now = self.time.now()
        return try await self.database.transaction { tx in
            let last = try tx.queryOne(
                "select sequence, epoch, version, issued_at from snapshot_timestamp where group_id = $1 for update",
                group
            )
            let snapshot = try tx.queryOne(
                """
                select epoch, version, manifest_sha256, keyring_epoch, keyring_sha256 from snapshot
                where group_id = $1 and manifest_sha256 is not null and keyring_sha256 is not null
                order by epoch desc, version desc limit 1
                """, group
            )
            guard let snapshot else { return false }
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
                insert into snapshot_timestamp (group_id, sequence, epoch, version, envelope, issued_at)
                values ($1, $2, $3, $4, $5, $6)
                on conflict (group_id) do update set sequence = excluded.sequence, epoch = excluded.epoch,
                    version = excluded.version, envelope = excluded.envelope, issued_at = excluded.issued_at
                """,
                group, Int64(sequence), Int32(statement.version.epoch), Int64(statement.version.version),
                try signing.sign(.timestamp, statement.wireBytes), now
            )
            try tx.notify(TimestampFeed.channel, "\(group)")
            return true
        }
    }
}

/// Whether gateways of a group have seen more than this database knows: it was restored from an older state.
enum FleetAhead {
    /// - Returns: the highest version reported that is above ours or is another one than ours; and the highest sequence.
    static func find(_ tx: inout Transaction, group: GatewayGroupID) throws -> (
        version: SnapshotVersion?, sequence: Int
    ) {
        let ahead = try tx.queryOne(
            """
            select s.epoch, s.version from gateway_status s
            join gateway g on g.id = s.gateway_id
            left join snapshot p on p.group_id = g.group_id and p.epoch = s.epoch and p.version = s.version
            where g.group_id = $1 and g.status = 'active' and s.epoch > 0
                and (p.manifest_sha256 is null or p.manifest_sha256 <> s.manifest)
                and (s.epoch, s.version) >= (
                    select coalesce(max(epoch), 0), coalesce(max(version) filter (where epoch = (
                        select max(epoch) from snapshot where group_id = $1)), 0)
                    from snapshot where group_id = $1)
            order by s.epoch desc, s.version desc limit 1
            """, group
        )
        let sequence = try tx.queryOne(
            """
            select coalesce(max(s.sequence), 0) as sequence from gateway_status s join gateway g on g.id = s.gateway_id
            where g.group_id = $1 and g.status = 'active'
            """, group
        )
        let version = try ahead.map {
            SnapshotVersion(
                epoch: Int(try $0.get("epoch", as: Int32.self)), version: Int(try $0.get("version", as: Int64.self))
            )
        }
        return (version, Int(try sequence?.get("sequence", as: Int64.self) ?? 0))
    }
}
