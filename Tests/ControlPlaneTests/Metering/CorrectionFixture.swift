import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// Usage of ten days of one model that was charged, to be re-rated; and what its sums have to be.
struct CorrectionFixture: Sendable {
    let base: ReportFixture
    let price: PriceID
    let gateway: TestFleet.Process
    let stream: UsageStreamID = TimeSource.system.newID()
    /// The first instant of usage, and after the last one.
    let range: Range<Int64>

    var plane: TestControlPlane { self.base.fleet.plane }
    var now: Timestamp { self.base.fleet.clock.now }
    static let day: Int64 = 86_400

    static func with(_ body: (CorrectionFixture) async throws -> Void) async throws {
        try await ReportFixture.with { base in
            let now = base.fleet.clock.now.seconds
            let first = try await Self.price(base, "1000", at: now - 20 * Self.day)
            try await body(
                CorrectionFixture(
                    base: base, price: try #require(PriceID(first)), gateway: try await base.fleet.enrol(),
                    range: now - 10 * Self.day..<now))
        }
    }

    private static func price(_ base: ReportFixture, _ dollars: String, at seconds: Int64) async throws -> String {
        try await base.fleet.plane.make(
            "/v1/prices",
            [
                "model": JSONValue(base.model),
                "effective_at": .string(Timestamp(microseconds: seconds * 1_000_000).description),
                "items": [["meter": "input", "usd_per_million": .string(dollars)]],
            ]
        ).id
    }

    /// Another price from then on.
    func setPrice(_ dollars: String, at seconds: Int64) async throws {
        _ = try await Self.price(self.base, dollars, at: seconds)
    }

    /// One that was charged at the first price: a thousandth of a dollar for a token.
    func record(_ which: Int, at seconds: Int64, input: Int64 = 5) -> UsageRecord {
        var record = self.base.record(which, at: Timestamp(microseconds: seconds * 1_000_000), cost: input * 1_000_000)
        record.price = self.price
        (record.counters.input, record.counters.output) = (input, 0)
        return record
    }

    func random(_ count: Int, _ random: inout SeededRandom) -> [UsageRecord] {
        (0..<count).map { _ in
            // Few minutes, so that rows have several records.
            let at =
                Int64.random(in: self.range, using: &random) / 7200 * 7200 + 60
                * Int64.random(in: 0..<2, using: &random)
            var record = self.record(
                Int.random(in: 0...1, using: &random), at: at, input: Int64.random(in: 0..<100, using: &random))
            if Bool.random(using: &random) { record.owner = UUIDValue(high: 5, low: 5) }
            if Int.random(in: 0..<6, using: &random) == 0 { record.status = 500 }
            if Int.random(in: 0..<6, using: &random) == 0 { (record.price, record.cost) = (nil, .zero) }
            return record
        }
    }

    /// Stores a batch that begins after so many records, and does not fold it.
    func deliver(_ records: [UsageRecord], after count: Int) async throws {
        let batch = UsageBatch(
            gateway: self.gateway.gateway, stream: self.stream, from: count + 1, records: records)
        #expect(try await self.base.fleet.deliver(self.gateway, batch) == (200, count + records.count))
    }

    /// Stores records of two owners, one after the other over the ten days, without a gateway; 1000 arrive at once.
    func insert(_ count: Int64, after: Int64) async throws {
        let (stream, now, first) = (self.stream, self.now, Timestamp(microseconds: self.range.lowerBound * 1_000_000))
        let (base, price, gateway) = (self.base, self.price, self.gateway.gateway)
        try await self.plane.database.database.transaction { tx in
            _ = try tx.execute(
                """
                insert into usage_stream (id, gateway_id, last_seq) values ($1, $2, $3)
                on conflict (id) do update set last_seq = excluded.last_seq
                """, stream, gateway, after + count)
            _ = try tx.execute(
                """
                insert into usage_event select $1::timestamptz + (n - 1) / 1000 * interval '1 second', $2, n,
                    gen_random_uuid(), $3, $4, $5, $6, case when n % 2 = 0 then md5('i')::uuid end, null, $7, $8, $9, 0,
                    $10::timestamptz + n % 50000 * interval '17 seconds', 1000, 10, 200, 1, true, false, 1, 1, 1, '', 5, 0, 0,
                    0, 0, 0, 0, 0, 0, 1, 5000000, 5000000
                from generate_series($11::bigint + 1, $11::bigint + $12::bigint) n
                """, now, stream, gateway, OrganizationID(base.fleet.organization), base.projects[0], base.keys[0],
                base.model, base.provider, price, first, after, count)
            _ = try tx.execute(
                """
                insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
                select stream_id, min(seq), max(seq), ingested_at, count(*), sum(cost_nano_usd) from usage_event
                where stream_id = $1 and seq > $2 group by stream_id, ingested_at
                """, stream, after)
        }
    }

    /// Everything that waits, as by one replica.
    func fold() async throws {
        try await Rollups(database: self.plane.services.database, logger: TestPostgres.logger).foldAll()
    }

    func rerate(_ range: Range<Int64>? = nil) async throws -> TestControlPlane.Reply {
        let reply = try await self.send(range ?? self.range)
        try #require(reply.status == 201, "\(reply.json.text)")
        return reply
    }

    func send(_ range: Range<Int64>) async throws -> TestControlPlane.Reply {
        try await self.plane.send(
            "POST", "/v1/reratings",
            [
                "model": JSONValue(self.base.model),
                "from": .string(Timestamp(microseconds: range.lowerBound * 1_000_000).description),
                "to": .string(Timestamp(microseconds: range.upperBound * 1_000_000).description),
            ])
    }

    func check(after seconds: Int64 = 0) async throws -> LedgerCheck {
        let now = self.now.adding(seconds: seconds)
        return try await self.plane.services.database.transaction(.repeatableReadWrite) { tx in
            try LedgerCheck.run(&tx, now: now)
        }
    }

    func execute(_ sql: SQL) async throws {
        _ = try await self.plane.database.database.transaction { tx in try tx.execute(sql) }
    }

    func number(_ sql: SQL) async throws -> Int64 {
        try await self.plane.database.database.transaction(.readOnly) { tx in
            try tx.queryOne("select (" + sql + ")::bigint as n")?.get("n") ?? 0
        }
    }

    /// What all records cost by now, by the newest correction of each.
    func naiveCost() async throws -> Int64 {
        try await self.number(
            """
            select coalesce(sum(coalesce((select c.after_nano_usd from usage_correction c where c.stream_id = e.stream_id
                and c.seq = e.seq order by c.number desc limit 1), e.cost_nano_usd)), 0) from usage_event e
            """)
    }

    /// Rows of a level whose money the records and the newest corrections do not make, and those that it lacks.
    func differences(_ level: UsageLevel) async throws -> Int64 {
        let same: SQL = """
            e.organization_id, e.project_id, e.key_id, coalesce(e.owner_id::text, ''), coalesce(e.model_id::text, ''),
            coalesce(e.provider_id::text, ''), e.gateway_id, e.outcome, e.status
            """
        let text: SQL =
            "with expected as (select date_bin(make_interval(secs => $1::bigint), e.started_at, timestamptz 'epoch'), "
            + same
                + """
                , count(*), sum(e.cost_nano_usd), sum(coalesce((select c.after_nano_usd from usage_correction c
                    where c.stream_id = e.stream_id and c.seq = e.seq order by c.number desc limit 1), e.cost_nano_usd))
                from usage_event e group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), found as (select l.starts_at, organization_id,
                    project_id, key_id, replace(owner_id::text, '00000000-0000-0000-0000-000000000000', ''),
                    replace(model_id::text, '00000000-0000-0000-0000-000000000000', ''),
                    replace(provider_id::text, '00000000-0000-0000-0000-000000000000', ''), gateway_id, outcome, status,
                    requests, cost_nano_usd, cost_nano_usd + corrections_nano_usd from
                """ + " " + level.table
                + """
                 l join usage_series s on s.id = l.series_id)
                select (select count(*) from (select * from expected except all select * from found) a)
                    + (select count(*) from (select * from found except all select * from expected) b) as n
                """
        return try await self.plane.database.database.transaction(.readOnly) { tx in
            try tx.query(text, level.seconds)[0].get("n")
        }
    }
}
