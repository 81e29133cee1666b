package import Shared

/// What nobody may hold both of.
package struct DutySeparation: Sendable, Audited {
    package let id: DutySeparationID
    /// Whose users, groups and service accounts it is about; nil for the instance's.
    package let organization: OrganizationID?
    package var name: String
    package var first: PermissionSet
    package var second: PermissionSet
    package var reason: String
    package var stamps: Stamps

    package init(
        id: DutySeparationID, organization: OrganizationID?, name: String, first: PermissionSet, second: PermissionSet,
        reason: String, stamps: Stamps
    ) {
        self.id = id
        self.organization = organization
        self.name = name
        self.first = first
        self.second = second
        self.reason = reason
        self.stamps = stamps
    }

    package var partition: AccessPartition { AccessPartition(self.organization) }

    /// With the members of a body that `patchSchema` accepts.
    package func applying(_ patch: JSONValue, at time: Timestamp) -> DutySeparation {
        var separation = self
        if let name = patch["name"]?.string { separation.name = name }
        if let reason = patch["reason"]?.string { separation.reason = reason }
        if patch["first"] != nil { separation.first = PermissionSet(patch, "first") }
        if patch["second"] != nil { separation.second = PermissionSet(patch, "second") }
        separation.stamps.advance(to: time)
        return separation
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "first": self.first.json, "second": self.second.json,
            "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name), "reason": .string(self.reason)] }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "name": .string(self.name),
            "first": self.first.json, "second": self.second.json, "reason": .string(self.reason),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    package static let schema = Schema.named(
        "DutySeparation",
        .object(
            [
                .required("id", .id(DutySeparationKind.self)), .required("organization", Role.organizationSchema),
                .required("name", .name), .required("first", PermissionSet.schema),
                .required("second", PermissionSet.schema), .required("reason", Binding.reasonSchema),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .optional("organization", Role.organizationSchema), .required("name", .name),
        .required("first", PermissionSet.schema), .required("second", PermissionSet.schema),
        .optional("reason", Binding.reasonSchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("first", PermissionSet.schema), .optional("second", PermissionSet.schema),
        .optional("reason", Binding.reasonSchema),
    ])
}
