package import Postgres
package import Shared

/// Reads what was changed, and how far it has got.
package struct ChangeHistory: Sendable {
    private let database: Database
    private let reads: Reads

    package init(database: Database, reads: Reads) {
        self.database = database
        self.reads = reads
    }

    package func get(_ id: ChangeID, as context: OperationContext) async throws -> ChangeRow {
        try await self.reads.one(
            .changesRead, as: context, "change", at: { AccessPartition($0.organization).scope }
        ) { tx in
            guard let found = try ChangeStore.find(id, &tx) else { throw ControlError.notFound("change") }
            return found
        }
    }

    /// Newest first.
    package func list(
        organization: OrganizationID?, _ page: PageRequest, as context: OperationContext
    ) async throws -> Page<ChangeRow> {
        let found = try await self.reads.perform(.changesRead, as: context) { tx, sight in
            try ChangeStore.list(&tx, organization: organization, page, sight)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// How far a change has got; waits up to `seconds` until it is everywhere.
    package func propagation(of id: ChangeID, wait seconds: Int64, as context: OperationContext) async throws
        -> Propagation
    {
        _ = try await self.get(id, as: context)
        let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
        while true {
            let found = try await self.database.transaction(.repeatableReadOnly) { tx in
                try PropagationStore.find(id, &tx)
            }
            guard !found.isComplete, ContinuousClock.now < deadline else { return found }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// Where a change is visible.
package struct Propagation: Sendable {
    package struct Group: Sendable {
        package let id: GatewayGroupID
        /// The snapshot that it first became visible in; nil while it waits for one.
        package var version: SnapshotVersion?
        package var gateways: [GatewayProgress]
    }

    package struct GatewayProgress: Sendable {
        package let id: GatewayID
        package let serves: SnapshotVersion?
        package let hasIt: Bool
    }

    package let change: ChangeID
    package var groups: [Group]

    /// Whether every active gateway of every group has it.
    package var isComplete: Bool {
        self.groups.allSatisfy { $0.version != nil && $0.gateways.allSatisfy(\.hasIt) }
    }

    private static let versionSchema = Schema.object([.required("epoch", .count), .required("version", .count)]).orNull

    package static let schema = Schema.named(
        "Propagation",
        .object([
            .required("change", .id(ChangeKind.self)), .required("complete", .bool),
            .required(
                "groups",
                .list(
                    of: .object([
                        .required("group", .id(GatewayGroupKind.self)), .required("published", .bool),
                        .required("version", Self.versionSchema),
                        .required(
                            "gateways",
                            .list(
                                of: .object([
                                    .required("gateway", .id(GatewayKind.self)),
                                    .required("serves", Self.versionSchema),
                                    .required("has_it", .bool),
                                ]))),
                    ]))),
        ])
    )

    package var json: JSONValue {
        [
            "change": JSONValue(self.change), "complete": .bool(self.isComplete),
            "groups": .array(
                self.groups.map { group in
                    [
                        "group": JSONValue(group.id), "published": .bool(group.version != nil),
                        "version": group.version?.json ?? .null,
                        "gateways": .array(
                            group.gateways.map { gateway in
                                [
                                    "gateway": JSONValue(gateway.id), "serves": gateway.serves?.json ?? .null,
                                    "has_it": .bool(gateway.hasIt),
                                ]
                            }),
                    ]
                }),
        ]
    }
}

enum PropagationStore {
    static func find(_ change: ChangeID, _ tx: inout Transaction) throws -> Propagation {
        let rows = try tx.query(
            """
            select c.group_id, c.epoch, c.version, g.id as gateway_id, s.epoch as serves_epoch,
                s.version as serves_version
            from (
                select group_id, epoch, version from change_publication where change_id = $1
                union all select group_id, null, null from change_pending where change_id = $1
            ) c
            left join gateway g on g.group_id = c.group_id and g.status = 'active'
            left join gateway_status s on s.gateway_id = g.id
            order by c.group_id, g.id
            """, change
        )
        var propagation = Propagation(change: change, groups: [])
        for row in rows {
            let id: GatewayGroupID = try row.get("group_id")
            if propagation.groups.last?.id != id {
                var version: SnapshotVersion?
                if let epoch = try row.optional("epoch", as: Int.self) {
                    version = SnapshotVersion(epoch: epoch, version: try row.get("version"))
                }
                propagation.groups.append(Propagation.Group(id: id, version: version, gateways: []))
            }
            guard let gateway = try row.optional("gateway_id", as: GatewayID.self) else { continue }
            var serves: SnapshotVersion?
            if let epoch = try row.optional("serves_epoch", as: Int.self) {
                serves = SnapshotVersion(epoch: epoch, version: try row.get("serves_version"))
            }
            let index = propagation.groups.count - 1
            let hasIt =
                propagation.groups[index].version.map { needed in serves.map { $0 >= needed } ?? false } ?? false
            propagation.groups[index].gateways.append(
                Propagation.GatewayProgress(id: gateway, serves: serves, hasIt: hasIt)
            )
        }
        return propagation
    }
}
