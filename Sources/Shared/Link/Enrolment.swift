/// What a new gateway says of itself, once, with its join token as the bearer.
package struct EnrolmentRequest: WireMessage, Equatable {
    package var name: String
    /// Ed25519 public key, 32 bytes: signs assertions.
    package var identityKey: [UInt8]
    /// X25519 public key, 32 bytes: the keyring is sealed to it.
    package var sealingKey: [UInt8]
    package var build: Int

    package init(name: String, identityKey: [UInt8], sealingKey: [UInt8], build: Int) {
        self.name = name
        self.identityKey = identityKey
        self.sealingKey = sealingKey
        self.build = build
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.name = ""
        self.identityKey = []
        self.sealingKey = []
        self.build = 0
        while let field = try reader.next() {
            switch field {
            case 1: self.name = try reader.text(limit: 200, "enrolment.name")
            case 2: self.identityKey = try reader.bytes(count: 32, "enrolment.identity_key")
            case 3: self.sealingKey = try reader.bytes(count: 32, "enrolment.sealing_key")
            case 4: self.build = try reader.integer(in: 0...Int(Int32.max), "enrolment.build")
            default: try reader.skip()
            }
        }
        guard !self.identityKey.isEmpty, !self.sealingKey.isEmpty else { throw .missing("enrolment.keys") }
    }

    package func write(to writer: inout WireWriter) {
        writer.text(1, self.name)
        writer.bytes(2, self.identityKey)
        writer.bytes(3, self.sealingKey)
        writer.integer(4, self.build)
    }
}

/// The control plane's answer: which gateway this now is, and all roots from the pinned one on.
package struct EnrolmentReply: WireMessage, Equatable {
    package var gateway: GatewayID
    package var group: GatewayGroupID
    /// Root envelopes, version 1 first.
    package var roots: [[UInt8]]

    package static let rootsLimit = 64

    package init(gateway: GatewayID, group: GatewayGroupID, roots: [[UInt8]]) {
        self.gateway = gateway
        self.group = group
        self.roots = roots
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var gateway: GatewayID?, group: GatewayGroupID?
        self.roots = []
        while let field = try reader.next() {
            switch field {
            case 1: gateway = try reader.identifier("enrolment.gateway")
            case 2: group = try reader.identifier("enrolment.group")
            case 3:
                guard self.roots.count < Self.rootsLimit else { throw .invalid("enrolment.roots") }
                self.roots.append(try reader.bytes(limit: 64 << 10, "enrolment.roots"))
            default: try reader.skip()
            }
        }
        guard let gateway else { throw .missing("enrolment.gateway") }
        guard let group else { throw .missing("enrolment.group") }
        self.gateway = gateway
        self.group = group
    }

    package func write(to writer: inout WireWriter) {
        writer.identifier(1, self.gateway)
        writer.identifier(2, self.group)
        for root in self.roots { writer.element(3, root) }
    }
}

/// How a gateway stands to the snapshots it was offered: sent every 15 s and on change.
package struct StatusReport: WireMessage, Equatable {
    package var process: UInt64
    package var build: Int
    /// What is served now; (0, 0) when nothing is.
    package var version: SnapshotVersion
    /// SHA-256 of the manifest envelope that is served.
    package var manifest: [UInt8]
    package var keyringEpoch: Int
    package var sequence: Int
    /// Set when the newest snapshot was refused: its version, and why.
    package var refused: SnapshotVersion?
    package var code: String
    package var chunk: String
    package var message: String
    /// The process is ending: another one may already have taken its place.
    package var isDraining = false

    private static let codeLimit = 32
    private static let chunkLimit = 64
    private static let messageLimit = 500

    /// The longest beginning of whole characters that takes at most `limit` bytes: a long reason must not make the
    /// report one that is refused.
    private static func cut(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var kept = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= limit else { break }
            kept.append(scalar)
        }
        return String(kept)
    }

    package init(process: UInt64, version: SnapshotVersion, manifest: [UInt8], keyringEpoch: Int, sequence: Int) {
        self.process = process
        self.build = Manifest.build
        self.version = version
        self.manifest = manifest
        self.keyringEpoch = keyringEpoch
        self.sequence = sequence
        self.code = ""
        self.chunk = ""
        self.message = ""
    }

    package init(from reader: inout WireReader) throws(WireError) {
        self.init(
            process: 0, version: SnapshotVersion(epoch: 0, version: 0), manifest: [], keyringEpoch: 0, sequence: 0
        )
        // Not this process's own, which a new report begins with.
        self.build = 0
        var refused = SnapshotVersion(epoch: 0, version: 0)
        while let field = try reader.next() {
            switch field {
            case 1: self.process = try reader.uint64()
            case 2: self.build = try reader.integer(in: 0...Int(Int32.max), "status.build")
            case 3: self.version.epoch = try reader.integer(in: 0...Int(Int32.max), "status.epoch")
            case 4: self.version.version = try reader.integer(in: 0...Int.max, "status.version")
            case 5: self.manifest = try reader.bytes(count: 32, "status.manifest")
            case 6: self.keyringEpoch = try reader.integer(in: 0...Int(Int32.max), "status.keyring_epoch")
            case 7: self.sequence = try reader.integer(in: 0...Int.max, "status.sequence")
            case 8: refused.epoch = try reader.integer(in: 0...Int(Int32.max), "status.refused_epoch")
            case 9: refused.version = try reader.integer(in: 0...Int.max, "status.refused_version")
            case 10: self.code = try reader.text(limit: Self.codeLimit, "status.code")
            case 11: self.chunk = try reader.text(limit: Self.chunkLimit, "status.chunk")
            case 12: self.message = try reader.text(limit: Self.messageLimit, "status.message")
            case 1010: self.isDraining = try reader.bool("status.draining")
            default: try reader.skip()
            }
        }
        if !self.code.isEmpty { self.refused = refused }
    }

    package func write(to writer: inout WireWriter) {
        writer.uint64(1, self.process)
        writer.integer(2, self.build)
        writer.integer(3, self.version.epoch)
        writer.integer(4, self.version.version)
        writer.bytes(5, self.manifest)
        writer.integer(6, self.keyringEpoch)
        writer.integer(7, self.sequence)
        writer.integer(8, self.refused?.epoch ?? 0)
        writer.integer(9, self.refused?.version ?? 0)
        writer.text(10, Self.cut(self.code, Self.codeLimit))
        writer.text(11, Self.cut(self.chunk, Self.chunkLimit))
        writer.text(12, Self.cut(self.message, Self.messageLimit))
        writer.bool(1010, self.isDraining)
    }
}
