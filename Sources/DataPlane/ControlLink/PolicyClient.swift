package import Logging
import ServiceLifecycle
package import Shared
import Synchronization

/// Keeps the policy of every loop at the newest snapshot that verifies.
///
/// download -> hash -> signature -> rollback check -> bounded decode -> validate -> index -> swap -> persist -> ack. Any
/// failure is reported and leaves what is served as it is.
package final class PolicyClient: Sendable {
    let client: ControlPlaneClient
    let identity: GatewayIdentity
    private let store: SnapshotStore
    private let publisher: PolicyPublisher
    private let leases: LeaseTable
    let time: TimeSource
    let logger: Logger
    let shared = Mutex(PolicyStatus())

    package init(
        client: ControlPlaneClient, identity: GatewayIdentity, store: SnapshotStore, publisher: PolicyPublisher,
        leases: LeaseTable, time: TimeSource, logger: Logger
    ) {
        self.client = client
        self.identity = identity
        self.store = store
        self.publisher = publisher
        self.leases = leases
        self.time = time
        self.logger = logger
    }

    package var status: PolicyStatus { self.shared.withLock { $0 } }

    /// What one task owns while it runs.
    struct Session {
        var verifier: SnapshotVerifier
        var highWater: SnapshotHighWater
        var index: PolicyIndex?
        var limits = Manifest.Limits()
    }

    /// Serves the newest snapshot on disk that verifies: a start without the control plane.
    ///
    /// Expiry is not checked here; how long it may be served is the group's `max_stale`.
    ///
    /// A snapshot is signed under the root of its time, which may have been rotated since: each is verified by the
    /// newest root that verifies it. What the network brings is verified by the newest root alone.
    func start() async throws -> Session {
        let roots = try self.store.loadRoots().reversed().map { SnapshotVerifier(root: $0, group: self.identity.group) }
        guard let newest = roots.first else { throw SnapshotError(.untrusted, chunk: "root", "there is none") }
        var session = Session(verifier: newest, highWater: try self.store.loadHighWater())
        self.shared.withLock { status in
            status.sequenceSeen = session.highWater.sequence
            status.keyringEpochSeen = session.highWater.keyringEpoch
        }
        for (version, generation) in self.store.generations() {
            do throws(SnapshotError) {
                let (index, manifest, statement) = try self.load(generation, roots)
                session.index = index
                session.limits = manifest.limits
                self.shared.withLock {
                    $0.version = index.version
                    $0.manifest = index.manifest
                    $0.keyringEpoch = statement.keyringEpoch
                    $0.sequence = statement.sequence
                    $0.fresh = statement.issued
                }
                await self.serve(&session)
                self.logger.info(
                    "serving the snapshot on disk",
                    metadata: ["snapshot": "\(version)", "root": "\(statement.rootVersion)"]
                )
                return session
            } catch {
                self.logger.error(
                    "a snapshot on disk is not usable", metadata: ["snapshot": "\(version)", "error": "\(error)"])
            }
        }
        return session
    }

    /// Builds a snapshot on disk by the first of `roots` (newest first) that verifies it.
    private func load(
        _ generation: SnapshotStore.Generation, _ roots: [SnapshotVerifier]
    ) throws(SnapshotError) -> (PolicyIndex, Manifest, TimestampStatement) {
        var failure = SnapshotError(.untrusted, chunk: "root", "there is none")
        for (age, verifier) in roots.enumerated() {
            do throws(SnapshotError) {
                // Sequence and version of what is on disk are at most the highest seen: compare with nothing.
                let statement = try verifier.timestamp(
                    generation.timestamp, highWater: SnapshotHighWater(), now: nil
                )
                let (index, manifest) = try self.build(generation, statement, verifier) { reference in
                    self.store.blob(reference)
                }
                return (index, manifest, statement)
            } catch {
                // Of the newest root, unless an older one gets further.
                if age == 0 || failure.code == .untrusted { failure = error }
                guard error.code == .untrusted else { throw error }
            }
        }
        throw failure
    }

    /// Tells the loops whether they may serve: there is a snapshot, and it is not older than the group allows.
    func serve(_ session: inout Session) async {
        guard let index = session.index, let fresh = self.status.fresh else { return }
        let serving = self.time.now() <= fresh.adding(seconds: Int64(session.limits.maxStaleSeconds))
        let unchanged = self.shared.withLock { status in
            status.isServing == serving && status.applied > 0 && status.version == index.version
        }
        if !unchanged { await self.publisher.publish(index, serving: serving) }
        // Ready is said when every loop is.
        self.shared.withLock { $0.isServing = serving }
    }

    /// Takes a timestamp and what it names.
    ///
    /// - Returns: whether something was applied or refused.
    func take(_ bytes: [UInt8], _ session: inout Session) async -> Bool {
        var offered = SnapshotVersion(epoch: 0, version: 0)
        do {
            let statement = try await self.verify(bytes, &session)
            offered = statement.version
            if statement.version != self.status.version || statement.keyringEpoch != self.status.keyringEpoch {
                try await self.apply(bytes, statement, &session)
            }
            session.highWater.sequence = max(session.highWater.sequence, statement.sequence)
            session.highWater.rootVersion = max(session.highWater.rootVersion, session.verifier.root.version)
            try self.store.saveHighWater(session.highWater)
            let highWater = session.highWater
            let changed = self.shared.withLock { status in
                status.sequenceSeen = highWater.sequence
                status.keyringEpochSeen = highWater.keyringEpoch
                let changed = status.version != statement.version || status.refused != nil
                status.sequence = statement.sequence
                status.fresh = statement.issued
                status.refused = nil
                return changed
            }
            return changed || session.index == nil
        } catch let failure as ControlPlaneClient.Failure where failure.code == LinkCode.fenced {
            // Nothing is wrong with the snapshot; the next call is told the same.
            return false
        } catch {
            let refusal =
                error as? SnapshotError
                ?? SnapshotError(.unavailable, chunk: "snapshot", "\(error)")
            self.logger.error(
                "a snapshot was refused", metadata: ["snapshot": "\(offered)", "error": "\(refusal)"]
            )
            self.shared.withLock { status in
                status.refused = (offered, refusal)
                status.refusals += 1
                if refusal.code == .rollback { status.restoreSigns += 1 }
            }
            // The same bytes would be refused again at once; give the other side time.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .milliseconds(500)) }
            return true
        }
    }

    /// Verifies a timestamp, following the root to its next versions when that is what it takes.
    private func verify(_ bytes: [UInt8], _ session: inout Session) async throws -> TimestampStatement {
        for _ in 0..<EnrolmentReply.rootsLimit {
            do throws(SnapshotError) {
                let statement = try session.verifier.timestamp(
                    bytes, highWater: session.highWater, now: self.time.now()
                )
                if statement.rootVersion <= session.verifier.root.version { return statement }
            } catch {
                guard error.code == .untrusted else { throw error }
            }
            let next = session.verifier.root.version + 1
            guard let envelope = try await self.client.root(version: next) else {
                throw SnapshotError(.untrusted, chunk: "timestamp", "it is not signed by the role that must sign it")
            }
            try session.verifier.advance(root: envelope)
            try self.store.saveRoot(envelope, version: next)
            self.logger.info("the trust root was rotated", metadata: ["root": "\(next)"])
        }
        throw SnapshotError(.untrusted, chunk: "root", "too many new versions")
    }

    private func apply(_ timestamp: [UInt8], _ statement: TimestampStatement, _ session: inout Session) async throws {
        let limit = Manifest.sizeLimit + 4096
        let generation = SnapshotStore.Generation(
            timestamp: timestamp,
            manifest: try await self.client.blob(as: self.identity, statement.manifest, limit: limit),
            keyring: try await self.client.blob(as: self.identity, statement.keyring, limit: limit)
        )
        let manifest = try session.verifier.manifest(generation.manifest, for: statement)
        var blobs: [[UInt8]: [UInt8]] = [:]
        for reference in manifest.chunks {
            if let bytes = self.store.blob(reference) {
                blobs[reference.sha256] = bytes
                continue
            }
            let bytes = try await self.client.blob(as: self.identity, reference.sha256, limit: reference.size)
            blobs[reference.sha256] = bytes
        }
        let (index, _) = try self.build(generation, statement, session.verifier) { blobs[$0.sha256] }
        session.index = index
        session.limits = manifest.limits
        session.highWater.version = statement.version
        session.highWater.manifest = statement.manifest
        session.highWater.keyringEpoch = statement.keyringEpoch
        await self.publisher.publish(index, serving: true)
        // Served from here on, whatever the disk says; what follows is for the next start.
        self.shared.withLock { status in
            if status.version.epoch > 0 && index.version.epoch > status.version.epoch { status.restoreSigns += 1 }
            status.version = index.version
            status.manifest = index.manifest
            status.keyringEpoch = statement.keyringEpoch
            status.isServing = true
            status.applied += 1
        }
        self.logger.info("snapshot applied", metadata: ["snapshot": "\(index.version)", "keys": "\(index.keys.count)"])
        for reference in manifest.chunks where self.store.blob(reference) == nil {
            if let bytes = blobs[reference.sha256] { try self.store.saveBlob(bytes, reference) }
        }
        try self.store.save(generation, version: index.version, chunks: manifest.chunks)
    }

    /// Verifies, decodes and compiles one snapshot from its documents and chunks.
    private func build(
        _ generation: SnapshotStore.Generation, _ statement: TimestampStatement, _ verifier: SnapshotVerifier,
        blob: (ChunkReference) -> [UInt8]?
    ) throws(SnapshotError) -> (PolicyIndex, Manifest) {
        let manifest = try verifier.manifest(generation.manifest, for: statement)
        let keyring = try verifier.keyring(generation.keyring, for: statement)
        guard keyring.epoch == manifest.keyringEpoch else {
            throw SnapshotError(.invalid, chunk: "keyring", "its epoch is not the manifest's")
        }
        guard let key = keyring.open(for: self.identity.gateway, privateKey: self.identity.sealing) else {
            throw SnapshotError(.untrusted, chunk: "keyring", "it is not sealed to this gateway")
        }
        var document = SnapshotDocument()
        for reference in manifest.chunks {
            guard let bytes = blob(reference) else {
                throw SnapshotError(.unavailable, chunk: reference.name, "it is missing")
            }
            try document.add(bytes, reference, keyBits: manifest.limits.keyBucketBits)
        }
        let index = try PolicyCompiler.compile(
            document, manifest: manifest, manifestSHA256: statement.manifest, keyEncryptionKey: key,
            leases: self.leases
        )
        return (index, manifest)
    }
}
