import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct RollupTests {
    /// Records with few different dimensions, which began in the last two days or so.
    private func records(_ fleet: TestFleet, _ count: Int, _ random: inout SeededRandom) throws -> [UsageRecord] {
        let keys = (1...3).map { VirtualKeyID(UUIDValue(high: 7, low: $0)) }
        return try (0..<count).map { _ in
            var record = try fleet.record()
            record.key = keys[Int.random(in: 0..<3, using: &random)]
            record.owner = Bool.random(using: &random) ? UUIDValue(high: 8, low: 1) : nil
            record.model = Bool.random(using: &random) ? ModelID(UUIDValue(high: 9, low: 1)) : nil
            record.provider = record.model.map { _ in ProviderID(UUIDValue(high: 9, low: 2)) }
            record.status = [200, 429, 500][Int.random(in: 0..<3, using: &random)]
            record.outcome = record.status == 429 ? .refused : .completed
            record.isEstimate = Int.random(in: 0..<10, using: &random) == 0
            record.started = fleet.clock.now.adding(seconds: -Int64.random(in: 0..<180_000, using: &random) / 50 * 50)
            for meter in Meter.allCases { record.counters[meter] = Int64.random(in: 0..<1000, using: &random) }
            record.cost = NanoUSD(Int64.random(in: 0..<1_000_000, using: &random))
            return record
        }
    }

    private func fold(_ fleet: TestFleet, records: Int64) async throws -> Int64? {
        try await fleet.plane.services.database.transaction { tx in try Rollups.fold(&tx, records: records)?.records }
    }

    /// Rows of a level that the records do not make, and those of the records that it lacks.
    private func differences(_ fleet: TestFleet, _ level: UsageLevel) async throws -> Int64 {
        let meters = Meter.allCases.map { SQL(identifier: $0.name) }
        let sums = meters.reduce("" as SQL) { $0 + ", sum(" + $1 + ")" }
        let columns = meters.reduce("" as SQL) { $0 + ", " + $1 }
        let nobody: SQL = "'00000000-0000-0000-0000-000000000000'"
        let text: SQL =
            "with expected as (select date_bin(make_interval(secs => $1::bigint), started_at, timestamptz 'epoch'),"
            + " organization_id, project_id, key_id,"
            + " coalesce(owner_id, " + nobody + "), coalesce(model_id, " + nobody + "), coalesce(provider_id, "
            + nobody + "), gateway_id, outcome, status, count(*), count(*) filter (where outcome = 2),"
            + " count(*) filter (where estimate)" + sums + ", sum(cost_nano_usd) from usage_event"
            + " group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), found as (select starts_at, organization_id, project_id, key_id,"
            + " owner_id, model_id, provider_id, gateway_id, outcome, status, requests, refusals, estimates" + columns
            + ", cost_nano_usd from " + level.table + " l join usage_series s on s.id = l.series_id)"
            + " select (select count(*) from (select * from expected except all select * from found) a)"
            + " + (select count(*) from (select * from found except all select * from expected) b) as n"
        return try await fleet.plane.database.database.transaction(.readOnly) { tx in
            try tx.query(text, level.seconds)[0].get("n")
        }
    }

    @Test func `each record is in every level once, in the minute of its start`() async throws {
        let seeded = SeededRandom("roll-ups")
        try await TestFleet.with { fleet in
            let gateways = [try await fleet.enrol(), try await fleet.enrol()]
            let streams: [UsageStreamID] = [TimeSource.system.newID(), TimeSource.system.newID()]
            var next = [1, 1]
            var random = seeded
            for _ in 0..<12 {
                let which = Int.random(in: 0..<2, using: &random)
                let records = try self.records(fleet, Int.random(in: 1...60, using: &random), &random)
                let batch = UsageBatch(
                    gateway: gateways[which].gateway, stream: streams[which], from: next[which], records: records)
                next[which] += records.count
                #expect(try await fleet.deliver(gateways[which], batch) == (200, next[which] - 1))
                // Again, as after a reply that was lost.
                #expect(try await fleet.deliver(gateways[which], batch) == (200, next[which] - 1))
                if Bool.random(using: &random) { _ = try await self.fold(fleet, records: 20) }
                fleet.clock.advance(seconds: 7)
            }
            // A batch is folded whole, and rounds go on until nothing waits.
            while let folded = try await self.fold(fleet, records: 50) { #expect(folded > 0) }
            for level in UsageLevel.allCases {
                #expect(try await self.differences(fleet, level) == 0, "\(level)")
            }
            let now = fleet.clock.now
            let check = try await fleet.plane.services.database.transaction(.repeatableReadWrite) { tx in
                try LedgerCheck.run(&tx, now: now)
            }
            #expect(check.holds)
            #expect(check.identities.events == Int64(next[0] + next[1] - 2))
            #expect(check.identities.unfolded == .init())
        }
    }

    @Test func `what waits to be folded is part of the ledger`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let batch = try fleet.batch(gateway, TimeSource.system.newID(), from: 1, count: 4)
            #expect(try await fleet.deliver(gateway, batch) == (200, 4))
            let now = fleet.clock.now
            let before = try await fleet.plane.services.database.transaction(.repeatableReadWrite) { tx in
                try LedgerCheck.run(&tx, now: now)
            }
            #expect(before.holds)
            #expect(before.identities.unfolded.records == 4)
            #expect(before.identities.levels[.day] == .init())
            let rollups = Rollups(database: fleet.plane.services.database, logger: TestPostgres.logger)
            try await rollups.foldAll()
            #expect(rollups.figures.folded == 4)
            #expect(rollups.figures.waiting == 0)
            #expect(try await fleet.plane.count("usage_unfolded") == 0)
        }
    }

    @Test func `one replica folds at a time`() async throws {
        try await TestFleet.with { fleet in
            let gateway = try await fleet.enrol()
            let batch = try fleet.batch(gateway, TimeSource.system.newID(), from: 1, count: 4)
            #expect(try await fleet.deliver(gateway, batch) == (200, 4))
            let other = AdvisoryLock(config: fleet.plane.database.config, logger: TestPostgres.logger)
            let held = try #require(try await other.tryAcquire(Rollups.lockKey))
            #expect(try await self.fold(fleet, records: 10) == nil)
            #expect(try await fleet.plane.count("usage_unfolded") == 1)
            await held.release()
            #expect(try await self.fold(fleet, records: 10) == 4)
            #expect(try await self.fold(fleet, records: 10) == nil)
            #expect(try await self.differences(fleet, .minute) == 0)
        }
    }
}
