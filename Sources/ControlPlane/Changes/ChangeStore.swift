import Postgres
package import Shared

/// A change as it is listed.
package struct ChangeRow: Sendable {
    package let id: ChangeID
    package let at: Timestamp
    package let actor: Actor
    package let permission: String
    package let targetKind: String
    package let target: UUIDValue?
    package let organization: OrganizationID?

    package static let schema = Schema.named(
        "Change",
        .object([
            .required("id", .id(ChangeKind.self)), .required("at", .timestamp),
            .required(
                "actor",
                .object([
                    .required("kind", .string(.length(1...64))), .required("id", .string(.length(1...64))),
                ])),
            .required("permission", .string(.length(1...64))),
            .required(
                "target",
                .object([
                    .required("kind", .string(.length(1...64))), .required("id", .string(.length(1...64)).orNull),
                ])),
            .required("organization", Schema.id(OrganizationKind.self).orNull),
        ])
    )

    package var json: JSONValue {
        [
            "id": JSONValue(self.id), "at": JSONValue(self.at),
            "actor": ["kind": .string(self.actor.kind.rawValue), "id": .string(self.actor.text)],
            "permission": .string(self.permission),
            "target": [
                "kind": .string(self.targetKind),
                "id": self.target.map { .string(Target.text(kind: self.targetKind, id: $0)) } ?? .null,
            ],
            "organization": JSONValue(self.organization),
        ]
    }

    init(_ row: Row) throws {
        self.id = try row.get("id")
        self.at = try row.get("at")
        let kind = Actor.Kind(rawValue: try row.get("actor_kind")) ?? .anonymous
        self.actor = Actor(kind: kind, id: try row.get("actor_id"))
        self.permission = try row.get("permission")
        self.targetKind = try row.get("target_kind")
        self.target = try row.optional("target_id")
        self.organization = try row.optional("organization_id")
    }
}

enum ChangeStore {
    static func insert(
        _ tx: inout Transaction, id: ChangeID, permission: Permission, target: Target, organization: OrganizationID?,
        context: OperationContext
    ) throws {
        _ = try tx.execute(
            """
            insert into change (id, at, actor_kind, actor_id, permission, target_kind, target_id, organization_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8::uuid)
            """,
            id, context.time, context.actor.kind.rawValue, context.actor.id, permission.rawValue, target.kind,
            target.id, organization
        )
    }

    /// For a group that the trigger on `change` does not know of.
    static func markPending(_ tx: inout Transaction, _ id: ChangeID, in group: GatewayGroupID) throws {
        _ = try tx.execute(
            "insert into change_pending (change_id, group_id) values ($1, $2) on conflict do nothing", id, group
        )
    }

    static func find(_ id: ChangeID, _ tx: inout Transaction) throws -> ChangeRow? {
        try tx.queryOne(
            """
            select id, at, actor_kind, actor_id, permission, target_kind, target_id, organization_id from change
            where id = $1
            """, id
        ).map { try ChangeRow($0) }
    }

    /// Newest first.
    static func list(
        _ tx: inout Transaction, organization: OrganizationID?, _ page: PageRequest, _ sight: Sight
    ) throws -> [ChangeRow] {
        try tx.query(
            """
            select id, at, actor_kind, actor_id, permission, target_kind, target_id, organization_id from change
            where ($1::uuid is null or organization_id = $1) and ($2::uuid is null or id < $2)
                and
            """ + Sight.condition("organization_id", 4) + """
                 order by id desc limit $3
                """, organization, page.afterID, page.fetchLimit, sight.roots, sight.denied, sight.within
        ).map { try ChangeRow($0) }
    }
}
