import Postgres
package import Shared

/// A person, of an organization or of the instance.
package struct User: Sendable, Hashable {
    package let id: UserID
    /// Nil for the instance.
    package let organization: OrganizationID?
    /// What the person is known by there; unique, in any case of letters.
    package var login: String
    package var name: String
    package var email: String?
    package var status: ActiveStatus
    package var metadata: [String: String]
    package var stamps: Stamps

    /// Of a body that `creationSchema` accepts.
    init(_ id: UserID, _ body: JSONValue, at time: Timestamp) {
        self.id = id
        self.organization = body["organization"]?.string.flatMap { OrganizationID($0) }
        self.login = body["login"]?.string ?? ""
        self.name = body["name"]?.string ?? ""
        self.email = body["email"]?.string
        self.status = ActiveStatus(body["status"]) ?? .active
        self.metadata = Metadata.read(body["metadata"])
        self.stamps = Stamps(new: time)
    }

    init(_ row: Row) throws {
        self.id = try row.get("id")
        self.organization = try row.optional("organization_id")
        self.login = try row.get("login")
        self.name = try row.get("name")
        self.email = try row.optional("email")
        self.status = try ActiveStatus(row)
        self.metadata = try Metadata.read(row)
        self.stamps = try Stamps(row)
    }

    /// The user as it is after a body that `patchSchema` accepts.
    func patched(_ body: JSONValue, at time: Timestamp) throws(ControlError) -> User {
        var result = self
        result.login = body["login"]?.string ?? self.login
        result.name = body["name"]?.string ?? self.name
        if let email = body["email"] { result.email = email.string }
        result.status = ActiveStatus(body["status"]) ?? self.status
        if let patch = body["metadata"] { result.metadata = try Metadata.merged(self.metadata, patch) }
        result.stamps.advance(to: time)
        return result
    }

    var partition: AccessPartition { AccessPartition(self.organization) }
    var scope: AccessScope { self.partition.scope }
}

extension User: Audited {
    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization),
            "status": .string(self.status.rawValue), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue {
        [
            "login": .string(self.login), "name": .string(self.name),
            "email": self.email.map { .string($0) } ?? .null, "metadata": JSONValue(self.metadata),
        ]
    }

    package var auditPerson: UserID? { self.id }
}

extension User {
    private static let login = Schema.string(.login)
        .described("What the person is known by; unique within the organization, whatever the case of its letters.")
    private static let email = Schema.string(.email).orNull
    private static let organization = Schema.id(OrganizationKind.self).orNull
        .described("Whose user it is; null for the instance.")

    package static let schema = Schema.named(
        "User",
        .object(
            [
                .required("id", .id(UserKind.self)), .required("organization", Self.organization),
                .required("login", Self.login), .required("name", .name), .required("email", Self.email),
                .required("status", .activeStatus), .required("metadata", .metadata),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("organization", Self.organization), .required("login", Self.login), .required("name", .name),
        .optional("email", Self.email), .optional("status", .activeStatus), .optional("metadata", .metadata),
    ])

    package static let patchSchema = Schema.object([
        .optional("login", Self.login), .optional("name", .name), .optional("email", Self.email),
        .optional("status", .activeStatus), .optional("metadata", Schema.metadataPatch.orNull),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "login": .string(self.login),
            "name": .string(self.name), "email": self.email.map { .string($0) } ?? .null,
            "status": .string(self.status.rawValue), "metadata": JSONValue(self.metadata),
        ].adding(self.stamps.json)
    }
}
