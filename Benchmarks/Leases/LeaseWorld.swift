import ControlPlane
import Logging
import Postgres
import Shared

/// A deployment of 4 organizations, 12 units and 40 projects, each with a hard monthly budget, and as many keys, each
/// with one too.
///
/// Ids are numbered, so that nothing of them has to be asked for.
struct LeaseWorld: Sendable {
    enum Kind: UInt64 {
        case organization = 1
        case unit, project, key, budget, group, gateway
    }

    static let organizations = 4
    static let units = 12
    static let projects = 40
    static let nodes = LeaseWorld.organizations + LeaseWorld.units + LeaseWorld.projects

    let config: DatabaseConfig
    let database: Database
    let renewals: LeaseRenewals
    let group = GatewayGroupID(LeaseWorld.id(.group, 0))

    static func id(_ kind: Kind, _ number: Int) -> UUIDValue {
        UUIDValue(high: kind.rawValue << 32 | 0x7000, low: 0x8000 << 48 | UInt64(number))
    }

    /// The same in SQL.
    private static func id(_ kind: Kind, _ number: String) -> String {
        "('0000000\(kind.rawValue)-0000-7000-8000-' || lpad(to_hex(\(number)), 12, '0'))::uuid"
    }

    /// - Parameter url: a migrated database, without usage.
    static func make(url: String) async throws -> LeaseWorld {
        var config = DatabaseConfig(url: url)
        // As the control plane has it.
        config.poolSize = 8
        config.acquireTimeout = .seconds(60)
        config.statementTimeout = .seconds(600)
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let database = Database(config: config, logger: logger)
        let world = LeaseWorld(
            config: config, database: database, renewals: LeaseRenewals(database: database, time: .system))
        try await world.execute(
            """
            create extension if not exists pg_stat_statements;
            insert into scope_node (id, kind, parent_id, organization_id, name)
            select \(Self.id(.organization, "n")), 'organization', null, \(Self.id(.organization, "n")), 'o' || n
            from generate_series(0, \(Self.organizations - 1)) n;
            insert into scope_node (id, kind, parent_id, organization_id, name)
            select \(Self.id(.unit, "n")), 'unit', \(Self.id(.organization, "n % 4")),
                \(Self.id(.organization, "n % 4")), 'u' || n from generate_series(0, \(Self.units - 1)) n;
            insert into scope_node (id, kind, parent_id, organization_id, name)
            select \(Self.id(.project, "n")), 'project', \(Self.id(.unit, "n % 12")),
                \(Self.id(.organization, "n % 4")), 'p' || n from generate_series(0, \(Self.projects - 1)) n;
            insert into gateway_group (id, name) values (\(Self.id(.group, "0")), 'benchmark');
            insert into gateway_group_organization
            select \(Self.id(.group, "0")), \(Self.id(.organization, "n"))
            from generate_series(0, \(Self.organizations - 1)) n;
            insert into gateway (id, group_id, name, identity_key, sealing_key)
            select \(Self.id(.gateway, "n")), \(Self.id(.group, "0")), 'gateway ' || n, sha256('i'), sha256('i')
            from generate_series(0, 999) n;
            insert into budget (id, organization_id, node_id, name, amount_nano_usd, period, time_zone, hard, away,
                carry_over, status, created_at)
            select md5('b' || id)::uuid, organization_id, id, 'month', 1000000000000000, 'month', 'UTC', true, 'deny', false,
                'active', '2020-01-01' from scope_node order by id;
            select usage_event_partition((now() at time zone 'UTC')::date + n) from generate_series(0, 1) n;
            """)
        return world
    }

    /// Adds keys, each with a budget of 100 USD a month, until there are so many.
    ///
    /// Accounts of half of them are open, and held by two processes that ended: the tables are as large as such a deployment's.
    func fill(to keys: Int) async throws {
        try await self.execute(
            """
            begin;
            set local session_replication_role = replica;
            with have as (select count(*) as first from virtual_key)
            insert into virtual_key (id, public_id, project_id, organization_id, name)
            select \(Self.id(.key, "n")), lpad(n::text, 16, '0'), \(Self.id(.project, "n % 40")),
                \(Self.id(.organization, "n % 4")), 'key ' || n
            from have, generate_series(have.first, \(keys - 1)) n;
            insert into budget (id, organization_id, key_id, name, amount_nano_usd, period, time_zone, hard, away,
                carry_over, status, created_at)
            select md5('b' || k.id)::uuid, k.organization_id, k.id, 'month', 100000000000, 'month', 'UTC', true, 'deny',
                false, 'active', '2020-01-01'
            from virtual_key k where not exists (select from budget b where b.key_id = k.id) order by k.id;
            commit;
            """)
        try await self.empty()
        try await self.execute("vacuum (analyze) virtual_key, budget, scope_node, gateway")
    }

    /// Accounts and leases as before a measurement: of the even keys there are some, of the odd ones none.
    func empty() async throws {
        try await self.execute(
            """
            begin;
            set local session_replication_role = replica;
            truncate budget_lease, budget_account, budget_held_change, budget_account_unseen, usage_event, usage_unfolded, usage_stream, usage_minute, usage_hour,
                usage_quarter_day, usage_day, usage_series cascade;
            insert into budget_account (budget_id, start_minute, ends_at)
            select id, extract(epoch from date_trunc('month', now(), 'UTC'))::bigint / 60,
                date_trunc('month', now(), 'UTC') + interval '1 month'
            from budget where number % 2 = 0 and key_id is not null;
            insert into budget_lease (account_id, gateway_id, process, renewed_at, state)
            select a.id, \(Self.id(.gateway, "900 + n")), 1, now() - interval '1 hour', 'closed'
            from budget_account a, generate_series(0, 1) n;
            commit;
            """)
        try await self.execute(
            "vacuum (analyze) budget_account, budget_lease, budget_held_change, budget_account_unseen")
    }

    func execute(_ sql: String) async throws {
        let config = self.config
        // Statements that stand alone, as `vacuum` needs it, and scripts.
        try await Task.detached { try Connection(config).runScript(sql) }.value
    }

    /// The numbers of the nodes' budgets and those of keys, as snapshots tell gateways.
    func numbers(of ids: [UUIDValue]) async throws -> [UUIDValue: UInt32] {
        try await self.database.transaction(.readOnly) { tx in
            var numbers: [UUIDValue: UInt32] = [:]
            for row in try tx.query(
                "select coalesce(node_id, key_id) as id, number from budget where node_id = any ($1) or key_id = any ($1)",
                ids.map { SQLUUID(high: $0.high, low: $0.low) })
            {
                numbers[try row.get("id", as: VirtualKeyID.self).value] = UInt32(try row.get("number", as: Int64.self))
            }
            return numbers
        }
    }

    /// Milliseconds of the database's time since `reset`: for renewals, and for all else.
    func databaseTime() async throws -> (renewals: Double, other: Double) {
        try await self.database.transaction(.readOnly) { tx in
            let row = try tx.query(
                """
                select coalesce(sum(total_exec_time) filter (where is_lease), 0)::bigint as leases,
                    coalesce(sum(total_exec_time) filter (where not is_lease), 0)::bigint as others
                from (select total_exec_time, query ~ 'budget|lease' and query !~ 'with charged|usage_|unseen' as is_lease
                    from pg_stat_statements) s
                """)[0]
            return (Double(try row.get("leases", as: Int64.self)), Double(try row.get("others", as: Int64.self)))
        }
    }

    /// Where the database's time went: the fifteen dearest statements.
    func statements() async throws -> String {
        try await self.database.transaction(.readOnly) { tx in
            try tx.query(
                """
                select round(total_exec_time)::bigint as total, calls, round(1000 * mean_exec_time)::bigint as mean, rows,
                    left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as query
                from pg_stat_statements order by total_exec_time desc limit 15
                """
            ).map { row in
                "    \(try row.get("total", as: Int64.self)) ms, \(try row.get("calls", as: Int64.self)) times "
                    + "\(try row.get("mean", as: Int64.self)) us, \(try row.get("rows", as: Int64.self)) rows: "
                    + (try row.get("query", as: String.self))
            }.joined(separator: "\n")
        }
    }
}
