import Postgres
package import Shared

/// A program that acts: it belongs to an organization, a unit, a project or the instance, which says who manages it.
///
/// What it may do is bound to it, there or elsewhere.
package struct ServiceAccount: Sendable, Hashable {
    package let id: ServiceAccountID
    package let home: Ownership
    package var name: String
    package var description: String
    package var status: ActiveStatus
    package var metadata: [String: String]
    package var stamps: Stamps

    init(_ id: ServiceAccountID, of home: Ownership, name: String, at time: Timestamp) {
        self.id = id
        self.home = home
        self.name = name
        self.description = ""
        self.status = .active
        self.metadata = [:]
        self.stamps = Stamps(new: time)
    }

    /// Of a body that `creationSchema` accepts.
    init(_ id: ServiceAccountID, of home: Ownership, _ body: JSONValue, at time: Timestamp) {
        self.init(id, of: home, name: body["name"]?.string ?? "", at: time)
        self.description = body["description"]?.string ?? ""
        self.status = ActiveStatus(body["status"]) ?? .active
        self.metadata = Metadata.read(body["metadata"])
    }

    init(_ row: Row) throws {
        self.id = try row.get("id")
        self.home = try Ownership(row)
        self.name = try row.get("name")
        self.description = try row.get("description")
        self.status = try ActiveStatus(row)
        self.metadata = try Metadata.read(row)
        self.stamps = try Stamps(row)
    }

    /// The account as it is after a body that `patchSchema` accepts.
    func patched(_ body: JSONValue, at time: Timestamp) throws(ControlError) -> ServiceAccount {
        var result = self
        result.name = body["name"]?.string ?? self.name
        result.description = body["description"]?.string ?? self.description
        result.status = ActiveStatus(body["status"]) ?? self.status
        if let patch = body["metadata"] { result.metadata = try Metadata.merged(self.metadata, patch) }
        result.stamps.advance(to: time)
        return result
    }

    var partition: AccessPartition { AccessPartition(self.home.organization) }
    var scope: AccessScope { self.home.place }
}

extension ServiceAccount: Audited {
    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.home.scope), "status": .string(self.status.rawValue),
            "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue {
        [
            "name": .string(self.name), "description": .string(self.description), "metadata": JSONValue(self.metadata),
        ]
    }
}

extension ServiceAccount {
    private static let scopeSchema = Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self).orNull
        .described("Where it belongs and is managed; null is the instance.")

    package static let schema = Schema.named(
        "ServiceAccount",
        .object(
            [
                .required("id", .id(ServiceAccountKind.self)), .required("scope", Self.scopeSchema),
                .required("organization", Schema.id(OrganizationKind.self).orNull), .required("name", .name),
                .required("description", .summary), .required("status", .activeStatus),
                .required("metadata", .metadata),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("scope", Self.scopeSchema), .required("name", .name), .optional("description", .summary),
        .optional("status", .activeStatus), .optional("metadata", .metadata),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("description", .summary), .optional("status", .activeStatus),
        .optional("metadata", Schema.metadataPatch.orNull),
    ])

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "scope": JSONValue(self.home.scope),
            "organization": JSONValue(self.home.organization), "name": .string(self.name),
            "description": .string(self.description), "status": .string(self.status.rawValue),
            "metadata": JSONValue(self.metadata),
        ].adding(self.stamps.json)
    }
}
