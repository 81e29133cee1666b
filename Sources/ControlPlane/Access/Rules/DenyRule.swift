package import Shared

/// What somebody, or everybody, may not do at a scope, whatever bindings allow.
package struct DenyRule: Sendable, Audited {
    package let id: DenyRuleID
    /// Whose users, groups and service accounts it is about; nil for the instance's.
    package let organization: OrganizationID?
    package var name: String
    /// Nil for everybody.
    package let subject: AccessSubject?
    package var permissions: PermissionSet
    /// Nil for the whole instance.
    package let scope: ScopeReference?
    package var reason: String
    package var expiresAt: Timestamp?
    package var stamps: Stamps

    package init(
        id: DenyRuleID, organization: OrganizationID?, name: String, subject: AccessSubject?,
        permissions: PermissionSet, scope: ScopeReference?, reason: String, expiresAt: Timestamp?, stamps: Stamps
    ) {
        self.id = id
        self.organization = organization
        self.name = name
        self.subject = subject
        self.permissions = permissions
        self.scope = scope
        self.reason = reason
        self.expiresAt = expiresAt
        self.stamps = stamps
    }

    package var partition: AccessPartition { AccessPartition(self.organization) }

    package var place: AccessScope { self.scope.map { .node($0.node) } ?? .instance }

    /// As the policy knows it.
    package var fact: AccessFact {
        .denial(
            AccessDenial(
                id: self.id, subject: self.subject, permissions: self.permissions, scope: self.place,
                expiresAt: self.expiresAt))
    }

    /// With the members of a body that `patchSchema` accepts.
    package func applying(_ patch: JSONValue, at time: Timestamp) -> DenyRule {
        var rule = self
        if let name = patch["name"]?.string { rule.name = name }
        if let reason = patch["reason"]?.string { rule.reason = reason }
        if patch["permissions"] != nil { rule.permissions = PermissionSet(patch, "permissions") }
        if let expires = patch["expires_at"] { rule.expiresAt = expires.string.flatMap { Timestamp($0) } }
        rule.stamps.advance(to: time)
        return rule
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "subject": JSONValue(self.subject?.text),
            "permissions": self.permissions.json, "scope": JSONValue(self.scope),
            "expires_at": JSONValue(self.expiresAt), "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["name": .string(self.name), "reason": .string(self.reason)] }
    package var auditPerson: UserID? { self.subject?.user }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization), "name": .string(self.name),
            "subject": JSONValue(self.subject?.text), "permissions": self.permissions.json,
            "scope": JSONValue(self.scope), "reason": .string(self.reason), "expires_at": JSONValue(self.expiresAt),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    private static let subjectSchema = Binding.subjectSchema.orNull.described(
        "Whom it is about: a user, a group or a service account; null is everybody of the organization, or of the instance."
    )

    package static let schema = Schema.named(
        "DenyRule",
        .object(
            [
                .required("id", .id(DenyRuleKind.self)), .required("organization", Role.organizationSchema),
                .required("name", .name), .required("subject", Self.subjectSchema),
                .required("permissions", PermissionSet.schema), .required("scope", Binding.scopeSchema),
                .required("reason", Binding.reasonSchema), .required("expires_at", Binding.expirySchema),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("name", .name), .optional("subject", Self.subjectSchema),
        .required("permissions", PermissionSet.schema), .optional("scope", Binding.scopeSchema),
        .optional("reason", Binding.reasonSchema), .optional("expires_at", Binding.expirySchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("name", .name), .optional("permissions", PermissionSet.schema),
        .optional("reason", Binding.reasonSchema), .optional("expires_at", Binding.expirySchema),
    ])
}
