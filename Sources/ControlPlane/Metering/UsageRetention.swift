import Postgres
package import Shared

/// How long usage is kept, in whole days (UTC) besides today; nil keeps for ever.
package struct UsageRetention: Sendable, Equatable, Audited {
    /// Records, and the sums of each level.
    package var rawDays: Int64?
    package var levelDays: [UsageLevel: Int64]
    package var revision: Int64
    package var updatedAt: Timestamp

    /// What each may be: the ledger's quick check must not miss what goes.
    static let ranges: [(name: String, range: ClosedRange<Int64>)] = [
        ("raw_days", 2...36_500), ("minute_days", 2...36_500), ("hour_days", 7...36_500),
        ("quarter_day_days", 7...36_500), ("day_days", 31...36_500),
    ]

    init(_ row: Row) throws {
        func days(_ name: String) throws -> Int64? { try row.optional(name, as: Int32.self).map { Int64($0) } }
        self.rawDays = try days("raw_days")
        self.levelDays = [:]
        for level in UsageLevel.allCases { self.levelDays[level] = try days("\(level.rawValue)_days") }
        self.revision = try row.get("revision")
        self.updatedAt = try row.get("updated_at")
    }

    package func applying(_ patch: JSONValue, at time: Timestamp) -> UsageRetention {
        var result = self
        if let days = patch["raw_days"] { result.rawDays = days.integer }
        for level in UsageLevel.allCases {
            if let days = patch["\(level.rawValue)_days"] { result.levelDays[level] = days.integer }
        }
        result.revision += 1
        result.updatedAt = time
        return result
    }

    /// The first instant that is kept of a level; nil when all of it is.
    func cutoff(of level: UsageLevel, at now: Timestamp) -> Timestamp? {
        self.levelDays[level].map { Self.day(now, less: $0) }
    }

    /// The beginning of a day, so many days before today.
    static func day(_ now: Timestamp, less days: Int64) -> Timestamp {
        Timestamp(microseconds: (now.seconds / 86_400 - days) * 86_400_000_000)
    }

    package var auditState: JSONValue { self.json }

    package var json: JSONValue {
        func days(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
        var members: [String: JSONValue] = [
            "raw_days": days(self.rawDays), "revision": .integer(self.revision),
            "updated_at": JSONValue(self.updatedAt),
        ]
        for level in UsageLevel.allCases { members["\(level.rawValue)_days"] = days(self.levelDays[level]) }
        return .object(members)
    }

    private static let summary = "Days besides today (UTC) that it is kept; null for ever."

    package static let schema = Schema.named(
        "UsageRetention",
        .object(
            Self.ranges.map { .required($0.name, Schema.integer($0.range).orNull.described(Self.summary)) }
                + [.required("revision", .count), .required("updated_at", .timestamp)])
    )

    package static let patchSchema = Schema.object(
        Self.ranges.map { .optional($0.name, Schema.integer($0.range).orNull.described(Self.summary)) })
}

/// The SQL of retention.
enum UsageRetentionStore {
    static func fetch(_ tx: inout Transaction, forUpdate: Bool = false) throws -> UsageRetention {
        let row = try tx.queryOne(
            forUpdate ? "select * from usage_retention for update" : "select * from usage_retention")
        guard let row else { throw ControlError.notFound("setting") }
        return try UsageRetention(row)
    }

    static func save(_ retention: UsageRetention, _ tx: inout Transaction, _: borrowing Permit) throws {
        _ = try tx.execute(
            """
            update usage_retention set raw_days = $1::bigint, minute_days = $2::bigint, hour_days = $3::bigint,
                quarter_day_days = $4::bigint, day_days = $5::bigint, revision = $6, updated_at = $7
            """, retention.rawDays, retention.levelDays[.minute], retention.levelDays[.hour],
            retention.levelDays[.quarterDay], retention.levelDays[.day], retention.revision, retention.updatedAt
        )
    }

    /// What went, by level; records under nil.
    static func dropped(
        _ tx: inout Transaction
    ) throws -> [UsageLevel?: (before: Timestamp, sum: LedgerIdentities.Sum, mispriced: Int64)] {
        var result: [UsageLevel?: (before: Timestamp, sum: LedgerIdentities.Sum, mispriced: Int64)] = [:]
        for row in try tx.query("select * from usage_dropped") {
            let name: String = try row.get("level")
            guard let level = name == "raw" ? .some(nil) : UsageLevel(rawValue: name).map({ Optional($0) }) else {
                continue
            }
            result[level] = (
                try row.get("before"),
                .init(
                    records: try row.get("records"), cost: try row.get("cost_nano_usd"),
                    corrections: try row.get("corrections_nano_usd")), try row.get("mispriced")
            )
        }
        return result
    }

    /// Removes sums of before an instant, so many at a time, and notes what they were.
    static func drop(_ tx: inout Transaction, _ level: UsageLevel, before: Timestamp, limit: Int64) throws -> Int {
        let row = try tx.queryOne(
            "with gone as (delete from " + level.table + " l using (select series_id, starts_at from " + level.table
                + " where starts_at < $1 order by starts_at limit $2) old where l.series_id = old.series_id"
                + " and l.starts_at = old.starts_at returning l.requests, l.cost_nano_usd, l.corrections_nano_usd)"
                    + """
                     select count(*) as rows, coalesce(sum(requests), 0)::bigint as records,
                        coalesce(sum(cost_nano_usd), 0)::bigint as cost,
                        coalesce(sum(corrections_nano_usd), 0)::bigint as corrections from gone
                    """, before, limit)
        guard let row, case let rows:Int64 = try row.get("rows"), rows > 0 else { return 0 }
        try self.note(
            &tx, level.rawValue, before: before,
            .init(
                records: try row.get("records"), cost: try row.get("cost"), corrections: try row.get("corrections")))
        return Int(rows)
    }

    /// Removes records of before an instant that have no partition of their own, when all of them are in the sums.
    static func dropDefault(_ tx: inout Transaction, before: Timestamp, limit: Int64) throws -> Int {
        let row = try tx.queryOne(
            """
            with gone as (
                delete from usage_event_default where ctid = any (array(
                    select ctid from usage_event_default where ingested_at < $1
                        and not exists (select from usage_unfolded where ingested_at < $1) limit $2))
                returning cost_nano_usd, cost_nano_usd <> checked_cost_nano_usd as mispriced)
            select count(*) as records, coalesce(sum(cost_nano_usd), 0)::bigint as cost,
                count(*) filter (where mispriced) as mispriced from gone
            """, before, limit)
        guard let row, case let records:Int64 = try row.get("records"), records > 0 else { return 0 }
        try self.note(
            &tx, "raw", before: before, .init(records: records, cost: try row.get("cost")),
            mispriced: try row.get("mispriced"))
        return Int(records)
    }

    private static func note(
        _ tx: inout Transaction, _ level: String, before: Timestamp, _ sum: LedgerIdentities.Sum, mispriced: Int64 = 0
    ) throws {
        _ = try tx.execute(
            """
            insert into usage_dropped as d (level, before, records, cost_nano_usd, mispriced, corrections_nano_usd)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (level) do update set before = greatest(d.before, excluded.before),
                records = d.records + excluded.records, cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd,
                mispriced = d.mispriced + excluded.mispriced,
                corrections_nano_usd = d.corrections_nano_usd + excluded.corrections_nano_usd
            """, level, before, sum.records, sum.cost, mispriced, sum.corrections
        )
    }
}
