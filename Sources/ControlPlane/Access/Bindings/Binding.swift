package import Shared

/// A role for a subject at a scope: what is allowed, to whom, where, until when and why.
package struct Binding: Sendable, Audited {
    package let id: BindingID
    /// The subject's; nil for the instance.
    package let organization: OrganizationID?
    package let subject: AccessSubject
    package let role: RoleID
    /// Nil for the whole instance.
    package let scope: ScopeReference?
    package var reason: String
    package var expiresAt: Timestamp?
    /// Who gave it.
    package let createdBy: Actor
    package let lastUsedAt: Timestamp?
    package var stamps: Stamps

    package init(
        id: BindingID, organization: OrganizationID?, subject: AccessSubject, role: RoleID, scope: ScopeReference?,
        reason: String, expiresAt: Timestamp?, createdBy: Actor, lastUsedAt: Timestamp? = nil, stamps: Stamps
    ) {
        self.id = id
        self.organization = organization
        self.subject = subject
        self.role = role
        self.scope = scope
        self.reason = reason
        self.expiresAt = expiresAt
        self.createdBy = createdBy
        self.lastUsedAt = lastUsedAt
        self.stamps = stamps
    }

    package var partition: AccessPartition { AccessPartition(self.organization) }

    package var place: AccessScope { self.scope.map { .node($0.node) } ?? .instance }

    /// As the policy knows it.
    package var fact: AccessFact {
        .binding(
            AccessBinding(
                id: self.id, subject: self.subject, role: self.role, scope: self.place, expiresAt: self.expiresAt))
    }

    /// With the members of a body that `patchSchema` accepts.
    package func applying(_ patch: JSONValue, at time: Timestamp) -> Binding {
        var binding = self
        if let reason = patch["reason"]?.string { binding.reason = reason }
        if let expires = patch["expires_at"] { binding.expiresAt = expires.string.flatMap { Timestamp($0) } }
        binding.stamps.advance(to: time)
        return binding
    }

    package var auditState: JSONValue {
        [
            "id": JSONValue(self.id), "subject": .string(self.subject.text), "role": JSONValue(self.role),
            "scope": JSONValue(self.scope), "expires_at": JSONValue(self.expiresAt),
            "revision": .integer(self.stamps.revision),
        ]
    }

    package var auditPersonal: JSONValue { ["reason": .string(self.reason)] }
    package var auditPerson: UserID? { self.subject.user }

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "organization": JSONValue(self.organization),
            "subject": .string(self.subject.text), "role": JSONValue(self.role), "scope": JSONValue(self.scope),
            "reason": .string(self.reason), "expires_at": JSONValue(self.expiresAt),
            "created_by": ["kind": .string(self.createdBy.kind.rawValue), "id": .string(self.createdBy.text)],
            "last_used_at": JSONValue(self.lastUsedAt),
        ].adding(self.stamps.json)
    }

    // MARK: Schemas

    static let subjectSchema = Schema.id(UserKind.self, GroupKind.self, ServiceAccountKind.self)
        .described("A user, a group or a service account.")
    static let scopeSchema = Schema.id(OrganizationKind.self, UnitKind.self, ProjectKind.self).orNull
        .described("Where it holds, with all that is below; null is the whole instance.")
    static let reasonSchema = Schema.string(.length(0...2000)).described("Why.")
    static let expirySchema = Schema.timestamp.orNull.described("When it ends; null is when it is deleted.")

    package static let actorSchema = Schema.object([
        .required("kind", .string(.length(1...40))), .required("id", .string(.length(1...64))),
    ]).described("Who gave it.")

    package static let schema = Schema.named(
        "Binding",
        .object(
            [
                .required("id", .id(BindingKind.self)), .required("organization", Role.organizationSchema),
                .required("subject", Self.subjectSchema), .required("role", .id(RoleKind.self)),
                .required("scope", Self.scopeSchema), .required("reason", Self.reasonSchema),
                .required("expires_at", Self.expirySchema), .required("created_by", Self.actorSchema),
                .required(
                    "last_used_at",
                    Schema.timestamp.orNull.described("When it last allowed something, to within minutes.")),
            ] + Stamps.members)
    )

    package static let creationSchema = Schema.object([
        .required("subject", Self.subjectSchema), .required("role", .id(RoleKind.self)),
        .optional("scope", Self.scopeSchema), .optional("reason", Self.reasonSchema),
        .optional("expires_at", Self.expirySchema),
    ])

    package static let patchSchema = Schema.object([
        .optional("reason", Self.reasonSchema), .optional("expires_at", Self.expirySchema),
    ])
}
