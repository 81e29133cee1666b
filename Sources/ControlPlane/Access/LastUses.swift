import Postgres
import Shared

/// Writes when things were last used, of whatever table has `last_used_at`.
enum LastUses {
    /// - Returns: how many were used.
    static func write<Kind>(
        _ uses: [Identifier<Kind>: Timestamp], to table: SQL, of database: Database
    ) async throws -> Int {
        guard !uses.isEmpty else { return 0 }
        let entries = uses.sorted { $0.key < $1.key }
        let (ids, times) = (entries.map { SQLUUID($0.key) }, entries.map(\.value.microseconds))
        return try await database.transaction { tx in
            // In one order, so that two processes do not wait for each other.
            Int(
                try tx.execute(
                    "update " + table + """
                         t set last_used_at = w.at from (
                            select u.id, timestamptz 'epoch' + u.at * interval '1 microsecond' as at
                            from unnest($1::uuid[], $2::bigint[]) as u (id, at) join
                        """ + " " + table + """
                             k on k.id = u.id
                                order by k.id for update of k) as w
                            where t.id = w.id and (t.last_used_at is null or t.last_used_at < w.at)
                            """, ids, times))
        }
    }
}
