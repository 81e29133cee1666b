import Postgres
import Shared

/// The SQL of time zones' offsets, as the database's own time zone files have them.
enum ZoneOffsetStore {
    /// Days around now that offsets are looked up for: windows of a year, their predecessors, and room to come.
    private static let days: Int64 = 1200
    /// Days before the end of what is known at which it is looked up anew.
    private static let renewalDays: Int64 = 400

    /// Makes a zone known; its name must have been checked.
    static func ensure(_ zone: String, at now: Timestamp, _ tx: inout Transaction) throws {
        let known = try tx.queryOne("select zone from zone_offset where zone = $1", zone)
        if known == nil { try Self.lookUp(zone, at: now, &tx) }
    }

    /// Looks zones up anew that are known for less than a year ahead.
    ///
    /// - Returns: how many.
    static func renew(at now: Timestamp, _ tx: inout Transaction) throws -> Int {
        let zones: [String] = try tx.query(
            "select zone from zone_offset where known_until < $1 order by zone for update skip locked limit 20",
            now.adding(seconds: Self.renewalDays * 86_400)
        ).map { try $0.get("zone") }
        for zone in zones { try Self.lookUp(zone, at: now, &tx) }
        return zones.count
    }

    private static func lookUp(_ zone: String, at now: Timestamp, _ tx: inout Transaction) throws {
        let quarter: Int64 = 900
        let start = max(0, now.seconds / quarter * quarter - Self.days * 86_400)
        let end = now.seconds / quarter * quarter + Self.days * 86_400
        let rows = try tx.query(
            """
            select since, zone_offset from (
                select extract(epoch from t)::bigint as since,
                    extract(epoch from (t at time zone $1) - (t at time zone 'UTC'))::bigint as zone_offset,
                    lag(extract(epoch from (t at time zone $1) - (t at time zone 'UTC'))::bigint) over (order by t)
                        as before
                from generate_series($2::timestamptz, $3::timestamptz, interval '15 minutes') t) as sample
            where before is distinct from zone_offset order by since limit 65
            """, zone, Timestamp(microseconds: start * 1_000_000), Timestamp(microseconds: end * 1_000_000)
        )
        let entries = try rows.map { row in
            ZoneOffsets.Entry(
                since: try row.get("since"), offset: Int32(clamping: try row.get("zone_offset", as: Int64.self)))
        }
        guard ZoneOffsets(entries) != nil else {
            throw ControlError(
                .unprocessable, "time_zone_not_usable", "The clocks of '\(zone)' change too often for budgets.",
                pointer: "/time_zone")
        }
        _ = try tx.execute(
            """
            insert into zone_offset (zone, since, offsets, known_until) values ($1, $2, $3, $4)
            on conflict (zone) do update set since = excluded.since, offsets = excluded.offsets,
                known_until = excluded.known_until
            """, zone, entries.map(\.since), entries.map { Int64($0.offset) },
            Timestamp(microseconds: end * 1_000_000)
        )
    }

    /// The offsets of a row with `since` and `offsets`.
    static func offsets(_ row: Row) throws -> ZoneOffsets {
        let since: [Int64] = try row.get("since")
        let offsets: [Int64] = try row.get("offsets")
        let entries = zip(since, offsets).map { ZoneOffsets.Entry(since: $0, offset: Int32(clamping: $1)) }
        guard let zone = ZoneOffsets(entries) else { throw PublishingFailure("a time zone's offsets are damaged") }
        return zone
    }
}
