package import Postgres

/// Rows of what decided on access and was removed long ago.
///
/// Processes that hold a partition in memory read what changed since, removals included. Whoever still holds it from before
/// these rows went is told by `access_head.purges`, and reads all of it again.
package enum AccessRemovals {
    /// Most rows of a kind in one round.
    package static let limit: Int64 = 5000

    private static let tables: [(name: String, table: SQL)] = [
        ("group_member", "group_member"), ("role_binding", "role_binding"), ("deny_rule", "deny_rule"),
        ("duty_separation", "duty_separation"), ("role", "role"),
    ]

    /// Deletes what was removed a day ago; of a partition where some of that is an hour older, so that processes need not
    /// read it anew all the time.
    ///
    /// - Returns: how many rows went, by table.
    package static func run(_ tx: inout Transaction, limit: Int64 = Self.limit) throws -> [String: Int] {
        var due: Set<SQLUUID> = []
        for (_, table) in Self.tables {
            let rows = try tx.query(
                "select distinct partition from (select access_partition(organization_id) as partition from " + table
                    + " where deleted_at < now() - interval '25 hours' order by deleted_at limit $1) d", limit)
            for row in rows { due.insert(try row.get("partition")) }
        }
        guard !due.isEmpty else { return [:] }
        let partitions = Array(due)
        // Held first and in one order, like everything that changes them.
        _ = try tx.query(
            "select from access_head where partition_id = any($1) order by partition_id for update", partitions)
        var removed: [String: Int] = [:]
        for (name, table) in Self.tables {
            removed[name] = try tx.execute(
                "delete from " + table + " where ctid = any (array(select ctid from " + table
                    + " where deleted_at < now() - interval '24 hours' and access_partition(organization_id) = any($1)"
                    + " order by deleted_at limit $2))", partitions, limit)
        }
        _ = try tx.execute("update access_head set purges = purges + 1 where partition_id = any($1)", partitions)
        return removed
    }
}
