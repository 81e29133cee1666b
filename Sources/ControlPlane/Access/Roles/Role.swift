package import Shared

/// A named set of permissions.
package struct Role: Sendable, Audited {
    package let id: RoleID
    /// Whose it is: nil for the instance, and for those that are built in.
    package let organization: OrganizationID?
    package var name: String
    package var description: String
    package var permissions: PermissionSet
    package let isBuiltIn: Bool
    package var stamps: Stamps

    package init(
        id: RoleID, organization: OrganizationID?, name: String, description: String, permissions: PermissionSet,
        isBuiltIn: Bool = false, stamps: Stamps
    ) {
        self.id = id
        self.organization = organization
        self.name = name
        self.description = description
        self.permissions = permissions
        self.isBuiltIn = isBuiltIn
        self.stamps = stamps
    }

    /// One that is built in, as the API shows it.
    package init(_ role: BuiltInRole) {
        self.init(
            id: role.id, organization: nil, name: role.rawValue, description: role.summary,
            permissions: role.permissions, isBuiltIn: true, stamps: Stamps(new: Timestamp(microseconds: 0)))
    }

    package var partition: AccessPartition { AccessPartition(self.organization) }

    /// With the members of a body that `patchSchema` accepts.
    package func applying(_ patch: JSONValue, at time: Timestamp) -> Role {
        var role = self
        if let name = patch["name"]?.string { role.name = name }
        if let description = patch["description"]?.string { role.description = description }
        if patch["permissions"] != nil { role.permissions = PermissionSet(patch, "permissions") }
        role.stamps.advance(to: time)
        return role
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "permissions": self.permissions.json,
            "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue {
        ["name": .string(self.name), "description": .string(self.description)]
    }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "name": .string(self.name),
            "description": .string(self.description), "permissions": self.permissions.json,
            "built_in": .bool(self.isBuiltIn),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    static let descriptionSchema = Schema.string(.length(0...2000)).described("What it is for.")
    static let organizationSchema = Schema.id(OrganizationKind.self).orNull
        .described("Whose it is; null is the whole instance.")

    package static let schema = Schema.named(
        "Role",
        .object(
            [
                .required("id", .id(RoleKind.self)), .required("organization", Self.organizationSchema),
                .required("name", .name), .required("description", Self.descriptionSchema),
                .required("permissions", PermissionSet.schema),
                .required("built_in", Schema.bool.described("It is of every deployment and cannot be changed.")),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("organization", Self.organizationSchema), .required("name", .name),
        .optional("description", Self.descriptionSchema), .required("permissions", PermissionSet.schema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("description", Self.descriptionSchema),
        .optional("permissions", PermissionSet.schema),
    ])
}

extension PermissionSet {
    package static let schema = Schema.array(
        of: .string(.oneOf(Permission.allCases.map(\.rawValue))), count: 1...256
    ).described("Each by its name; there are no wildcards.")

    package var json: JSONValue { JSONValue(self.permissions.map(\.rawValue)) }

    /// Names, as columns hold them.
    package var names: [String] { self.permissions.map(\.rawValue) }

    /// Of a member of a body that its schema accepts.
    package init(_ body: JSONValue, _ member: String) {
        self.init((body[member]?.array ?? []).compactMap { $0.string.flatMap { Permission(rawValue: $0) } })
    }
}
