package import Shared

// How tokens look in the API.

extension APIToken {
    private static let permissions = Schema.array(of: .string(.length(1...64)), count: 1...256).orNull
        .described("What it may be used for at most; null for all that its subject may do.")
    private static let scope = Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self).orNull
        .described("Where it may be used, and below; null for everywhere.")
    private static let networks = Schema.array(of: .string(.network), count: 0...100)
        .described("Networks that requests may come from; an empty list allows every one.")

    package static let schema = Schema.named(
        "APIToken",
        .object(
            [
                .required("id", .id(TokenKind.self)), .required("public_id", .string(.length(16...16))),
                .required("subject", .id(UserKind.self, ServiceAccountKind.self)),
                .required("organization", Schema.id(OrganizationKind.self).orNull), .required("name", .name),
                .required("status", .string(.oneOf(Status.allCases.map(\.rawValue)))),
                .required("permissions", Self.permissions), .required("scope", Self.scope),
                .required("allowed_networks", Self.networks), .required("expires_at", Schema.timestamp.orNull),
                .required("last_used_at", Schema.timestamp.orNull.described("To within some minutes.")),
                .required(
                    "created_by",
                    Schema.object([
                        .required("kind", .string(.length(1...64))), .required("id", .string(.length(1...64))),
                    ]).orNull),
                .required("secrets", .list(of: SecretInfo.schema)),
                .optional("secret", Schema.string(.length(1...200)).described("The token's text; shown this once.")),
                .optional("secret_already_issued", .bool),
            ] + Stamps.members)
    )

    private static let terms: [Schema.Member] = [
        .required("name", .name), .optional("permissions", Self.permissions), .optional("scope", Self.scope),
        .optional("allowed_networks", Self.networks),
    ]

    package static let creationSchema = Schema.object(
        [
            .required("service_account", .id(ServiceAccountKind.self)),
            .optional("expires_at", Schema.timestamp.orNull),
        ] + Self.terms)

    /// Of personal ones.
    package static let ownCreationSchema = Schema.object(
        [.required("expires_at", Schema.timestamp.described("At most 366 days ahead."))] + Self.terms)

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("expires_at", Schema.timestamp.orNull),
        .optional("allowed_networks", Self.networks.orNull),
    ])

    package static let rotationSchema = Schema.object([
        .required(
            "overlap_seconds",
            Schema.integer(0...Self.overlapLimit).described("How long the secrets before it stay good.")
        )
    ])

    package func json(at time: Timestamp) -> JSONValue {
        [
            "id": JSONValue(self.id), "public_id": .string(self.publicID), "subject": .string(self.subject.text),
            "organization": JSONValue(self.organization), "name": .string(self.name),
            "status": .string(self.status(at: time).rawValue),
            "permissions": self.boundary.permissions.map { JSONValue($0.permissions.map(\.rawValue)) } ?? .null,
            "scope": JSONValue(self.within), "allowed_networks": JSONValue(self.allowedNetworks),
            "expires_at": JSONValue(self.expiresAt), "last_used_at": JSONValue(self.lastUsedAt),
            "created_by": self.createdBy.map {
                ["kind": .string($0.kind.rawValue), "id": .string($0.text)]
            } ?? .null,
            "secrets": .array(self.secrets.map(\.json)),
        ].adding(self.stamps.json)
    }
}
