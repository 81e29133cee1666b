import Postgres
package import Shared

/// Who has what: for those who look it over now and then.
package struct AccessReviews: Sendable {
    private let reads: Reads
    private let authorizer: Authorizer

    package init(reads: Reads, authorizer: Authorizer) {
        self.reads = reads
        self.authorizer = authorizer
    }

    /// One binding that comes to one user or service account.
    package struct Entry: Sendable {
        let subject: AccessSubject
        let name: String
        let isActive: Bool
        let grant: AccessGrant
        let roleName: String
        let scope: JSONValue
        let reason: String
        let since: Timestamp
        let grantedBy: Actor
        let lastUsedAt: Timestamp?
    }

    package struct Page: Sendable {
        package let entries: [Entry]
        package let nextCursor: String?
    }

    /// Every binding of a number of users and service accounts, those that they have through groups too; in the order of
    /// their identifiers.
    package func page(
        organization: OrganizationID?, after: AccessSubject?, limit: Int, as context: OperationContext
    ) async throws -> Page {
        let authorizer = self.authorizer
        let partition = AccessPartition(organization)
        return try await self.reads.perform(.accessRead, as: context, .repeatableReadOnly) { tx, sight in
            if organization == nil, try !sight.sees(.instance, &tx) { throw Access.denied(.accessRead) }
            try sight.require(partition.scope, "organization", &tx)
            let policy = try authorizer.policy(of: partition, &tx)
            let found = try Self.subjects(partition, after: after, limit: limit + 1, &tx)
            let subjects = found.prefix(limit)
            var held: [(subject: Subject, grant: AccessGrant)] = []
            for subject in subjects {
                // Of one that is disabled, what it would have again.
                var policy = policy
                if !subject.isActive { policy.apply([.subject(subject.id, isActive: true)]) }
                held += policy.grants(of: subject.id, at: context.time).map { (subject, $0) }
            }
            let names = try AccessQuestions.names(held.map(\.grant.scope), &tx)
            let bindings = try Self.bindings(Set(held.map(\.grant.binding)), &tx)
            let entries = held.compactMap { subject, grant -> Entry? in
                guard let binding = bindings[grant.binding] else { return nil }
                return Entry(
                    subject: subject.id, name: subject.name, isActive: subject.isActive, grant: grant,
                    roleName: binding.role, scope: names.json(grant.scope), reason: binding.reason,
                    since: binding.since, grantedBy: binding.grantedBy, lastUsedAt: binding.lastUsedAt)
            }
            return Page(entries: entries, nextCursor: found.count > limit ? subjects.last?.id.text : nil)
        }
    }

    private struct Subject {
        let id: AccessSubject
        let name: String
        let isActive: Bool
    }

    /// Users, then service accounts.
    private static func subjects(
        _ partition: AccessPartition, after: AccessSubject?, limit: Int, _ tx: inout Transaction
    ) throws -> [Subject] {
        var found: [Subject] = []
        func read(_ kind: AccessSubject.Kind, _ sql: SQL, after: UUIDValue?) throws {
            for row in try tx.query(sql, partition.organization, after, Int64(limit - found.count)) {
                found.append(
                    Subject(
                        id: AccessSubject(kind, try row.get("id")), name: try row.get("name"),
                        isActive: try row.get("active")))
            }
        }
        if after?.kind != .serviceAccount {
            try read(
                .user,
                """
                select id, login as name, status = 'active' as active from user_account
                where access_partition(organization_id) = access_partition($1) and deleted_at is null
                    and ($2::uuid is null or id > $2) order by id limit $3
                """, after: after?.id)
        }
        guard found.count < limit else { return found }
        try read(
            .serviceAccount,
            """
            select id, name, status = 'active' as active from service_account
            where access_partition(organization_id) = access_partition($1) and deleted_at is null
                and ($2::uuid is null or id > $2) order by id limit $3
            """, after: after?.kind == .serviceAccount ? after?.id : nil)
        return found
    }

    private struct Given {
        let role: String
        let reason: String
        let since: Timestamp
        let grantedBy: Actor
        let lastUsedAt: Timestamp?
    }

    private static func bindings(_ ids: Set<BindingID>, _ tx: inout Transaction) throws -> [BindingID: Given] {
        guard !ids.isEmpty else { return [:] }
        var result: [BindingID: Given] = [:]
        for row in try tx.query(
            """
            select b.id, b.role_id, r.name as role_name, b.reason, b.created_at, b.created_by_kind, b.created_by,
                b.last_used_at
            from role_binding b left join role r on r.id = b.role_id where b.id = any ($1)
            """, ids.sorted().map { SQLUUID($0) })
        {
            let name: String? = try row.optional("role_name")
            let builtIn = BuiltInRole(try row.get("role_id"))?.rawValue
            result[try row.get("id")] = Given(
                role: name ?? builtIn ?? "", reason: try row.get("reason"),
                since: try row.get("created_at"),
                grantedBy: Actor(
                    kind: Actor.Kind(rawValue: try row.get("created_by_kind")) ?? .anonymous,
                    id: try row.get("created_by")),
                lastUsedAt: try row.optional("last_used_at"))
        }
        return result
    }

    static let schema = Schema.named(
        "AccessReview",
        .object([
            .required(
                "items",
                .list(
                    of: .object([
                        .required("subject", .id(UserKind.self, ServiceAccountKind.self)),
                        .required("name", .string(.length(0...320))), .required("active", .bool),
                        .required("grant", AccessAnswers.grant), .required("role_name", .string(.length(0...200))),
                        .required("reason", Binding.reasonSchema), .required("since", .timestamp),
                        .required("granted_by", Binding.actorSchema),
                        .required(
                            "last_used_at",
                            Schema.timestamp.orNull.described(
                                "When the binding last allowed something, to anybody who has it; to within minutes.")),
                    ]))),
            .required("next_cursor", .string(.length(1...200)).orNull),
        ])
    )
}

extension AccessReviews.Page {
    package var json: JSONValue {
        [
            "items": .array(
                self.entries.map { entry in
                    [
                        "subject": .string(entry.subject.text), "name": .string(entry.name),
                        "active": .bool(entry.isActive),
                        "grant": [
                            "binding": JSONValue(entry.grant.binding), "role": JSONValue(entry.grant.role),
                            "scope": entry.scope, "expires_at": JSONValue(entry.grant.expiresAt),
                            "groups": JSONValue(entry.grant.groups.map(\.description)),
                        ],
                        "role_name": .string(entry.roleName), "reason": .string(entry.reason),
                        "since": JSONValue(entry.since),
                        "granted_by": [
                            "kind": .string(entry.grantedBy.kind.rawValue), "id": .string(entry.grantedBy.text),
                        ],
                        "last_used_at": JSONValue(entry.lastUsedAt),
                    ]
                }),
            "next_cursor": JSONValue(self.nextCursor),
        ]
    }

    package var csv: [UInt8] {
        var writer = CSVWriter()
        writer.row(
            [
                "subject", "name", "active", "role", "role_name", "scope", "groups", "binding", "reason", "since",
                "granted_by", "expires_at", "last_used_at",
            ].map { .value($0) })
        for entry in self.entries {
            writer.row([
                .value(entry.subject.text), .text(entry.name), .value(entry.isActive ? "true" : "false"),
                .value(entry.grant.role.description), .text(entry.roleName),
                entry.scope.string.map { .value($0) } ?? .value("instance"),
                .value(entry.grant.groups.map(\.description).joined(separator: " ")),
                .value(entry.grant.binding.description), .text(entry.reason), .value(entry.since.description),
                .value(entry.grantedBy.text), entry.grant.expiresAt.map { .value($0.description) } ?? .empty,
                entry.lastUsedAt.map { .value($0.description) } ?? .empty,
            ])
        }
        return writer.bytes
    }
}
