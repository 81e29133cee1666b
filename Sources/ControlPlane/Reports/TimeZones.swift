package import Postgres
package import Shared
import Synchronization

/// Time zones as the database knows them, by their IANA names.
final class TimeZones: Sendable {
    private let known = Mutex<Set<String>?>(nil)

    init() {}

    /// Refuses what is no name of a zone: abbreviations and offsets are none, since they know no daylight saving time.
    ///
    /// - Parameter pointer: where in the request the name stands.
    func check(_ name: String, at pointer: String = "time_zone", _ tx: inout Transaction) throws {
        if name == "UTC" { return }
        let names = try self.names(&tx)
        guard names.contains(name) else {
            throw ControlError(
                .invalid, "invalid_time_zone",
                "There is no time zone '\(name.prefix(64))': an IANA name is needed, as Europe/Berlin.",
                pointer: pointer
            )
        }
    }

    /// Looked up once: the server reads hundreds of files for it.
    private func names(_ tx: inout Transaction) throws -> Set<String> {
        if let known = self.known.withLock({ $0 }) { return known }
        var names: Set<String> = []
        let rows = try tx.query(
            "select name from pg_timezone_names where name ~ '^[A-Z]' and name <> 'Factory'"
        )
        for row in rows { names.insert(try row.get("name")) }
        self.known.withLock { $0 = names }
        return names
    }
}

/// The period of a report and where its buckets begin, in a time zone.
package struct TimeGrid: Sendable {
    package let from: Timestamp
    package let to: Timestamp
    /// Where buckets begin, in order, the first at or before `from`; nil without buckets.
    package let boundaries: [Timestamp]?

    /// Where bucket `number` (from 1 on) begins and ends.
    package func bounds(of number: Int64) -> (from: Timestamp, to: Timestamp)? {
        guard let boundaries, boundaries.indices.contains(Int(number - 1)) else { return nil }
        let index = Int(number - 1)
        return (boundaries[index], index + 1 < boundaries.count ? boundaries[index + 1] : self.end)
    }

    /// The end of the last bucket.
    private let end: Timestamp

    /// - Parameter query: one whose time zone is known to be one.
    package static func make(
        _ tx: inout Transaction, _ query: ReportQuery, now: Timestamp
    ) throws -> TimeGrid {
        let (from, to) = try self.period(&tx, query, now: now)
        guard let bucket = query.bucket else {
            return TimeGrid(from: from, to: to, boundaries: nil, end: to)
        }
        let starts = try self.starts(&tx, bucket, from, to, query.timeZone)
        var boundaries = starts.filter { $0 < to }
        // Whatever a zone does, there is no time before the first bucket.
        if boundaries.first ?? to > from { boundaries.insert(from, at: 0) }
        return TimeGrid(from: from, to: to, boundaries: boundaries, end: starts.first { $0 >= to } ?? to)
    }

    private static func period(
        _ tx: inout Transaction, _ query: ReportQuery, now: Timestamp
    ) throws -> (Timestamp, Timestamp) {
        if let cursor = query.cursor { return (cursor.from, cursor.to) }
        let minute = Timestamp(microseconds: (now.microseconds / 60_000_000 + 1) * 60_000_000)
        let to = try query.to.map { try self.instant(&tx, $0, query.timeZone) } ?? minute
        let from =
            try query.from.map { try self.instant(&tx, $0, query.timeZone) }
            ?? self.start(&tx, query.bucket, before: to, query.timeZone)
        guard from < to else {
            throw ControlError(.invalid, "invalid_parameter", "'from' must be before 'to'.", pointer: "from")
        }
        return (from, to)
    }

    /// The default beginning: a whole minute, hour or day of the zone.
    private static func start(
        _ tx: inout Transaction, _ bucket: ReportBucket?, before to: Timestamp, _ zone: String
    ) throws -> Timestamp {
        let start = to.adding(seconds: -(bucket?.defaultSeconds ?? 31 * 86_400))
        var row: Row?
        if let bucket, bucket == .minute || bucket == .hour {
            row = try tx.queryOne(
                "select date_trunc($1::text, $2::timestamptz, $3::text) as at", bucket.rawValue, start, zone)
        } else {
            let local: SQL = "date_trunc('day', $1::timestamptz at time zone $2::text)"
            row = try tx.queryOne("select " + Self.first(local, zone: "$2") + " as at", start, zone)
        }
        return try row?.get("at") ?? start
    }

    /// The first instant at which clocks of a zone show a local time.
    ///
    /// There are two where clocks are put back (at midnight in Havana): PostgreSQL takes the second. Where they skip the
    /// time, it is the instant at which they do.
    private static func first(_ local: SQL, zone: SQL) -> SQL {
        let instant: SQL = "(" + local + ") at time zone " + zone + "::text"
        return "coalesce((select min(" + instant
            + " - b) from unnest(array['0', '30 minutes', '1 hour', '2 hours']::interval[]) b where (" + instant
            + " - b) at time zone " + zone + "::text = " + local + "), " + instant + ")"
    }

    private static func instant(_ tx: inout Transaction, _ text: String, _ zone: String) throws -> Timestamp {
        if let instant = Timestamp(text) { return instant }
        let row = try tx.queryOne(
            "select " + Self.first("($1::text)::date::timestamp", zone: "$2") + " as at", text, zone)
        guard let at: Timestamp = try row?.get("at") else {
            throw ControlError(.invalid, "invalid_parameter", "The value is no day.", pointer: "from")
        }
        return at
    }

    private static func starts(
        _ tx: inout Transaction, _ bucket: ReportBucket, _ from: Timestamp, _ to: Timestamp, _ zone: String
    ) throws -> [Timestamp] {
        let seconds: Int64 =
            switch bucket {
            case .minute: 60
            case .hour: 3600
            case .day: 86_400
            case .month: 28 * 86_400
            }
        guard (to.seconds - from.seconds) / seconds <= Int64(bucket.limit) else {
            throw ControlError(
                .invalid, "too_many_buckets",
                "From 'from' to 'to' are more than \(bucket.limit) times one \(bucket.rawValue): ask for less at once.",
                pointer: "bucket"
            )
        }
        switch bucket {
        case .minute:
            return stride(from: from.microseconds, through: to.microseconds, by: 60_000_000).map {
                Timestamp(microseconds: $0)
            }
        case .hour:
            // By quarters of an hour: no zone is off by anything else, and where the clock is put back there are two.
            return try tx.query(
                """
                select distinct date_trunc('hour', t, $3::text) as at
                from generate_series($1::timestamptz, $2::timestamptz + interval '1 hour', interval '15 minutes') t
                order by 1
                """, from, to, zone
            ).map { try $0.get("at") }
        case .day, .month:
            return try tx.query(
                "select distinct " + Self.first("l", zone: "$3") + """
                         as at from generate_series(date_trunc($4::text, $1::timestamptz at time zone $3),
                        ($2::timestamptz at time zone $3) + ('1 ' || $4)::interval, ('1 ' || $4)::interval) l
                    order by 1
                    """, from, to, zone, bucket.rawValue
            ).map { try $0.get("at") }
        }
    }

    private init(from: Timestamp, to: Timestamp, boundaries: [Timestamp]?, end: Timestamp) {
        self.from = from
        self.to = to
        self.boundaries = boundaries
        self.end = end
    }
}
