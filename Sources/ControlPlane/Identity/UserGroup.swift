import Postgres
package import Shared

/// A group of users, service accounts and other groups, of an organization or of the instance.
package struct UserGroup: Sendable, Hashable {
    package let id: GroupID
    /// Nil for the instance.
    package let organization: OrganizationID?
    package var name: String
    package var description: String
    package var status: ActiveStatus
    package var metadata: [String: String]
    package var stamps: Stamps

    /// Groups in each other, counted along the longest way.
    static let depthLimit = 6

    /// Of a body that `creationSchema` accepts.
    init(_ id: GroupID, _ body: JSONValue, at time: Timestamp) {
        self.id = id
        self.organization = body["organization"]?.string.flatMap { OrganizationID($0) }
        self.name = body["name"]?.string ?? ""
        self.description = body["description"]?.string ?? ""
        self.status = ActiveStatus(body["status"]) ?? .active
        self.metadata = Metadata.read(body["metadata"])
        self.stamps = Stamps(new: time)
    }

    init(_ row: Row) throws {
        self.id = try row.get("id")
        self.organization = try row.optional("organization_id")
        self.name = try row.get("name")
        self.description = try row.get("description")
        self.status = try ActiveStatus(row)
        self.metadata = try Metadata.read(row)
        self.stamps = try Stamps(row)
    }

    /// The group as it is after a body that `patchSchema` accepts.
    func patched(_ body: JSONValue, at time: Timestamp) throws(ControlError) -> UserGroup {
        var result = self
        result.name = body["name"]?.string ?? self.name
        result.description = body["description"]?.string ?? self.description
        result.status = ActiveStatus(body["status"]) ?? self.status
        if let patch = body["metadata"] { result.metadata = try Metadata.merged(self.metadata, patch) }
        result.stamps.advance(to: time)
        return result
    }

    var partition: AccessPartition { AccessPartition(self.organization) }
    var scope: AccessScope { self.partition.scope }
}

extension UserGroup: Audited {
    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization),
            "status": .string(self.status.rawValue), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue {
        [
            "name": .string(self.name), "description": .string(self.description), "metadata": JSONValue(self.metadata),
        ]
    }
}

extension UserGroup {
    private static let organization = Schema.id(OrganizationKind.self).orNull
        .described("Whose group it is; null for the instance.")

    package static let schema = Schema.named(
        "Group",
        .object(
            [
                .required("id", .id(GroupKind.self)), .required("organization", Self.organization),
                .required("name", .name), .required("description", .summary), .required("status", .activeStatus),
                .required("metadata", .metadata),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("organization", Self.organization), .required("name", .name), .optional("description", .summary),
        .optional("status", .activeStatus), .optional("metadata", .metadata),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("description", .summary), .optional("status", .activeStatus),
        .optional("metadata", Schema.metadataPatch.orNull),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "name": .string(self.name),
            "description": .string(self.description), "status": .string(self.status.rawValue),
            "metadata": JSONValue(self.metadata),
        ].adding(self.stamps.json)
    }
}

extension Schema {
    static let summary = Schema.string(.length(0...2000))
}
