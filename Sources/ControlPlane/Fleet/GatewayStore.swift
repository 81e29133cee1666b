package import Postgres
package import Shared

/// The SQL of gateways.
package enum GatewayStore {
    private static let columns: SQL = """
        select g.id, g.group_id, g.name, g.status, g.build, g.revision, g.created_at, g.deleted_at, s.seen_at, s.epoch, s.version,
            s.manifest, s.keyring_epoch, s.nack_epoch, s.nack_version, s.nack_code, s.nack_chunk, s.nack_message,
            n.epoch as new_epoch, n.version as new_version, n.manifest_sha256 as new_manifest,
            n.published_at, o.manifest_sha256 as own_manifest
        from gateway g left join gateway_status s on s.gateway_id = g.id
        left join lateral (
            select epoch, version, manifest_sha256, published_at from snapshot
            where group_id = g.group_id and published_at is not null order by epoch desc, version desc limit 1
        ) n on true
        left join snapshot o on o.group_id = g.group_id and o.epoch = s.epoch and o.version = s.version
        """

    /// The gateway, also when it was removed.
    package static func fetch(_ id: GatewayID, _ tx: inout Transaction) throws -> Gateway {
        let row = try tx.queryOne(Self.columns + " where g.id = $1", id)
        guard let row else { throw ControlError.notFound("gateway") }
        return try Self.read(row, try GatewayProcessStore.notable(&tx, [id])[id] ?? [])
    }

    package static func list(
        group: GatewayGroupID?, status: Gateway.Status, _ page: PageRequest, _ tx: inout Transaction
    ) throws -> [Gateway] {
        let rows = try tx.query(
            Self.columns + """
                 where g.status = $4 and ($1::uuid is null or g.group_id = $1)
                and ($2::uuid is null or g.id > $2) order by g.id limit $3
                """, group, page.afterID, page.fetchLimit, status.rawValue
        )
        let processes = try GatewayProcessStore.notable(&tx, try rows.map { try $0.get("id", as: GatewayID.self) })
        return try rows.map { try Self.read($0, processes[try $0.get("id", as: GatewayID.self)] ?? []) }
    }

    /// - Returns: whether it was there.
    package static func remove(_ id: GatewayID, at time: Timestamp, _ tx: inout Transaction, _: borrowing Permit) throws
        -> Bool
    {
        try tx.execute(
            """
            update gateway set status = 'removed', deleted_at = $2, updated_at = $2, revision = revision + 1
            where id = $1 and deleted_at is null
            """, id, time
        ) == 1
    }

    private static func read(_ row: Row, _ processes: [GatewayProcess]) throws -> Gateway {
        Gateway(
            id: try row.get("id"), group: try row.get("group_id"), name: try row.get("name"),
            status: try row.get("status"), build: try row.get("build"), revision: try row.get("revision"),
            createdAt: try row.get("created_at"), removedAt: try row.optional("deleted_at"),
            report: try Self.report(row), published: try Self.published(row),
            manifestOfReported: try row.optional("own_manifest"), processes: processes
        )
    }

    private static func report(_ row: Row) throws -> Gateway.Report? {
        guard let seenAt = try row.optional("seen_at", as: Timestamp.self) else { return nil }
        var nack: Gateway.Nack?
        if let code = try row.optional("nack_code", as: String.self), !code.isEmpty {
            nack = Gateway.Nack(
                version: SnapshotVersion(
                    epoch: try row.optional("nack_epoch") ?? 0, version: try row.optional("nack_version") ?? 0
                ),
                code: code, chunk: try row.optional("nack_chunk") ?? "", message: try row.optional("nack_message") ?? ""
            )
        }
        return Gateway.Report(
            seenAt: seenAt, version: SnapshotVersion(epoch: try row.get("epoch"), version: try row.get("version")),
            manifest: try row.get("manifest"), keyringEpoch: try row.get("keyring_epoch"), nack: nack
        )
    }

    private static func published(_ row: Row) throws -> Gateway.Published? {
        guard let at = try row.optional("published_at", as: Timestamp.self) else { return nil }
        return Gateway.Published(
            version: SnapshotVersion(epoch: try row.get("new_epoch"), version: try row.get("new_version")),
            manifest: try row.optional("new_manifest"), at: at
        )
    }
}

extension Fleet {
    package func gateway(_ id: GatewayID) async throws -> Gateway {
        try await self.database.transaction(.readOnly) { tx in try GatewayStore.fetch(id, &tx) }
    }

    package func gateways(
        group: GatewayGroupID?, status: Gateway.Status, _ page: PageRequest
    ) async throws -> Page<Gateway> {
        let found = try await self.database.transaction(.readOnly) { tx in
            try GatewayStore.list(group: group, status: status, page, &tx)
        }
        return Page(found, page, position: \.id.bytes)
    }

    /// Removes a gateway and gives its group another key, so that what it knew does not open what comes.
    package func deleteGateway(_ id: GatewayID, ifRevision: Int64?, as context: OperationContext) async throws
        -> [AuditReceipt]
    {
        let keys = self.keys
        return try await self.changes.perform(.gatewaysDelete, on: Target(id), at: .instance, as: context) {
            tx, permit in
            let before = try GatewayStore.fetch(id, &tx)
            try Revision.check(before.revision, ifRevision)
            guard try GatewayStore.remove(id, at: context.time, &tx, permit) else {
                throw ControlError.notFound("gateway")
            }
            try GroupKeys.rotate(&tx, group: before.group, keys: keys)
            return Change((), in: nil, before: before)
        }.receipts
    }
}
