import Postgres
import Shared

/// A change that is asked about before it is made.
struct AccessHypothesis {
    let facts: [AccessFact]
    let partition: AccessPartition

    /// Exactly one member says what would be done.
    static let schema = Schema.object([
        .optional(
            "bind",
            Schema.object([
                .required("subject", Binding.subjectSchema), .required("role", .id(RoleKind.self)),
                .optional("scope", Binding.scopeSchema), .optional("expires_at", Binding.expirySchema),
            ]).described("A binding would be made.")),
        .optional("unbind", Schema.id(BindingKind.self).described("A binding would be deleted.")),
        .optional("join", Self.membership("would become a member of a group.")),
        .optional("leave", Self.membership("would not be a member of a group any more.")),
        .optional(
            "disable", Binding.subjectSchema.described("A user, a group or a service account would be disabled.")),
        .optional(
            "role",
            Schema.object([.required("id", .id(RoleKind.self)), .required("permissions", PermissionSet.schema)])
                .described("A role would have these permissions.")),
        .optional(
            "deny",
            Schema.object([
                .optional("subject", Binding.subjectSchema.orNull), .required("permissions", PermissionSet.schema),
                .optional("scope", Binding.scopeSchema),
            ]).described("A deny rule would be made.")),
        .optional("lift", Schema.id(DenyRuleKind.self).described("A deny rule would be deleted.")),
    ])

    private static func membership(_ what: String) -> Schema {
        Schema.object([
            .required("member", Binding.subjectSchema), .required("group", .id(GroupKind.self)),
        ]).described("A user, a group or a service account \(what)")
    }

    init(_ body: JSONValue, _ tx: inout Transaction) throws {
        let members = (body.object ?? [:]).sorted { $0.key < $1.key }
        guard members.count == 1, let (name, value) = members.first else {
            throw ControlError(.invalid, "invalid_value", "Ask about one change.", pointer: "")
        }
        let at = "/\(name)"
        switch name {
        case "bind":
            let subject = try Self.subject(value["subject"], at: at + "/subject", &tx)
            let owner = try Ownership.resolve(value["scope"]?.string, held: false, &tx)
            guard let role = try value["role"]?.string.flatMap({ RoleID($0) }).flatMap({ try RoleStore.find($0, &tx) })
            else { throw ControlError.invalid("There is no such role.", at: at + "/role") }
            self.partition = subject.partition
            self.facts = [
                .binding(
                    AccessBinding(
                        id: BindingID(UUIDValue(high: 0, low: 0)), subject: subject.subject, role: role.id,
                        scope: owner.place, expiresAt: value["expires_at"]?.string.flatMap { Timestamp($0) }))
            ]
        case "unbind":
            let binding = try value.string.flatMap { BindingID($0) }.map { try BindingStore.fetch($0, &tx) }
            guard let binding else { throw ControlError.notFound("binding") }
            self.partition = binding.partition
            self.facts = [.removedBinding(binding.id)]
        case "join", "leave":
            let member = try Self.subject(value["member"], at: at + "/member", &tx)
            let group = try Self.subject(value["group"], at: at + "/group", &tx)
            guard member.partition == group.partition else {
                throw ControlError.invalid("There is no such group.", at: at + "/group")
            }
            self.partition = group.partition
            self.facts = [.member(member.subject, of: GroupID(group.subject.id), name == "join")]
        case "disable":
            let found = try Self.subject(value, at: at, &tx)
            self.partition = found.partition
            self.facts = [.subject(found.subject, isActive: false)]
        case "role":
            guard let role = try value["id"]?.string.flatMap({ RoleID($0) }).flatMap({ try RoleStore.find($0, &tx) }),
                !role.isBuiltIn
            else { throw ControlError.invalid("There is no such role of one's own.", at: at + "/id") }
            self.partition = role.partition
            self.facts = [.role(role.id, PermissionSet(value, "permissions"))]
        case "deny":
            let owner = try Ownership.resolve(value["scope"]?.string, held: false, &tx)
            let subject = try value["subject"].flatMap { $0.isNull ? nil : $0 }
                .map { try Self.subject($0, at: at + "/subject", &tx) }
            self.partition = subject?.partition ?? AccessPartition(owner.organization)
            self.facts = [
                .denial(
                    AccessDenial(
                        id: DenyRuleID(UUIDValue(high: 0, low: 0)), subject: subject?.subject,
                        permissions: PermissionSet(value, "permissions"), scope: owner.place, expiresAt: nil))
            ]
        default:
            let rule = try value.string.flatMap { DenyRuleID($0) }.map { try DenyRuleStore.fetch($0, &tx) }
            guard let rule else { throw ControlError.notFound("deny rule") }
            self.partition = rule.partition
            self.facts = [.removedDenial(rule.id)]
        }
    }

    private static func subject(
        _ value: JSONValue?, at pointer: String, _ tx: inout Transaction
    ) throws -> (subject: AccessSubject, partition: AccessPartition) {
        guard let subject = value?.string.flatMap({ AccessSubject($0) }),
            let partition = try BindingStore.partition(of: subject, &tx)
        else { throw ControlError.invalid("There is no such user, group or service account.", at: pointer) }
        return (subject, partition)
    }
}
