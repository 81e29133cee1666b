import ControlPlane
import Logging
import Postgres
import Shared

/// A deployment with 4 organizations, 40 projects, 400 keys, 12 models of 4 providers, 4 gateways, and a month of usage:
/// few keys have most of it, each key uses three models through two gateways.
struct World: Sendable {
    let config: DatabaseConfig
    let database: Database
    let usage: UsageReports
    let group = GatewayGroupID(MD5.uuid("g"))
    /// The end of the last day of usage.
    let end: Timestamp
    static let days = 31
    static let keys = 400

    /// - Parameter url: a migrated database, without usage or with that of a run before, on the same day (UTC).
    static func make(url: String) async throws -> World {
        var config = DatabaseConfig(url: url)
        config.poolSize = 8
        config.statementTimeout = .seconds(600)
        let database = Database(config: config, logger: Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() })
        let end = Timestamp(microseconds: (TimeSource.system.now().seconds / 86_400 + 1) * 86_400_000_000)
        let isNew = try await database.transaction { tx in
            guard try tx.query("select 1 from usage_stream limit 1").isEmpty else { return false }
            for statement in Self.scopes { _ = try tx.execute(statement) }
            return true
        }
        if isNew { try Connection(config).runScript(Self.partitions(until: end)) }
        let reads = Reads(database: database, authorizer: Authorizer(cache: AccessCache(time: .system)))
        return World(config: config, database: database, usage: UsageReports(reads: reads), end: end)
    }

    /// A partition for each day, as the product would have made them.
    private static func partitions(until end: Timestamp) -> String {
        var script = ""
        for day in 0..<Int64(Self.days + 3) {
            let (from, to) = (end.adding(seconds: (1 - day) * 86_400), end.adding(seconds: (2 - day) * 86_400))
            let date = String(from.description.prefix(10))
            script += """
                create table usage_event_\(date.filter { $0 != "-" }) partition of usage_event
                    for values from ('\(from)') to ('\(to)');

                """
        }
        return script
    }

    private static let scopes: [SQL] = [
        """
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('o' || n)::uuid, 'organization', null, md5('o' || n)::uuid, 'organization ' || n
        from generate_series(0, 3) n
        """,
        """
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('u' || n)::uuid, 'unit', md5('o' || n % 4)::uuid, md5('o' || n % 4)::uuid, 'unit ' || n
        from generate_series(0, 11) n
        """,
        """
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('p' || n)::uuid, 'project', md5('u' || n % 12)::uuid, md5('o' || n % 4)::uuid, 'project ' || n
        from generate_series(0, 39) n
        """,
        """
        insert into virtual_key (id, public_id, project_id, organization_id, name)
        select md5('k' || n)::uuid, lpad(n::text, 16, '0'), md5('p' || n % 40)::uuid, md5('o' || n % 4)::uuid,
            'key ' || n from generate_series(0, 399) n
        """,
        "insert into gateway_group (id, name) values (md5('g')::uuid, 'benchmark')",
        "insert into gateway_group_organization select md5('g')::uuid, md5('o' || n)::uuid from generate_series(0, 3) n",
        """
        insert into gateway (id, group_id, name, identity_key, sealing_key)
        select md5('w' || n)::uuid, md5('g')::uuid, 'gateway ' || n, sha256('i'), sha256('i')
        from generate_series(0, 3) n
        """,
    ]

    /// Stores records until there are so many, as gateways would have in batches of 500, and folds them.
    func fill(to size: Int64) async throws -> String {
        var have = try await self.database.transaction(.readOnly) { tx in
            try tx.query("select coalesce(sum(last_seq), 0)::bigint as n from usage_stream")[0].get("n", as: Int64.self)
        }
        guard have < size else { return "there already" }
        let began = ContinuousClock.now
        let missing = size - have
        let first = have
        let end = self.end
        while have < size {
            let (from, to) = (have, min(have + 250_000, size))
            try await self.database.transaction { tx in
                for statement in Self.records {
                    _ = try tx.execute(statement, from, to, end, first, missing)
                }
            }
            have = to
        }
        let stored = ContinuousClock.now
        try await Rollups(database: self.database, logger: Logger(label: "fold") { _ in SwiftLogNoOpLogHandler() })
            .foldAll()
        let folded = ContinuousClock.now
        try await self.execute("vacuum (analyze)")
        return "stored in \((stored - began).text), folded in \((folded - stored).text)"
            + " (\(Int(Double(missing) / max((folded - stored).seconds, 0.001))) a second)"
    }

    /// Records $1 to $2: $5 of them, from number $4 on, are spread over the month until $3.
    private static let records: [SQL] = [
        """
        insert into usage_stream (id, gateway_id, last_seq)
        select md5('s' || g || '-' || $1)::uuid, md5('w' || g)::uuid,
            (select count(*) from generate_series($1::bigint + 1, $2::bigint) n where n % 4 = g)
        from generate_series(0, 3) g
        """,
        """
        insert into usage_event
        select at + interval '2 seconds', md5('s' || n % 4 || '-' || $1)::uuid, (n - $1 + 3) / 4, gen_random_uuid(),
            md5('w' || (k + n / 7 % 2) % 4)::uuid, md5('o' || k % 4)::uuid, md5('p' || k % 40)::uuid,
            md5('k' || k)::uuid, case when k % 3 > 0 then md5('i' || k % 50)::uuid end, null,
            case when refused then null else md5('m' || (k + n / 13 % 3) % 12)::uuid end,
            case when refused then null else md5('v' || (k + n / 13 % 3) % 4)::uuid end, null, 0,
            at - n % 500 / 500.0 * 500.0 / $5::bigint * interval '31 days', 900000, 200000,
            case when refused then 429 else 200 end, case when refused then 2 else 1 end, n % 2 = 0, n % 200 = 0, 1, 1,
            1, '', 800 + n % 700, n % 5 * 100, 0, 0, 200 + n % 300, 0, 0, 0, 0, 1, cost, cost
        from (
            select n, floor(power(hashint8(n)::float8 / 4294967296 + 0.5, 3) * 400)::bigint % 400 as k,
                n % 33 = 0 as refused, case when n % 33 = 0 then 0 else 1000000 + n % 1000 end as cost,
                date_trunc('second', $3::timestamptz - interval '31 days'
                    + (n - $4::bigint - 1) / 500 * 500.0 / $5::bigint * interval '31 days') as at
            from generate_series($1::bigint + 1, $2::bigint) n
        ) r
        """,
        """
        insert into usage_unfolded (stream_id, from_seq, to_seq, ingested_at, records, cost_nano_usd)
        select stream_id, min(seq), max(seq), ingested_at, count(*), sum(cost_nano_usd) from usage_event
        where stream_id in (select md5('s' || g || '-' || $1)::uuid from generate_series(0, 3) g)
            and ingested_at >= date_trunc('second', $3::timestamptz - interval '31 days'
                + ($1::bigint - $4::bigint) / 500 * 500.0 / $5::bigint * interval '31 days')
            and ingested_at <= $3::timestamptz + interval '3 seconds'
        group by stream_id, ingested_at
        """,
    ]

    func execute(_ sql: String) async throws {
        let config = self.config
        try await Task.detached { try Connection(config).runScript(sql) }.value
    }

    func tableSizes() async throws -> [(name: String, rows: Int64, megabytes: Int64)] {
        try await self.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select t.name, sum(c.reltuples)::bigint as rows, sum(pg_total_relation_size(c.oid))::bigint >> 20 as size
                from unnest(array['usage_event', 'usage_minute', 'usage_hour', 'usage_quarter_day', 'usage_day',
                    'usage_series']) t (name)
                join pg_class c on c.relkind = 'r'
                    and (c.relname = t.name or t.name = 'usage_event' and c.relname like 'usage_event\\_%')
                group by 1 order by 3 desc
                """
            ).map { (try $0.get("name"), try $0.get("rows"), try $0.get("size")) }
        }
    }

    func shutdown() async throws { await self.database.shutdown() }
}
