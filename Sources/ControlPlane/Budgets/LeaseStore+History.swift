import Postgres
import Shared

/// Lost commits: whether the database is the one that money was granted in.
extension LeaseStore {
    /// Whether the database is, since not long ago, another one or in another history than money was granted in before:
    /// after a fail-over to a copy that lacks the last commits, or a restore.
    ///
    /// It is seen by the server's system identifier and timeline. Found for the first time, it is noted.
    static func isFrozenHistory(at now: Timestamp, _ tx: inout Transaction) throws -> Bool {
        let row = try tx.queryOne(
            """
            select s.system_identifier::text as system, left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline,
                h.system_identifier as known_system, h.timeline as known_timeline, h.frozen_until
            from pg_control_system() s left join lease_history h on h.single
            """)
        guard let row else { return false }
        let system: String = try row.get("system")
        let timeline: String = try row.get("timeline")
        let known: String? = try row.optional("known_system")
        let knownTimeline: String? = try row.optional("known_timeline")
        if known == system, knownTimeline == timeline {
            let until: Timestamp? = try row.optional("frozen_until")
            return until.map { now < $0 } ?? false
        }
        let until = known == nil ? nil : now.adding(seconds: LeaseRules.freezeSeconds)
        _ = try tx.execute(
            """
            insert into lease_history (system_identifier, timeline, frozen_until) values ($1, $2, $3::timestamptz)
            on conflict (single) do update set system_identifier = excluded.system_identifier,
                timeline = excluded.timeline, frozen_until = excluded.frozen_until
            """, system, timeline, until)
        return until != nil
    }
}
