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

    /// Two accounts; the second is the one that goes wrong.
    private static let accounts: SQL = """
        with organization as (
            insert into scope_node (id, kind, organization_id, name)
            values (md5('o')::uuid, 'organization', md5('o')::uuid, 'o') returning id),
        budget as (
            insert into budget (id, organization_id, node_id, name, amount_nano_usd, period, time_zone, hard, away,
                carry_over, status)
            select md5('b' || n)::uuid, id, id, 'b', 1000, 'hour', 'UTC', true, 'deny', false, 'active'
            from organization, generate_series(1, 2) n returning id),
        account as (insert into budget_account (budget_id, start_minute) select id, 60 from budget returning id)
        insert into budget_lease (account_id, gateway_id, process, granted, returned, posted, settled, renewed_at)
        select id, md5('g' || n)::uuid, 1, 10 * n, n, 5, 7, now() from account, generate_series(1, 3) n
        """

    @Test func `an account whose sums are not those of its leases is named, until they are`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await self.check(plane).holds)
            try await self.execute(plane, Self.accounts)
            #expect(try await self.check(plane, after: 60).holds)
            let steps: [(harm: SQL, repair: SQL)] = [
                (
                    "update budget_account set held = held - 1 where budget_id = md5('b2')::uuid",
                    "update budget_account set held = held + 1 where budget_id = md5('b2')::uuid"
                ),
                (
                    """
                    update budget_lease set granted = granted + 1, summed = summed + 1 where process = 1
                    and account_id = (select id from budget_account where budget_id = md5('b2')::uuid)
                    """,
                    "update budget_account set held = held + 3 where budget_id = md5('b2')::uuid"
                ),
                (
                    "insert into budget_account_spent select id, 1 from budget_account where budget_id = md5('b2')::uuid",
                    "update budget_account_spent set settled = settled - 1"
                ),
            ]
            for (number, step) in steps.enumerated() {
                let at = Int64(number + 2) * 100
                try await self.execute(plane, step.harm)
                let check = try await self.check(plane, after: at)
                #expect(!check.holds && check.identities.holds, "\(number)")
                #expect(check.accounts.differences.count == 1)
                // It is said again for as long as it is so.
                #expect(try await self.check(plane, after: at + 10).holds == false)
                let named = try await plane.send("GET", "/v1/ledger/identities")
                let budget = try await plane.database.database.transaction(.readOnly) { tx in
                    try tx.query("select md5('b2')::uuid as id")[0].get("id", as: BudgetID.self)
                }
                #expect(named["holds"] == false)
                let accounts = named["budget_accounts_differing"]?.array ?? []
                #expect(accounts.map { $0["budget"]?.string } == [budget.description])
                #expect(accounts.first?["window_starts_at"] == "1970-01-01T01:00:00.000000Z")
                if number == 0 {
                    // 9 + 18 + 27 are held.
                    #expect(accounts.first?["held_nano_usd"] == "53" && accounts.first?["leases_held_nano_usd"] == "54")
                }
                try await self.execute(plane, step.repair)
                #expect(try await self.check(plane, after: at + 20).holds, "\(number)")
            }
        }
    }

    @Test func `accounts are compared so many at a time, and all once a day`() async throws {
        try await TestControlPlane.with { plane in
            #expect(try await self.check(plane).holds)
            try await self.execute(plane, Self.accounts)
            try await self.execute(
                plane,
                """
                insert into budget_account (budget_id, start_minute)
                select md5('b1')::uuid, n from generate_series(100, 2200) n
                """)
            try await self.execute(plane, "update budget_account set held = 1 where start_minute = 2200")
            // The first two thousand of them hold; the next minute comes to the last one.
            #expect(try await self.check(plane, after: 60).holds)
            #expect(try await self.check(plane, after: 120).holds == false)
            #expect(try await self.check(plane, after: 180).holds == false)
            try await self.execute(plane, "update budget_account set held = 0 where start_minute = 2200")
            #expect(try await self.check(plane, after: 240).holds)
            try await self.execute(plane, "update budget_account set held = 1 where start_minute > 2150")
            let whole = try await self.check(plane, after: 90_000)
            #expect(!whole.holds && whole.accounts.differences.count == 20)
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
