import Postgres
import TestKit

/// A database as a busy deployment has it: every table that grows with use has more than ten thousand rows.
enum PopulatedDatabase {
    /// Identifiers that the rows are made with: `md5` of a letter and a number.
    static func fill(_ database: TestDatabase) async throws {
        try await Connection.withSession(database.config) { connection in
            for script in [Self.scopes, Self.catalogue, Self.fleet, Self.usage, Self.records] {
                // Triggers are for writes of the product; what they would have done is filled in.
                try connection.runScript("set session_replication_role = replica; \(script)")
            }
            try connection.runScript("vacuum (analyze)")
        }
    }

    /// Two organizations, 2000 projects, 100,000 keys.
    private static let scopes = """
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('o' || n)::uuid, 'organization', null, md5('o' || n)::uuid, 'org ' || n from generate_series(1, 2) n;
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('p' || n)::uuid, 'project', md5('o' || n % 2 + 1)::uuid, md5('o' || n % 2 + 1)::uuid, 'project ' || n
        from generate_series(1, 2000) n;
        insert into scope_node (id, kind, parent_id, organization_id, name)
        select md5('u' || n)::uuid, 'unit', md5('o' || n % 2 + 1)::uuid, md5('o' || n % 2 + 1)::uuid, 'unit ' || n
        from generate_series(1, 50000) n;
        insert into scope_closure select id, id, 0 from scope_node;
        insert into scope_closure select parent_id, id, 1 from scope_node where parent_id is not null;
        insert into virtual_key (id, public_id, project_id, organization_id, name)
        select md5('k' || n)::uuid, lpad(n::text, 16, '0'), md5('p' || n % 2000 + 1)::uuid,
            md5('o' || (n % 2000 + 1) % 2 + 1)::uuid, 'key ' || n from generate_series(1, 100000) n;
        insert into virtual_key_secret (digest, key_id, ordinal)
        select sha256(('k' || n)::bytea), md5('k' || n)::uuid, 1 from generate_series(1, 100000) n;
        insert into user_account (id, organization_id, login, name, status)
        select md5('s' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'user-' || n, 'user',
            case when n % 10 = 0 then 'disabled' else 'active' end from generate_series(1, 20000) n;
        insert into user_group (id, organization_id, name, status)
        select md5('g' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'group ' || n,
            case when n % 10 = 0 then 'disabled' else 'active' end from generate_series(1, 20000) n;
        insert into service_account (id, organization_id, node_id, name, status)
        select md5('a' || n)::uuid, md5('o' || n % 2 + 1)::uuid,
            case when n % 20 = 0 then md5('o1')::uuid else md5('u' || n)::uuid end, 'account ' || n,
            case when n % 10 = 0 then 'disabled' else 'active' end from generate_series(1, 20000) n;
        insert into group_member (group_id, member_kind, member_id, organization_id)
        select md5('g' || n)::uuid, 'user', md5('s' || n)::uuid, md5('o' || n % 2 + 1)::uuid
        from generate_series(1, 20000) n;
        insert into group_member (group_id, member_kind, member_id, organization_id)
        select md5('g1')::uuid, 'user', md5('s' || n)::uuid, md5('o2')::uuid from generate_series(3, 9999, 2) n;
        insert into group_member (group_id, member_kind, member_id, organization_id, deleted_at)
        select md5('g' || n)::uuid, 'group', md5('g' || n + 2)::uuid, md5('o' || n % 2 + 1)::uuid,
            case when n > 3 then now() - interval '26 hours' end from generate_series(1, 200) n;
        insert into role (id, organization_id, name, permissions)
        select md5('r' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'role ' || n, '{budgets.read}'
        from generate_series(1, 20000) n;
        insert into role_binding (id, organization_id, subject_kind, subject_id, role_id, scope_id, created_by_kind,
            created_by)
        select md5('b' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'user', md5('s' || n)::uuid, md5('r' || n)::uuid,
            md5('o' || n % 2 + 1)::uuid, 'operator', md5('x')::uuid
        from generate_series(1, 20000) n;
        insert into deny_rule (id, organization_id, name, permissions)
        select md5('d' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'rule ' || n, '{budgets.read}'
        from generate_series(1, 20000) n;
        insert into duty_separation (id, organization_id, name, first, second)
        select md5('d' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'rule ' || n, '{budgets.read}', '{usage.read}'
        from generate_series(1, 20000) n;
        insert into api_token (id, public_id, subject_id, subject_kind, organization_id, name)
        select md5('t' || n)::uuid, lpad(n::text, 16, 't'), md5('s' || n)::uuid, 'user', md5('o' || n % 2 + 1)::uuid, 't'
        from generate_series(1, 20000) n;
        insert into api_token_secret (digest, token_id, ordinal)
        select sha256(('t' || n || '-' || o)::bytea), md5('t' || n)::uuid, o
        from generate_series(1, 20000) n, generate_series(1, 4) o;
        update role set deleted_at = now() - interval '26 hours' where name like 'role 199__';
        update role_binding set deleted_at = now() - interval '26 hours' where role_id in (
            select id from role where deleted_at is not null);
        update deny_rule set deleted_at = now() - interval '26 hours' where name like 'rule 199__';
        update duty_separation set deleted_at = now() - interval '26 hours' where name like 'rule 199__';
        """

    private static let catalogue = """
        insert into provider (id, node_id, name, kind)
        select md5('v' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'provider ' || n, 'mock'
        from generate_series(1, 20000) n;
        insert into credential (id, provider_id, name, kek_id, wrapped_key, ciphertext)
        select md5('c' || n)::uuid, md5('v' || n)::uuid, 'credential ' || n, 'test', 'x', 'x'
        from generate_series(1, 20000) n;
        insert into model (id, provider_id, name)
        select md5('m' || n)::uuid, md5('v' || n)::uuid, 'model ' || n from generate_series(1, 20000) n;
        insert into route (id, node_id, alias)
        select md5('r' || n)::uuid, md5('p' || n % 2000 + 1)::uuid, 'alias-' || n from generate_series(1, 40000) n;
        insert into route_target (route_id, position, model_id, credential_id)
        select md5('r' || n)::uuid, 0, md5('m' || n)::uuid, md5('c' || n)::uuid from generate_series(1, 40000) n;
        insert into price (id, model_id, effective_at)
        select md5('x' || n)::uuid, md5('m' || n)::uuid, now() - interval '1 day' from generate_series(1, 40000) n;
        insert into price_item (price_id, meter, nano_usd_per_million)
        select md5('x' || n)::uuid, m, 100 from generate_series(1, 40000) n, unnest(array['input', 'output']) m;
        insert into price_proposal (id, provider_id, status, requested_by_kind, requested_by, content_sha256, new_entries,
            changed_entries, unchanged_entries, unknown_entries)
        select md5('f' || n)::uuid, md5('v' || n % 20000 + 1)::uuid, 'open', 'service_account', md5('s1')::uuid,
            sha256('f'), 1, 0, 0, 0 from generate_series(1, 20000) n;
        insert into price_proposal_entry (proposal_id, position, model_name, effect, uplift_ppm, items)
        select md5('f' || n)::uuid, 0, 'm', 'unknown_model', 1000000, '[{"meter":"input","usd_per_million":"1"}]'
        from generate_series(1, 20000) n;
        insert into rerating (id, model_id, from_at, to_at, records, corrected, before_nano_usd, after_nano_usd,
            created_by_kind, created_by)
        select md5('a' || n)::uuid, md5('m' || n)::uuid, now() - interval '1 day', now(), 1, 1, 2, 1, 'service_account',
            md5('s1')::uuid from generate_series(1, 20000) n;
        insert into usage_series (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id,
            outcome, status)
        select md5('o1')::uuid, md5('p1')::uuid, md5('k1')::uuid, md5('i1')::uuid, md5('m1')::uuid, md5('v1')::uuid,
            md5('w1')::uuid, 1, 201;
        insert into usage_correction (rerating_id, stream_id, seq, request_id, organization_id, project_id, key_id,
            model_id, started_at, price_before, price_after, before_nano_usd, after_nano_usd, series_id)
        select md5('a' || n)::uuid, md5('z1')::uuid, n, md5('q' || n)::uuid, md5('o1')::uuid, md5('p1')::uuid,
            md5('k1')::uuid, md5('m' || n)::uuid, now(), null, md5('x' || n)::uuid, 2, 1, s.id
        from generate_series(1, 20000) n, usage_series s;
        insert into rerating_unfolded (rerating_id, corrections, difference_nano_usd, records_to, created_at)
        select md5('a' || n)::uuid, 1, -1, now(), now() from generate_series(1, 100) n;
        insert into price_adjustment (id, organization_id, factor_ppm, effective_at)
        select md5('y' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 900000, now() - n * interval '1 minute'
        from generate_series(1, 20000) n;
        """

    /// One group with 100 gateways, and many that it had, which has published 20,000 snapshots.
    private static let fleet = """
        insert into gateway_group (id, name) values (md5('g1')::uuid, 'big');
        insert into gateway_group_organization select md5('g1')::uuid, md5('o' || n)::uuid from generate_series(1, 2) n;
        insert into gateway (id, group_id, name, identity_key, sealing_key, status, deleted_at)
        select md5('w' || n)::uuid, md5('g1')::uuid, 'gateway ' || n, sha256('i'), sha256('i'),
            case when n <= 100 then 'active' else 'removed' end, case when n > 100 then now() end
        from generate_series(1, 50000) n;
        insert into gateway_status (gateway_id, process, seen_at, epoch, version, manifest, keyring_epoch, sequence)
        select md5('w' || n)::uuid, 1, now(), 1, 19990, sha256('19990'), 0, 1 from generate_series(1, 50000) n;
        insert into gateway_group_credential (group_id, credential_id, version, key_epoch, sealed)
        select md5('g1')::uuid, md5('c' || n)::uuid, 1, 1, 'x' from generate_series(1, 20000) n;
        insert into snapshot (group_id, epoch, version, manifest_sha256, payload_sha256, keyring_epoch, keyring_sha256,
            published_at)
        select md5('g1')::uuid, 1, n, sha256(n::text::bytea), sha256('p'), 0, sha256('r'), now()
        from generate_series(1, 20000) n;
        insert into join_token (id, digest, group_id, expires_at, used_at)
        select md5('j' || n)::uuid, sha256(('j' || n)::bytea), md5('g1')::uuid, now() - interval '20 days', null
        from generate_series(1, 20000) n;
        insert into budget (id, organization_id, key_id, name, amount_nano_usd, period, time_zone, hard, away, carry_over,
            status)
        select md5('b' || n)::uuid, md5('o' || (n % 2000 + 1) % 2 + 1)::uuid, md5('k' || n)::uuid, 'budget ' || n,
            1000000000, 'month', 'UTC', true, 'deny', false, 'active' from generate_series(1, 20000) n;
        insert into budget (id, organization_id, node_id, tag_name, tag_value, name, amount_nano_usd, period, time_zone,
            hard, away, carry_over, status)
        select md5('n' || n)::uuid, md5('o1')::uuid, md5('o1')::uuid, 'team', 't' || n, 'team ' || n, 1000000000, 'month',
            'UTC', true, 'deny', false, 'active' from generate_series(1, 2000) n;
        insert into budget (id, organization_id, key_id, name, amount_nano_usd, period, time_zone, hard, away, carry_over,
            status, rolling_seconds)
        select md5('r' || n)::uuid, md5('o' || n % 2 + 1)::uuid, md5('k' || n)::uuid, 'rolling ' || n, 1000000000, 'hour',
            'UTC', true, 'deny', false, 'active', 3600 from generate_series(1, 2000) n;
        insert into budget_increase (id, budget_id, amount_nano_usd, from_at, until_at, reason)
        select md5('e' || n)::uuid, md5('b' || n)::uuid, 1, now() - interval '2 days', now() - interval '1 day', 'r'
        from generate_series(1, 20000) n;
        insert into budget_account (budget_id, start_minute)
        select md5('b' || n)::uuid, m * 40000 from generate_series(1, 20000) n, generate_series(700, 702) m;
        insert into budget_account (budget_id, start_minute) select md5('r' || n)::uuid, 0 from generate_series(1, 2000) n;
        insert into budget_checkpoint (account_id, step, taken_at, settled)
        select a.id, s.step, timestamptz 'epoch' + s.step * interval '1 minute', s.step
        from budget_account a, (select extract(epoch from now())::bigint / 60 - n as step from generate_series(0, 60) n) s
        where a.start_minute = 0;
        insert into budget_lease (account_id, gateway_id, process, renewed_at, state)
        select a.id, md5('w' || n)::uuid, 1, now(), case when a.id % 10 = 0 then 'open' else 'closed' end
        from budget_account a, generate_series(1, 2) n;
        insert into rate_limit (id, organization_id, key_id, name, meter, amount, period, burst, strict, away, status)
        select md5('l' || n)::uuid, md5('o' || (n % 2000 + 1) % 2 + 1)::uuid, md5('k' || n)::uuid, 'limit ' || n,
            'requests', 60, 'minute', 60, false, 'open', 'active' from generate_series(1, 5000) n;
        insert into rate_limit_pool (limit_id, granules, filled_at) select id, 60000, now() from rate_limit;
        insert into rate_limit_share (limit_id, gateway_id, process, renewed_at)
        select l.id, md5('w' || n)::uuid, n, now() - interval '1 minute' from rate_limit l, generate_series(1, 2) n;
        insert into budget_threshold_crossing (account_id, percent, event_id, crossed_at)
        select a.id, 50, gen_random_uuid(), now() from budget_account a;
        insert into webhook (id, organization_id, name, url, event_types, status, created_at, updated_at)
        select md5('j' || n)::uuid, md5('o' || n % 2 + 1)::uuid, 'hook ' || n, 'https://hooks.invalid/' || n,
            case when n < 9 then array['*'] else array['budget.threshold_crossed'] end,
            case when n < 9 then 'active' else 'disabled' end, now(), now() from generate_series(1, 60000) n;
        insert into webhook_secret (webhook_id, version, kek_id, wrapped_key, ciphertext, created_at)
        select md5('j' || n)::uuid, 1, 'test', convert_to(repeat('x', 60), 'UTF8'), convert_to(repeat('x', 80), 'UTF8'),
            now() from generate_series(1, 60000) n;
        insert into event (id, type, organization_id, subject_kind, subject_id, occurred_at, data)
        select md5('d' || n)::uuid, 'budget.threshold_crossed', md5('o' || n % 2 + 1)::uuid, 'budget',
            md5('b' || n)::uuid, now() - n * interval '1 minute', '{}' from generate_series(1, 50000) n;
        insert into webhook_delivery (webhook_id, event_id, state, attempts, next_at, created_at, done_at)
        select md5('j' || n % 8 + 1)::uuid, md5('d' || n)::uuid, case when n > 4 then 'delivered' else 'pending' end, 1,
            now(), now(), case when n > 4 then now() end from generate_series(1, 50000) n;
        insert into blob (sha256, bytes) select sha256(('b' || n)::bytea), 'x' from generate_series(1, 20000) n;
        """

    /// 200,000 records of four days, and the sums of two weeks by minute and of 60 days by hour and day.
    private static let usage = """
        select usage_event_partition((now() at time zone 'UTC')::date - n) from generate_series(0, 4) n;
        insert into usage_event select now() - n * interval '1.728 seconds', md5('z' || n % 200)::uuid, n,
            gen_random_uuid(), md5('w1')::uuid, md5('o' || n % 2 + 1)::uuid, md5('p' || n % 2000 + 1)::uuid,
            md5('k' || n % 100000 + 1)::uuid, null, null, md5('m' || n % 2000 + 1)::uuid, null, null, 0,
            now() - n * interval '1.728 seconds', 1000, 10, 200, 1, true, false, 1, 1, 1, '', 100, 0, 0, 0, 50, 0, 0, 0,
            0, 1, 7, 7, null, 0, 0, 0, 0, 0, 0, 0, n % 20000
        from generate_series(200000, 1, -1) n;
        insert into usage_tag_set (organization_id, text, tags)
        select md5('o' || n % 2 + 1)::uuid, 'env=e' || n % 10 || ',team=t' || n,
            jsonb_build_object('env', 'e' || n % 10, 'team', 't' || n) from generate_series(1, 20000) n;
        insert into usage_tag_count select md5('o' || n)::uuid, 10000 from generate_series(1, 2) n;
        insert into usage_series (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id,
            outcome, status, tag_set_id)
        select md5('o' || n % 2 + 1)::uuid, md5('p' || n % 2000 + 1)::uuid, md5('k' || n % 100000 + 1)::uuid,
            md5('i' || n % 50)::uuid, md5('m' || n % 2000 + 1)::uuid, md5('v' || n % 20)::uuid,
            md5('w' || n % 100 + 1)::uuid, 1, 200, n % 20000
        from generate_series(1, 12000) n;
        insert into usage_minute (series_id, starts_at, requests)
        select (n * 7919) % 12000 + 1, date_trunc('minute', now()) - n * interval '15 seconds', 1
        from generate_series(60000, 0, -1) n on conflict do nothing;
        insert into usage_hour (series_id, starts_at, requests)
        select (h * 31 + n) % 12000 + 1, date_trunc('hour', now()) - h * interval '1 hour', 1
        from generate_series(0, 1440) h, generate_series(1, 40) n order by h desc;
        insert into usage_quarter_day (series_id, starts_at, requests)
        select (h * 31 + n) % 12000 + 1, date_bin('6 hours', now(), timestamptz 'epoch') - h * interval '6 hours', 1
        from generate_series(0, 240) h, generate_series(1, 100) n order by h desc;
        insert into usage_day (series_id, starts_at, requests)
        select n, date_trunc('day', now(), 'UTC') - d * interval '1 day', 1
        from generate_series(0, 59) d, generate_series(1, 1000) n order by d desc;
        insert into usage_stream (id, gateway_id, last_seq)
        select md5('z' || n)::uuid, md5('w1')::uuid, 1000 from generate_series(0, 11999) n;
        """

    private static let records = """
        insert into provider_statement (id, provider_id, format, first_day, last_day, lines, sha256, created_at)
        select md5('y' || n)::uuid, md5('v' || n % 20)::uuid, 'plain', current_date - 20, current_date, 2, sha256('y'),
            now() from generate_series(1, 20) n on conflict do nothing;
        insert into provider_statement_line (statement_id, day, model, requests)
        select md5('y' || n % 20 + 1)::uuid, current_date - n % 20, 'model ' || n, 1 from generate_series(1, 12000) n;
        insert into change (id, at, actor_kind, actor_id, permission, target_kind, target_id, organization_id)
        select md5('h' || n)::uuid, now() - n * interval '1 second', 'service_account', md5('s1')::uuid, 'x', 'project',
            md5('p1')::uuid, md5('o' || n % 2 + 1)::uuid from generate_series(1, 50000) n;
        insert into change_publication (change_id, group_id, epoch, version)
        select md5('h' || n)::uuid, md5('g1')::uuid, 1, n % 12000 + 1 from generate_series(1, 50000) n;
        insert into audit_log (id, organization_id, lane)
        select md5('l' || n || lane)::uuid, case when n > 0 then md5('o' || n)::uuid end, lane
        from generate_series(0, 2) n, unnest(array['changes', 'denials']) lane on conflict do nothing;
        insert into audit_leaf (log_id, index, leaf, hash)
        select g.id, g.size + n - 1, '{}', sha256('x') from audit_log g, generate_series(1, 12000) n;
        update audit_log set size = size + 12000;
        insert into idempotency_key (actor_id, key, request_sha256, status, created_at)
        select md5('s1')::uuid, 'k' || n, sha256('x'), 201, now() - n * interval '5 seconds'
        from generate_series(1, 20000) n;
        insert into approval_rule (id, organization_id, scope_id, name, permissions, required, valid_seconds)
        select md5('al' || n)::uuid, md5('o' || n % 2 + 1)::uuid, md5('o' || n % 2 + 1)::uuid, 'rule ' || n,
            array['budgets.update'], 1, 3600 from generate_series(1, 40) n;
        insert into approval (id, organization_id, scope_id, permission, method, path, request_sha256, requester_kind,
            requester_id, rules, state, created_at, expires_at, decided_at, change_id)
        select md5('ap' || n)::uuid, md5('o' || n % 2 + 1)::uuid, md5('o' || n % 2 + 1)::uuid, 'budgets.update', 'PATCH',
            '/v1/budgets/x', sha256(('ap' || n)::bytea), 'user', md5('s' || n % 500)::uuid,
            array[md5('al' || n % 40 + 1)::uuid], case when n % 100 = 1 then 'pending' else 'used' end,
            now() - n * interval '1 minute', now() + interval '1 day', now(),
            case when n % 100 <> 1 then md5('h' || n)::uuid end from generate_series(1, 30000) n;
        insert into approval_vote (approval_id, subject_kind, subject_id, approves, created_at)
        select md5('ap' || n)::uuid, 'user', md5('s' || n % 500 + 1)::uuid, true, now() from generate_series(1, 30000) n;
        insert into subject_key (subject_id, kek_id, wrapped_key)
        select md5('sk' || n)::uuid, 'test', 'x' from generate_series(1, 20000) n;
        """
}
