import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct LedgerCheckTests {
    private static let noon = Timestamp(microseconds: 1_800_000_000_000_000)

    private func check(_ plane: TestControlPlane, after seconds: Int64 = 0) async throws -> LedgerCheck {
        let now = Self.noon.adding(seconds: seconds)
        return try await plane.services.database.transaction(.repeatableReadWrite) { tx in
            try LedgerCheck.run(&tx, now: now)
        }
    }

    private func add(_ plane: TestControlPlane, _ count: Int64, at seconds: Int64) async throws {
        try await plane.database.database.transaction { tx in
            try LedgerFixture.add(&tx, count, at: Self.noon.adding(seconds: seconds))
        }
    }

    private func execute(_ plane: TestControlPlane, _ sql: SQL) async throws {
        _ = try await plane.database.database.transaction { tx in try tx.execute(sql) }
    }

    @Test func `what is read in parts is what is read at once`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await self.check(plane).holds)
            try await self.add(plane, 10, at: -40 * 86_400)
            try await self.add(plane, 20, at: -7200)
            try await self.add(plane, 30, at: -60)
            // Forty days ago is behind what was closed: the quick check differs, so everything is read.
            var check = try await self.check(plane, after: 700)
            #expect(check.holds)
            #expect(check.identities.events == 60)
            #expect(check.identities.watermarks == 60)
            #expect(check.identities.eventCost == 60 * LedgerFixture.cost)
            for level in UsageLevel.allCases {
                #expect(check.identities.levels[level] == .init(records: 60, cost: 60 * LedgerFixture.cost))
            }
            let whole = check.wholeAt
            // Hours close as time passes, and nothing is counted twice or left out.
            for hour in 1...12 {
                try await self.add(plane, 5, at: Int64(hour) * 3600)
                check = try await self.check(plane, after: Int64(hour) * 3600 + 1)
                #expect(check.holds)
                #expect(check.identities.events == 60 + Int64(hour) * 5)
            }
            #expect(check.wholeAt == whole)
            let next = try await self.check(plane, after: 90_000)
            #expect(next.wholeAt != whole)
            #expect(next.identities == check.identities)
        }
    }

    @Test func `a lost record, a doubled one and a changed sum are seen`() async throws {
        try await TestControlPlane.with { plane in
            try await self.add(plane, 10, at: -7200)
            #expect(try await self.check(plane).holds)
            for (number, harm) in [
                ("delete from usage_event where seq = 3", "update usage_stream set last_seq = last_seq - 1"),
                ("update usage_minute set cost_nano_usd = cost_nano_usd + 1", nil),
                ("update usage_hour set cost_nano_usd = cost_nano_usd - 1", nil),
                ("update usage_quarter_day set cost_nano_usd = cost_nano_usd + 2", nil),
                ("update usage_day set requests = requests + 1", nil),
                ("insert into usage_event select * from usage_event where seq = 4", nil),
                (
                    """
                    insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
                    values (gen_random_uuid(), 1, 1, now(), 1, 8)
                    """, nil
                ),
            ].enumerated() as EnumeratedSequence<[(SQL, SQL?)]> {
                let at = Int64(number + 1) * 100_000
                try await self.execute(plane, harm.0)
                if let second = harm.1 { try await self.execute(plane, second) }
                #expect(try await self.check(plane, after: at).holds == false, "\(harm.0)")
                try await self.execute(plane, "delete from usage_unfolded where cost_nano_usd = 8")
                for level in UsageLevel.allCases {
                    try await self.execute(
                        plane,
                        "update " + level.table
                            + " set (requests, cost_nano_usd) = (select count(*), sum(cost_nano_usd) from usage_event)"
                    )
                }
                try await self.execute(plane, "update usage_stream set last_seq = (select count(*) from usage_event)")
                #expect(try await self.check(plane, after: at + 5000).holds)
            }
        }
    }

    @Test func `the last check can be asked for`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await plane.send("GET", "/v1/ledger/identities").status == 503)
            try await self.add(plane, 3, at: -60)
            _ = try await self.check(plane)
            let reply = try await plane.send("GET", "/v1/ledger/identities")
            #expect(reply.status == 200)
            #expect(reply["holds"] == true)
            #expect(reply["records"] == 3)
            #expect(reply["records_unfolded"] == 0)
            for level in UsageLevel.allCases {
                #expect(
                    reply["levels"]?[level.rawValue] == [
                        "records": 3, "nano_usd": "21", "corrections_nano_usd": "0",
                    ])
            }
        }
    }

    /// The plan on a table that is worth an index: what is closed is not read.
    @Test func `a check reads the open hours only`() async throws {
        try await TestControlPlane.with { plane in
            for hour in 1...20 { try await self.add(plane, 5000, at: -3600 * Int64(hour)) }
            try await self.execute(plane, "analyze usage_event")
            let plan = try await plane.services.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    explain (analyze, timing off, costs off) select count(*) from usage_event
                    where ingested_at >= '2027-01-15T06:30:00Z'
                    """
                ).map { try $0.get("QUERY PLAN", as: String.self) }.joined(separator: "\n")
            }
            #expect(plan.contains("Bitmap Index Scan"), "\(plan)")
        }
    }
}
