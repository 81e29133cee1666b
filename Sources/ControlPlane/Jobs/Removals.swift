package import Postgres

/// Rows that nobody needs any more; so many at a time, so that nothing waits for it.
package enum Removals {
    /// Most rows of a kind in one round.
    package static let limit: Int64 = 5000
    /// Snapshots of each group whose rows are kept.
    package static let snapshotsKept: Int64 = 1000

    /// - Returns: how many rows went, by table.
    package static func run(
        _ tx: inout Transaction, limit: Int64 = Self.limit, snapshotsKept: Int64 = Self.snapshotsKept
    ) throws -> [String: Int] {
        var removed: [String: Int] = [:]
        // A repeated request is answered from its row for a day.
        removed["idempotency_key"] = try tx.execute(
            """
            delete from idempotency_key where ctid = any (array(
                select ctid from idempotency_key where created_at < now() - interval '24 hours'
                order by created_at limit $1))
            """, limit
        )
        removed["join_token"] = try tx.execute(
            """
            delete from join_token where id = any (array(
                select id from join_token where least(used_at, expires_at) < now() - interval '30 days' limit $1))
            """, limit
        )
        // Which snapshot a gateway that was long away serves stays known.
        removed["snapshot"] = try tx.execute(
            """
            delete from snapshot where ctid = any (array(
                select s.ctid from gateway_group m
                join lateral (
                    select n.epoch, n.version from snapshot n where n.group_id = m.id
                    order by n.epoch desc, n.version desc offset $2 limit 1) oldest on true
                join snapshot s on s.group_id = m.id and (s.epoch, s.version) <= (oldest.epoch, oldest.version)
                where not exists (
                    select from gateway_status r join gateway g on g.id = r.gateway_id
                    where g.group_id = s.group_id and r.epoch = s.epoch and r.version = s.version)
                limit $1))
            """, limit, snapshotsKept
        )
        return removed
    }
}
