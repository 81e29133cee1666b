package import Shared

/// A gateway as an operator sees it: who it is, and how it stands to the snapshots it was offered.
package struct Gateway: Sendable, Audited {
    /// What a gateway last said of itself.
    package struct Report: Sendable {
        package let seenAt: Timestamp
        package let version: SnapshotVersion
        package let manifest: [UInt8]
        package let keyringEpoch: Int64
        package let nack: Nack?

        package init(
            seenAt: Timestamp, version: SnapshotVersion, manifest: [UInt8], keyringEpoch: Int64, nack: Nack?
        ) {
            self.seenAt = seenAt
            self.version = version
            self.manifest = manifest
            self.keyringEpoch = keyringEpoch
            self.nack = nack
        }
    }

    package struct Nack: Sendable {
        package let version: SnapshotVersion
        package let code: String
        package let chunk: String
        package let message: String

        package init(version: SnapshotVersion, code: String, chunk: String, message: String) {
            self.version = version
            self.code = code
            self.chunk = chunk
            self.message = message
        }
    }

    /// The newest snapshot of its group, and when that was published.
    package struct Published: Sendable {
        package let version: SnapshotVersion
        package let manifest: [UInt8]?
        package let at: Timestamp

        package init(version: SnapshotVersion, manifest: [UInt8]?, at: Timestamp) {
            self.version = version
            self.manifest = manifest
            self.at = at
        }
    }

    package enum Status: String, Sendable, CaseIterable {
        /// May call, and is given snapshots and keys.
        case active
        /// Is refused, and stays only to be read.
        case removed
    }

    package enum Sync: String, Sendable, CaseIterable {
        case synced, pending, lagging, nacked, diverged, offline, incompatible, fenced
    }

    package let id: GatewayID
    package let group: GatewayGroupID
    package let name: String
    package let status: String
    package let build: Int64
    package let revision: Int64
    package let createdAt: Timestamp
    /// When it was removed; nil while it is one of the group's.
    package let removedAt: Timestamp?
    package let report: Report?
    package let published: Published?
    /// The manifest that we have for the version that it reports; nil when we know none.
    package let manifestOfReported: [UInt8]?
    /// The newest process, and those that were fenced: newest first.
    package let processes: [GatewayProcess]

    package init(
        id: GatewayID, group: GatewayGroupID, name: String, status: String, build: Int64, revision: Int64,
        createdAt: Timestamp, removedAt: Timestamp? = nil, report: Report?, published: Published?,
        manifestOfReported: [UInt8]?, processes: [GatewayProcess]
    ) {
        self.removedAt = removedAt
        self.id = id
        self.group = group
        self.name = name
        self.status = status
        self.build = build
        self.revision = revision
        self.createdAt = createdAt
        self.report = report
        self.published = published
        self.manifestOfReported = manifestOfReported
        self.processes = processes
    }

    /// Seconds without a report after which a gateway counts as offline.
    package static let offlineAfter: Int64 = 45
    /// Seconds behind the newest snapshot after which a gateway counts as lagging.
    package static let laggingAfter: Int64 = 30

    /// How it stands at `time`.
    ///
    /// Gateways that say something wrong come before those that are merely late.
    package func sync(at time: Timestamp) -> Sync {
        guard let report, report.seenAt.adding(seconds: Self.offlineAfter) > time else { return .offline }
        if self.processes.first?.fencedAt != nil { return .fenced }
        if let nack = report.nack { return nack.code == "incompatible" ? .incompatible : .nacked }
        guard let published else { return report.version.version == 0 ? .synced : .diverged }
        if report.version.version > 0 {
            if report.version > published.version { return .diverged }
            if let ours = self.manifestOfReported, ours != report.manifest { return .diverged }
        }
        if report.version == published.version { return .synced }
        return published.at.adding(seconds: Self.laggingAfter) > time ? .pending : .lagging
    }

    package var auditState: JSONValue {
        ["id": JSONValue(self.id), "group": JSONValue(self.group), "status": .string(self.status)]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name)] }
}

extension Gateway {
    private static let versionSchema = Schema.object([.required("epoch", .count), .required("version", .count)])

    package static let schema = Schema.named(
        "Gateway",
        .object([
            .required("id", .id(GatewayKind.self)), .required("group", .id(GatewayGroupKind.self)),
            .required("name", .name), .required("status", .string(.oneOf(Status.allCases.map(\.rawValue)))),
            .required("build", .count),
            .required("sync", .string(.oneOf(Sync.allCases.map(\.rawValue)))),
            .required("seen_at", Schema.timestamp.orNull), .required("serves", Self.versionSchema.orNull),
            .required("published", Self.versionSchema.orNull), .required("keyring_epoch", Schema.count.orNull),
            .required(
                "nack",
                Schema.object([
                    .required("version", Self.versionSchema), .required("code", .string(.length(0...64))),
                    .required("chunk", .string(.length(0...64))), .required("message", .string(.length(0...500))),
                ]).orNull
            ),
            .required(
                "processes",
                Schema.list(of: GatewayProcess.schema).described("The newest, and those that were fenced.")),
            .required("revision", .count), .required("created_at", .timestamp),
            .required("removed_at", Schema.timestamp.orNull),
        ])
    )

    package func json(at time: Timestamp) -> JSONValue {
        [
            "id": JSONValue(self.id), "group": JSONValue(self.group), "name": .string(self.name),
            "status": .string(self.status), "build": .integer(self.build),
            "sync": .string(self.sync(at: time).rawValue),
            "seen_at": JSONValue(self.report?.seenAt), "serves": self.report?.version.json ?? .null,
            "published": self.published?.version.json ?? .null,
            "keyring_epoch": self.report.map { .integer($0.keyringEpoch) } ?? .null,
            "nack": self.report?.nack.map { nack in
                [
                    "version": nack.version.json, "code": .string(nack.code), "chunk": .string(nack.chunk),
                    "message": .string(nack.message),
                ]
            } ?? .null,
            "processes": .array(self.processes.map(\.json)), "revision": .integer(self.revision),
            "created_at": JSONValue(self.createdAt), "removed_at": JSONValue(self.removedAt),
        ]
    }
}

extension SnapshotVersion {
    var json: JSONValue { ["epoch": .integer(Int64(self.epoch)), "version": .integer(Int64(self.version))] }
}
