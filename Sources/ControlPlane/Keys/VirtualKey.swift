package import Shared

/// A virtual key: what a project's clients call the gateway with.
package struct VirtualKey: Sendable, Hashable, Audited {
    package enum Status: String, Sendable {
        case active, disabled, revoked
    }

    /// One of the key's secrets, without the secret.
    package struct SecretInfo: Sendable, Hashable {
        package let ordinal: Int
        package let createdAt: Timestamp
        package var expiresAt: Timestamp?
    }

    package let id: VirtualKeyID
    /// The part of the key's text that may be shown.
    package let publicID: String
    package let project: ProjectID
    package let organization: OrganizationID
    /// The user or the service account that it belongs to: budgets and rate limits of theirs count for it, and it is good
    /// only while they may act.
    package var owner: AccessSubject?
    package var name: String
    package var status: Status
    package var expiresAt: Timestamp?
    /// Aliases that may be used; nil allows every one.
    package var allowedModels: [String]?
    /// Networks that requests may come from; empty allows every one.
    package var allowedNetworks: [String]
    package var metadata: [String: String]
    /// Tags of all its requests, by name; each is declared on the project.
    package var tags: [String: String]
    package var revision: Int64
    package let createdAt: Timestamp
    package var updatedAt: Timestamp
    package var secrets: [SecretInfo] = []

    package static let overlapLimit: Int64 = 2_592_000

    /// What a creation or a PATCH says; members that are absent say nothing.
    package struct Draft: Sendable {
        package let body: JSONValue

        package init(_ body: JSONValue) { self.body = body }
    }

    package func applying(_ draft: Draft, at time: Timestamp) throws(ControlError) -> VirtualKey {
        guard self.status != .revoked else {
            throw .conflict("key_revoked", "The key was revoked; that is final.")
        }
        var result = try self.filled(by: draft, at: time)
        result.revision += 1
        result.updatedAt = time
        return result
    }

    /// The key with what the draft says; a new instant of expiry must lie ahead.
    func filled(by draft: Draft, at time: Timestamp) throws(ControlError) -> VirtualKey {
        let body = draft.body
        var result = self
        if let name = body["name"]?.string { result.name = name }
        if let owner = body["owner"] { result.owner = owner.string.flatMap { AccessSubject($0) } }
        if let status = body["status"]?.string.flatMap({ Status(rawValue: $0) }) { result.status = status }
        if let expires = body["expires_at"] {
            result.expiresAt = expires.string.flatMap { Timestamp($0) }
            if let instant = result.expiresAt, instant <= time {
                throw .invalid("It must lie in the future.", at: "/expires_at")
            }
        }
        if let models = body["allowed_models"] { result.allowedModels = models.array?.compactMap(\.string) }
        if let networks = body["allowed_networks"] {
            result.allowedNetworks = (networks.array ?? []).compactMap(\.string)
        }
        if let patch = body["tags"] { result.tags = try KeyTags.merged(result.tags, patch) }
        if let patch = body["metadata"] { result.metadata = try Metadata.merged(result.metadata, patch) }
        return result
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "public_id": .string(self.publicID), "project": JSONValue(self.project),
            "owner": JSONValue(self.owner?.text), "status": .string(self.status.rawValue),
            "expires_at": JSONValue(self.expiresAt), "allowed_models": Self.bounded(self.allowedModels),
            "allowed_networks": .integer(Int64(self.allowedNetworks.count)), "revision": .integer(self.revision),
            "secrets": .array(self.secrets.map(\.json)),
        ]
    }

    /// The aliases, or how many there are when they are many.
    private static func bounded(_ aliases: [String]?) -> JSONValue {
        guard let aliases else { return .null }
        return aliases.count <= 50 ? JSONValue(aliases) : .integer(Int64(aliases.count))
    }

    package var auditPersonal: JSONValue {
        [
            "name": .string(self.name), "allowed_networks": JSONValue(self.allowedNetworks),
            "metadata": JSONValue(self.metadata), "tags": JSONValue(self.tags),
        ]
    }

    package var auditPerson: UserID? { self.owner?.user }
}

extension VirtualKey.SecretInfo {
    static let schema = Schema.object([
        .required("ordinal", .count), .required("created_at", .timestamp),
        .required("expires_at", Schema.timestamp.orNull),
    ])

    var json: JSONValue {
        [
            "ordinal": .integer(Int64(self.ordinal)), "created_at": JSONValue(self.createdAt),
            "expires_at": JSONValue(self.expiresAt),
        ]
    }
}

extension VirtualKey {
    private static let models = Schema.array(of: .string(.alias), count: 0...500).orNull
        .described("Aliases that may be used; null allows every one.")
    private static let owner = Schema.id(UserKind.self, ServiceAccountKind.self).orNull
        .described("Whose it is: a user or a service account of the organization; it is good only while they may act.")
    private static let networks = Schema.array(of: .string(.network), count: 0...100)
        .described("Networks that requests may come from; an empty list allows every one.")

    package static let schema = Schema.named(
        "VirtualKey",
        .object([
            .required("id", .id(VirtualKeyKind.self)), .required("public_id", .string(.length(16...16))),
            .required("project", .id(ProjectKind.self)), .required("organization", .id(OrganizationKind.self)),
            .required("owner", Self.owner), .required("name", .name),
            .required("status", .choice("active", "disabled", "revoked")),
            .required("expires_at", Schema.timestamp.orNull), .required("allowed_models", Self.models),
            .required("allowed_networks", Self.networks), .required("tags", KeyTags.schema),
            .required("metadata", .metadata),
            .required("secrets", .list(of: SecretInfo.schema)), .required("revision", .count),
            .required("created_at", .timestamp), .required("updated_at", .timestamp),
            .optional("secret", Schema.string(.length(1...200)).described("The key's text; shown this once.")),
            .optional("secret_already_issued", .bool),
        ])
    )

    package static let creationSchema = Schema.object([
        .required("project", .id(ProjectKind.self)), .required("name", .name), .optional("owner", Self.owner),
        .optional("expires_at", Schema.timestamp.orNull), .optional("allowed_models", Self.models),
        .optional("allowed_networks", Self.networks), .optional("tags", KeyTags.schema),
        .optional("metadata", .metadata),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("status", .activeStatus), .optional("expires_at", Schema.timestamp.orNull),
        .optional("owner", Self.owner), .optional("allowed_models", Self.models),
        .optional("allowed_networks", Self.networks.orNull),
        .optional("tags", KeyTags.patchSchema.orNull),
        .optional("metadata", Schema.metadataPatch.orNull),
    ])

    package static let rotationSchema = Schema.object([
        .required(
            "overlap_seconds",
            Schema.integer(0...Self.overlapLimit).described("How long the secrets before it stay good.")
        )
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "public_id": .string(self.publicID), "project": JSONValue(self.project),
            "organization": JSONValue(self.organization), "owner": JSONValue(self.owner?.text),
            "name": .string(self.name), "status": .string(self.status.rawValue),
            "expires_at": JSONValue(self.expiresAt),
            "allowed_models": self.allowedModels.map { JSONValue($0) } ?? .null,
            "allowed_networks": JSONValue(self.allowedNetworks), "tags": JSONValue(self.tags),
            "metadata": JSONValue(self.metadata), "secrets": .array(self.secrets.map(\.json)),
            "revision": .integer(self.revision),
            "created_at": JSONValue(self.createdAt), "updated_at": JSONValue(self.updatedAt),
        ]
    }
}
