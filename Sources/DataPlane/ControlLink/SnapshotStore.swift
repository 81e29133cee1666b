import Crypto
package import Shared

/// What a gateway keeps on disk, so that it starts without the control plane: identity, roots, the highest of everything
/// seen, and the last three snapshots.
///
/// ```
/// identity              keys of this gateway, mode 0600
/// roots/pin             SHA-256 of the first root's payload
/// roots/1 …             root envelopes
/// high-water            SnapshotHighWater
/// generations/<e>.<v>   timestamp, manifest and keyring envelopes of one snapshot
/// blobs/<sha256>        chunks, shared by the generations
/// ```
package struct SnapshotStore: Sendable {
    private let folder: String
    static let generationsKept = 3

    package init(folder: String) throws(FileError) {
        self.folder = folder
        for name in ["", "/roots", "/generations", "/blobs"] { try Files.makeFolder(folder + name) }
    }

    /// The signed documents of one snapshot, as received.
    struct Generation: Sendable, WireMessage {
        var timestamp: [UInt8]
        var manifest: [UInt8]
        var keyring: [UInt8]

        init(timestamp: [UInt8], manifest: [UInt8], keyring: [UInt8]) {
            self.timestamp = timestamp
            self.manifest = manifest
            self.keyring = keyring
        }

        init(from reader: inout WireReader) throws(WireError) {
            self.init(timestamp: [], manifest: [], keyring: [])
            while let field = try reader.next() {
                switch field {
                case 1: self.timestamp = try reader.bytes(limit: TimestampStatement.sizeLimit, "generation.timestamp")
                case 2: self.manifest = try reader.bytes(limit: Manifest.sizeLimit * 2, "generation.manifest")
                case 3: self.keyring = try reader.bytes(limit: Manifest.sizeLimit * 2, "generation.keyring")
                default: try reader.skip()
                }
            }
        }

        func write(to writer: inout WireWriter) {
            writer.bytes(1, self.timestamp)
            writer.bytes(2, self.manifest)
            writer.bytes(3, self.keyring)
        }
    }

    package func loadIdentity() throws -> GatewayIdentity? { try GatewayIdentity.load("\(self.folder)/identity") }
    package func saveIdentity(_ identity: GatewayIdentity) throws(FileError) {
        try identity.save("\(self.folder)/identity")
    }

    func saveRoots(_ roots: [[UInt8]], pin: [UInt8]) throws(FileError) {
        for (index, root) in roots.enumerated() { try self.saveRoot(root, version: index + 1) }
        try Files.replace("\(self.folder)/roots/pin", with: pin)
    }

    func saveRoot(_ root: [UInt8], version: Int) throws(FileError) {
        try Files.replace("\(self.folder)/roots/\(version)", with: root)
    }

    /// Every root, reached from the pinned one step by step; the newest is last.
    func loadRoots() throws -> [TrustRoot] {
        let pin = try Files.read("\(self.folder)/roots/pin", limit: 64)
        let first = try Files.read("\(self.folder)/roots/1", limit: 64 << 10)
        var root = try TrustRoot.pinned(try Envelope(wire: first), sha256: pin)
        var roots = [root]
        while let bytes = try? Files.read("\(self.folder)/roots/\(root.version + 1)", limit: 64 << 10) {
            root = try root.next(try Envelope(wire: bytes))
            roots.append(root)
        }
        return roots
    }

    /// The newest root: the only one that anything new is verified by.
    func loadRoot() throws -> TrustRoot {
        guard let newest = try self.loadRoots().last else {
            throw FileError(path: "\(self.folder)/roots", operation: "read", code: 2)
        }
        return newest
    }

    func loadHighWater() throws -> SnapshotHighWater {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.read("\(self.folder)/high-water", limit: 4096)
        } catch {
            if error.isMissing { return SnapshotHighWater() }
            throw error
        }
        return try SnapshotHighWater(wire: bytes)
    }

    func saveHighWater(_ highWater: SnapshotHighWater) throws(FileError) {
        try Files.replace("\(self.folder)/high-water", with: highWater.wireBytes)
    }

    /// Snapshots on disk, newest first.
    func generations() -> [(version: SnapshotVersion, generation: Generation)] {
        var found: [(version: SnapshotVersion, generation: Generation)] = []
        for name in Files.names(in: "\(self.folder)/generations") {
            let parts = name.split(separator: ".").compactMap { Int($0) }
            guard parts.count == 2,
                let bytes = try? Files.read("\(self.folder)/generations/\(name)", limit: Manifest.sizeLimit * 5),
                let generation = try? Generation(wire: bytes)
            else { continue }
            found.append((SnapshotVersion(epoch: parts[0], version: parts[1]), generation))
        }
        return found.sorted { $0.version > $1.version }
    }

    /// Keeps a snapshot that is served, and drops those beyond the last three with the blobs that only they need.
    func save(_ generation: Generation, version: SnapshotVersion, chunks: [ChunkReference]) throws(FileError) {
        try Files.replace("\(self.folder)/generations/\(version)", with: generation.wireBytes)
        var needed = Set(chunks.map { Hex.encode($0.sha256) })
        for (index, old) in self.generations().enumerated() {
            guard index < Self.generationsKept else {
                Files.remove("\(self.folder)/generations/\(old.version)")
                continue
            }
            if let envelope = try? Envelope(wire: old.generation.manifest),
                let manifest = try? Manifest(wire: envelope.payload)
            {
                needed.formUnion(manifest.chunks.map { Hex.encode($0.sha256) })
            }
        }
        for name in Files.names(in: "\(self.folder)/blobs") where !needed.contains(name) {
            Files.remove("\(self.folder)/blobs/\(name)")
        }
    }

    /// A chunk's bytes; nil when they are not there or are not what their name says.
    func blob(_ reference: ChunkReference) -> [UInt8]? {
        guard
            let bytes = try? Files.read("\(self.folder)/blobs/\(Hex.encode(reference.sha256))", limit: reference.size),
            Array(SHA256.hash(data: bytes)) == reference.sha256
        else { return nil }
        return bytes
    }

    func saveBlob(_ bytes: [UInt8], _ reference: ChunkReference) throws(FileError) {
        try Files.replace("\(self.folder)/blobs/\(Hex.encode(reference.sha256))", with: bytes)
    }
}
