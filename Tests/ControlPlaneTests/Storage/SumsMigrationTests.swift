import ControlPlane
import Postgres
import Shared
import TestKit
import Testing

/// What was there before sums had corrections and quarters of a day.
@Suite(.timeLimit(.minutes(10))) struct SumsMigrationTests {
    private static let before = """
        insert into gateway_group (id, name) values (md5('g')::uuid, 'g');
        insert into gateway (id, group_id, name, identity_key, sealing_key)
        select md5('w')::uuid, md5('g')::uuid, 'w', sha256('i'), sha256('i');
        insert into provider (id, name, kind) values (md5('v')::uuid, 'v', 'mock');
        insert into model (id, provider_id, name) values (md5('m')::uuid, md5('v')::uuid, 'm');
        insert into usage_stream (id, gateway_id, last_seq) values (md5('s')::uuid, md5('w')::uuid, 40);
        -- Forty of ten days, of two owners; a third is no longer kept, the last ten are in no sum.
        insert into usage_event select '2026-11-20T00:00:00Z', md5('s')::uuid, n, md5('q' || n)::uuid, md5('w')::uuid,
            md5('o')::uuid, md5('p')::uuid, md5('k')::uuid, case when n % 2 = 0 then md5('i')::uuid end, null,
            md5('m')::uuid, md5('v')::uuid, md5('x')::uuid, 0,
            timestamptz '2026-11-10T01:00:00Z' + n * interval '5 hours', 1, 1, 200, 1, true, false, 1, 1, 1, '', 100, 0, 0,
            0, 50, 0, 0, 0, 0, 1, 7, 7
        from generate_series(1, 40) n;
        insert into usage_series (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id,
            outcome, status)
        select md5('o')::uuid, md5('p')::uuid, md5('k')::uuid, owner, md5('m')::uuid, md5('v')::uuid, md5('w')::uuid, 1, 200
        from unnest(array['00000000-0000-0000-0000-000000000000', md5('i')::uuid]) owner;
        insert into usage_unfolded values (md5('s')::uuid, 31, 40, '2026-11-20T00:00:00Z', 10, 70);
        insert into usage_day (starts_at, series_id, requests, input, cost_nano_usd)
        select date_trunc('day', started_at, 'UTC'), s.id, count(*), sum(input), sum(cost_nano_usd) from usage_event e
        join usage_series s on s.owner_id = coalesce(e.owner_id, '00000000-0000-0000-0000-000000000000')
        where seq <= 30 group by 1, 2;
        insert into usage_hour (starts_at, series_id, requests, input, cost_nano_usd)
        select date_trunc('hour', started_at, 'UTC'), s.id, count(*), sum(input), sum(cost_nano_usd) from usage_event e
        join usage_series s on s.owner_id = coalesce(e.owner_id, '00000000-0000-0000-0000-000000000000')
        where seq between 3 and 30 group by 1, 2;
        insert into usage_minute (starts_at, series_id, requests, input, cost_nano_usd)
        select date_trunc('minute', started_at, 'UTC'), s.id, count(*), sum(input), sum(cost_nano_usd) from usage_event e
        join usage_series s on s.owner_id = coalesce(e.owner_id, '00000000-0000-0000-0000-000000000000')
        where seq <= 30 group by 1, 2;
        update usage_retention set hour_days = 9;
        insert into usage_dropped (level, before, records, cost_nano_usd) values ('hour', '2026-11-11', 2, 14);
        insert into rerating (id, model_id, from_at, to_at, records, corrected, before_nano_usd, after_nano_usd,
            created_by_kind, created_by)
        select md5('r' || n)::uuid, md5('m')::uuid, '2026-11-10', '2026-11-30', 40, 40, 280, 280 + 40 * n, 'x', md5('y')::uuid
        from generate_series(1, 2) n;
        insert into usage_correction
        select md5('r' || n)::uuid, stream_id, seq, request_id, organization_id, project_id, key_id, model_id, started_at,
            price_id, md5('x')::uuid, case n when 1 then 7 else 8 end, case n when 1 then 8 else 10 end
        from generate_series(1, 2) n, usage_event order by n, seq;
        update rerating set before_nano_usd = 320, after_nano_usd = 400 where id = md5('r2')::uuid;
        delete from usage_event where seq <= 13;
        insert into usage_dropped (level, before, records, cost_nano_usd) values ('raw', '2026-11-20', 13, 91);
        """

    @Test func `what was there gets its quarters of a day and its corrections, and the ledger holds`() async throws {
        try await TestDatabase.withMigrated(to: 15, holding: Self.before) { database in
            let now = try #require(Timestamp("2026-11-25T12:00:00Z"))
            for round in 0..<2 as Range<Int64> {
                let check = try await database.database.transaction(.repeatableReadWrite) { tx in
                    try LedgerCheck.run(&tx, now: now.adding(seconds: round * 90_000))
                }
                #expect(check.holds, "\(check.identities)")
                #expect(check.identities.corrections == 40 * 3)
                #expect(check.identities.levels[.quarterDay]?.records == (round == 0 ? 30 : 40))
                try await Rollups(database: database.database, logger: database.logger).foldAll()
            }
            let figures = try await database.database.transaction(.readOnly) { tx in
                try tx.query(
                    """
                    select 'quarter' as name, sum(requests)::bigint as n from usage_quarter_day
                    union all select 'owner', sum(corrections_nano_usd)::bigint from usage_day d
                        join usage_series s on s.id = d.series_id where s.owner_id = md5('i')::uuid
                    union all select 'wrong', count(*) from usage_quarter_day q
                        where requests <> (select sum(requests) from usage_hour h where h.series_id = q.series_id
                            and h.starts_at >= q.starts_at and h.starts_at < q.starts_at + interval '6 hours')
                    union all select 'kept', quarter_day_days from usage_retention
                    """
                ).reduce(into: [String: Int64]()) { $0[try $1.get("name")] = try $1.get("n", as: Int64.self) }
            }
            // What is no longer kept counts for a series with usage on its day, which on some days both have.
            #expect(figures["quarter"] == 38 && figures["wrong"] == 0 && figures["kept"] == 9)
            let owner = try #require(figures["owner"])
            #expect(owner >= 42 && owner <= 81)
        }
    }
}
