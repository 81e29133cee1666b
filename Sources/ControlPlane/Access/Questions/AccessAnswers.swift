import Shared

/// What questions about access are answered with, as the API has it.
enum AccessAnswers {
    static let subject = Binding.subjectSchema
    static let scope = Binding.scopeSchema
    static let permission = Schema.string(.oneOf(Permission.allCases.map(\.rawValue)))

    private static let groups = Schema.list(of: .id(GroupKind.self))
        .described("Through which groups: first the subject's own, last the one that the binding is for.")

    static let grant = Schema.named(
        "AccessGrant",
        .object([
            .required("binding", .id(BindingKind.self)), .required("role", .id(RoleKind.self)),
            .required("scope", Self.scope), .required("expires_at", Binding.expirySchema),
            .required("groups", Self.groups),
        ])
    )

    static let denial = Schema.object([
        .required("deny_rule", .id(DenyRuleKind.self)), .required("scope", Self.scope),
        .required("expires_at", Binding.expirySchema), .required("everybody", .bool), .required("groups", Self.groups),
    ])

    static func list(of schema: Schema) -> Schema {
        .object([
            .required("items", .list(of: schema)),
            .required(
                "count", Schema.count.described("How many there are; the first \(AccessList<RoleID>.limit) are said.")),
        ])
    }

    static let whoCan = Schema.named(
        "WhoCan",
        .object([
            .required(
                "items",
                .list(
                    of: .object([
                        .required("subject", .id(UserKind.self, ServiceAccountKind.self)),
                        .required("grant", Self.grant),
                    ]))),
            .required("next_cursor", .string(.length(1...200)).orNull),
            .required("count", Schema.count.described("How many there are on all pages.")),
        ])
    )

    static let whatCan = Schema.named(
        "WhatCan",
        .object([
            .required("subject", Self.subject), .required("scope", Self.scope),
            .required("permissions", .list(of: Self.permission)),
        ])
    )

    static let decision = Schema.named(
        "AccessDecision",
        .object([
            .required("allowed", .bool), .required("subject", Self.subject), .required("permission", Self.permission),
            .required("scope", Self.scope),
            .required(
                "standing",
                Schema.choice("active", "inactive", "unknown").described(
                    "Of the subject: only one that is active acts.")),
            .required("grants", Self.list(of: Self.grant).described("Every binding that grants it.")),
            .required("denials", Self.list(of: Self.denial).described("Every deny rule that forbids it.")),
            .required(
                "roles", Self.list(of: .id(RoleKind.self)).described("Where nothing grants it: roles that would.")),
            .required(
                "expired", Self.list(of: Self.grant).described("Where nothing grants it: bindings that did, and ended.")
            ),
            .required(
                "elsewhere", Self.list(of: Self.grant).described("Where nothing grants it: bindings that do elsewhere.")
            ),
        ])
    )

    static let effect = Schema.named(
        "AccessEffect",
        .object([
            .required("gaining", Schema.count.described("Users and service accounts that gain something.")),
            .required("losing", Schema.count.described("Users and service accounts that lose something.")),
            .required("count", Schema.count.described("Of both together.")),
            .required(
                "subjects",
                .list(
                    of: .object([
                        .required("subject", .id(UserKind.self, ServiceAccountKind.self)),
                        .required(
                            "changes",
                            .list(
                                of: .object([
                                    .required("scope", Self.scope), .required("gained", .list(of: Self.permission)),
                                    .required("lost", .list(of: Self.permission)),
                                ]))),
                    ])
                ).described("The first 100, by their ids; what holds at a scope holds below it.")),
        ])
    )
}

/// Names scopes as the API does, which knows organizations, units and projects apart.
struct ScopeNames: Sendable {
    private let references: [NodeID: ScopeReference]

    init(_ references: [NodeID: ScopeReference]) { self.references = references }

    func json(_ scope: AccessScope) -> JSONValue {
        guard case .node(let node) = scope else { return .null }
        return JSONValue(self.references[node])
    }
}

extension AccessGrant {
    func json(_ names: ScopeNames) -> JSONValue {
        [
            "binding": JSONValue(self.binding), "role": JSONValue(self.role), "scope": names.json(self.scope),
            "expires_at": JSONValue(self.expiresAt), "groups": JSONValue(self.groups.map(\.description)),
        ]
    }
}

extension AppliedDenial {
    func json(_ names: ScopeNames) -> JSONValue {
        [
            "deny_rule": JSONValue(self.rule), "scope": names.json(self.scope),
            "expires_at": JSONValue(self.expiresAt), "everybody": .bool(self.isForEverybody),
            "groups": JSONValue(self.groups.map(\.description)),
        ]
    }
}

extension AccessList {
    func json(_ item: (Element) -> JSONValue) -> JSONValue {
        ["items": .array(self.items.map(item)), "count": .integer(Int64(self.count))]
    }
}

extension AccessDecision {
    func json(_ names: ScopeNames) -> [String: JSONValue] {
        [
            "allowed": .bool(self.isAllowed), "standing": .string(self.standing.rawValue),
            "grants": self.grants.json { $0.json(names) }, "denials": self.denials.json { $0.json(names) },
            "roles": self.roles.json { JSONValue($0) }, "expired": self.expired.json { $0.json(names) },
            "elsewhere": self.elsewhere.json { $0.json(names) },
        ]
    }

    /// Every scope that it names.
    var scopes: [AccessScope] {
        (self.grants.items + self.expired.items + self.elsewhere.items).map(\.scope) + self.denials.items.map(\.scope)
    }
}

extension AccessEffect {
    func json(_ names: ScopeNames) -> JSONValue {
        [
            "gaining": .integer(Int64(self.gaining)), "losing": .integer(Int64(self.losing)),
            "count": .integer(Int64(self.count)),
            "subjects": .array(
                self.subjects.map { effect in
                    [
                        "subject": .string(effect.subject.text),
                        "changes": .array(
                            effect.changes.items.map { change in
                                [
                                    "scope": names.json(change.scope), "gained": change.gained.json,
                                    "lost": change.lost.json,
                                ]
                            }),
                    ]
                }),
        ]
    }

    /// Every scope that it names.
    var scopes: [AccessScope] { self.subjects.flatMap { $0.changes.items.map(\.scope) } }
}
