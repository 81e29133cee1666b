package import Postgres
package import Shared

/// Lets go what the settings do not want kept: partitions of records, and sums of each level.
///
/// Sums never go before records that are not in them, because all levels are folded at once and a partition with
/// unfolded records stays. What went is noted in the same transaction, so that the ledger still adds up.
package struct UsageKeeping: Sendable {
    private let database: Database
    private let changes: Changes

    /// Rows of a level that go in one transaction, and transactions of one round.
    static let limit: Int64 = 10_000
    static let transactions = 20

    package init(database: Database, changes: Changes) {
        self.database = database
        self.changes = changes
    }

    package func get() async throws -> UsageRetention {
        try await self.database.transaction(.readOnly) { tx in try UsageRetentionStore.fetch(&tx) }
    }

    package func update(
        _ patch: JSONValue, ifMatch revision: Int64?, as context: OperationContext
    ) async throws -> Resolved<UsageRetention> {
        let deployment = try await self.database.transaction(.readOnly) { tx in
            try tx.queryOne("select id from deployment")?.get("id", as: DeploymentID.self)
        }
        guard let deployment else { throw ControlError.notFound("deployment") }
        return try await self.changes.perform(.usageRetentionUpdate, on: Target(deployment), at: .instance, as: context)
        {
            tx, permit in
            let before = try UsageRetentionStore.fetch(&tx, forUpdate: true)
            if let revision, revision != before.revision {
                throw ControlError(
                    .preconditionFailed, "revision_mismatch", "It has changed since revision \(revision) was read.")
            }
            let after = before.applying(patch, at: context.time)
            try UsageRetentionStore.save(after, &tx, permit)
            return Change(after, in: nil, before: before, after: after)
        }.resolved { _ in try await self.get() }
    }

    /// One round.
    ///
    /// - Returns: rows that went, by table, and partitions under `usage_event`.
    package static func apply(_ database: Database, at now: Timestamp) async throws -> [String: Int] {
        var gone: [String: Int] = [:]
        let retention = try await database.transaction(.readOnly) { tx in try UsageRetentionStore.fetch(&tx) }
        if let days = retention.rawDays {
            let cutoff = UsageRetention.day(now, less: days)
            gone["usage_event"] = try await self.dropPartitions(database, before: cutoff)
            gone["usage_event_default"] = try await self.repeated(database) { tx in
                try UsageRetentionStore.dropDefault(&tx, before: cutoff, limit: Self.limit)
            }
        }
        for level in UsageLevel.allCases {
            guard let cutoff = retention.cutoff(of: level, at: now) else { continue }
            gone["usage_\(level.rawValue)"] = try await self.repeated(database) { tx in
                try UsageRetentionStore.drop(&tx, level, before: cutoff, limit: Self.limit)
            }
        }
        return gone
    }

    /// Those that are busy, or not folded, are tried again in the next round.
    private static func dropPartitions(_ database: Database, before cutoff: Timestamp) async throws -> Int {
        let days = try await database.transaction(.readOnly) { tx in
            try tx.query(
                "select d::text as day from usage_event_days() d where d < ($1 at time zone 'UTC')::date limit 10",
                cutoff
            ).map { try $0.get("day", as: String.self) }
        }
        var dropped = 0
        for day in days {
            let state = try await database.transaction { tx in
                // Its records are added up once more: nobody waits for that.
                _ = try tx.execute("set local statement_timeout = '10min'")
                return try tx.queryOne("select usage_event_drop($1::text::date) as state", day)?.get(
                    "state", as: String.self)
            }
            if state == "dropped" { dropped += 1 }
        }
        return dropped
    }

    private static func repeated(
        _ database: Database, _ body: @escaping @Sendable (inout Transaction) throws -> Int
    ) async throws -> Int {
        var total = 0
        for _ in 0..<Self.transactions {
            let gone = try await database.transaction(.readWrite, body)
            total += gone
            if gone < Self.limit { break }
        }
        return total
    }
}

/// The endpoints of retention.
package enum RetentionRoutes {
    package static func endpoints(_ keeping: UsageKeeping) -> [Endpoint] {
        [
            Endpoint(
                .get, "/v1/usage/retention", "usage_retention.get", "Read how long usage is kept",
                auth: .instance(.usageRead), success: .json(UsageRetention.schema)
            ) { _ in
                let retention = try await keeping.get()
                return .resource(retention.json, revision: retention.revision)
            },
            Endpoint(
                .patch, "/v1/usage/retention", "usage_retention.update", "Change how long usage is kept",
                auth: .instance(.usageRetentionUpdate), body: .json(UsageRetention.patchSchema),
                success: .json(UsageRetention.schema)
            ) { call in
                let changed = try await keeping.update(call.body, ifMatch: try call.ifMatch(), as: call.context)
                return .resource(changed.value.json, revision: changed.value.revision).audited(changed.receipts)
            },
        ]
    }
}
