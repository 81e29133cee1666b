CREATE FUNCTION public.access_next(organization uuid) RETURNS bigint
    LANGUAGE sql
    AS $$
    insert into access_head as h (partition_id, revision) values (access_partition(organization), 1)
    on conflict (partition_id) do update set revision = h.revision + 1 returning revision
$$;
CREATE FUNCTION public.access_partition(organization uuid) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    AS $$select coalesce(organization, '00000000-0000-0000-0000-000000000000'::uuid)$$;
CREATE FUNCTION public.access_stamp() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    partition text := access_partition(new.organization_id);
    given text := current_setting('gatehouse.access_revision', true);
begin
    if split_part(given, ' ', 1) = partition then
        new.access_revision := split_part(given, ' ', 2);
    else
        new.access_revision := access_next(new.organization_id);
        perform set_config('gatehouse.access_revision', partition || ' ' || new.access_revision, true);
    end if;
    return new;
end $$;
CREATE FUNCTION public.audit_append(organization uuid, in_lane text, leaf bytea, OUT log uuid, OUT leaf_index bigint, OUT leaf_hash bytea) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public'
    AS $$
begin
    if organization is null then
        insert into public.audit_log as l (id, organization_id, lane, size)
        values (gen_random_uuid(), null, in_lane, 1)
        on conflict (lane) where organization_id is null do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    else
        insert into public.audit_log as l (id, organization_id, lane, size)
        values (gen_random_uuid(), organization, in_lane, 1)
        on conflict (organization_id, lane) do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    end if;
    leaf_hash := sha256('\x00'::bytea || audit_append.leaf);
    insert into public.audit_leaf (log_id, index, leaf, hash) values (log, leaf_index, audit_append.leaf, leaf_hash);
end $$;
CREATE FUNCTION public.audit_log_open(organization uuid, in_lane text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public'
    AS $$
declare
    found_id uuid;
begin
    insert into public.audit_log (id, organization_id, lane) values (gen_random_uuid(), organization, in_lane)
    on conflict do nothing;
    select l.id into found_id from public.audit_log l
    where l.lane = in_lane and (l.organization_id = organization or (organization is null and l.organization_id is null));
    return found_id;
end $$;
CREATE FUNCTION public.audit_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
CREATE FUNCTION public.budget_account_mark() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into budget_account_unseen (account_id) values (new.id);
    return null;
end $$;
CREATE FUNCTION public.budget_account_spend() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into budget_account_spent as s (account_id, settled)
    select account_id, sum(settled) from gone group by account_id having sum(settled) <> 0 order by account_id
    on conflict (account_id) do update set settled = s.settled + excluded.settled;
    return null;
end $$;
CREATE FUNCTION public.budget_held_note() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into budget_held_change (account_id, amount) values (new.account_id,
        greatest(new.granted - new.returned, new.posted, new.settled)
        - coalesce(greatest(old.granted - old.returned, old.posted, old.settled), 0));
    return null;
end $$;
CREATE FUNCTION public.budget_lease_mark() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into budget_account_unseen (account_id, settled)
    values (new.account_id, new.settled - coalesce(old.settled, 0));
    return null;
end $$;
CREATE FUNCTION public.change_mark_pending() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into change_pending (change_id, group_id)
    select new.id, g.id from gateway_group g
    where g.deleted_at is null
      and (new.organization_id is null or exists (
          select from gateway_group_organization o
          where o.group_id = g.id and o.organization_id = new.organization_id));
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
CREATE FUNCTION public.scope_node_insert_closure() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into scope_closure (ancestor_id, descendant_id, depth)
    select ancestor_id, new.id, depth + 1 from scope_closure where descendant_id = new.parent_id
    union all select new.id, new.id, 0;
    return new;
end $$;
CREATE FUNCTION public.snapshot_mark(organization uuid, types integer[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    insert into snapshot_dirty (group_id, type)
    select g.id, t.type
    from gateway_group g cross join unnest(types) as t (type)
    where g.deleted_at is null
      and (organization is null or exists (
          select from gateway_group_organization o where o.group_id = g.id and o.organization_id = organization));
    perform pg_notify('gatehouse_snapshot', '');
end $$;
CREATE FUNCTION public.snapshot_mark_adjustment() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(new.organization_id, array[10]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_budget() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(new.organization_id, array[11]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_digest(organization uuid, digest bytea) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    insert into snapshot_dirty (group_id, type, bucket)
    select o.group_id, 4, get_byte(digest, 0) * 256 + get_byte(digest, 1)
    from gateway_group_organization o where o.organization_id = organization;
    perform pg_notify('gatehouse_snapshot', '');
end $$;
CREATE FUNCTION public.snapshot_mark_gateway() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'INSERT' or new.status is distinct from old.status or new.sealing_key is distinct from old.sealing_key then
        insert into snapshot_dirty (group_id, type) values (new.group_id, 100);
        perform pg_notify('gatehouse_snapshot', '');
    end if;
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_group() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into snapshot_dirty (group_id, type) values (new.id, 0);
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if tg_op = 'UPDATE' then
        perform snapshot_mark_digest(new.organization_id, digest) from virtual_key_secret where key_id = new.id;
    end if;
    if new.allowed_models is not null or cardinality(new.allowed_networks) > 0 or new.tags <> '{}' then
        perform snapshot_mark(new.organization_id, array[3]);
    end if;
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_key_secret() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    organization uuid;
begin
    select organization_id into organization from virtual_key where id = coalesce(new.key_id, old.key_id);
    perform snapshot_mark_digest(organization, coalesce(new.digest, old.digest));
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_membership() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    insert into snapshot_dirty (group_id, type)
    select id, 0 from gateway_group where id = coalesce(new.group_id, old.group_id);
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_node() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(new.organization_id, array[1]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_of_provider() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    node uuid;
begin
    select node_id into node from provider where id = new.provider_id;
    perform snapshot_mark(snapshot_organization_of(node), array[tg_argv[0]::integer]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_owned_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.owner_id is not null or (tg_op = 'UPDATE' and old.owner_id is not null) then
        perform snapshot_mark(new.organization_id, array[2]);
    end if;
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_owner() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from virtual_key where owner_id = new.id and deleted_at is null) then
        perform snapshot_mark(new.organization_id, array[2]);
    end if;
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_price() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(null, array[9]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_provider() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(snapshot_organization_of(new.node_id), array[5, 6, 7]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_rate_limit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(new.organization_id, array[12]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_route() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform snapshot_mark(snapshot_organization_of(new.node_id), array[8]);
    return null;
end $$;
CREATE FUNCTION public.snapshot_mark_zone() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.since is distinct from old.since or new.offsets is distinct from old.offsets then
        perform snapshot_mark(null, array[11]);
    end if;
    return null;
end $$;
CREATE FUNCTION public.snapshot_organization_of(node uuid) RETURNS uuid
    LANGUAGE sql STABLE
    AS $$ select organization_id from scope_node where id = node $$;
CREATE FUNCTION public.subject_key_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    raise exception 'a key that was destroyed does not come back' using errcode = 'insufficient_privilege';
end $$;
CREATE FUNCTION public.usage_event_days() RETURNS SETOF date
    LANGUAGE sql STABLE
    AS $_$
    select to_date(right(c.relname, 8), 'YYYYMMDD') from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.usage_event'::regclass and c.relname ~ '^usage_event_[0-9]{8}$'
    order by 1
$_$;
CREATE FUNCTION public.usage_event_drop(day date) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
declare
    name text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp at time zone 'UTC';
    high timestamptz := (day + 1)::timestamp at time zone 'UTC';
    keep integer;
    records bigint;
    cost bigint;
    wrong bigint;
begin
    select r.raw_days into keep from public.usage_retention r;
    if keep is null or day >= (now() at time zone 'UTC')::date - keep then return 'kept'; end if;
    if not exists (select from pg_inherits where inhparent = 'public.usage_event'::regclass
            and inhrelid = to_regclass('public.' || name)) then
        return 'none';
    end if;
    if exists (select from public.usage_unfolded u where u.ingested_at >= low and u.ingested_at < high) then
        return 'unfolded';
    end if;
    -- Added up before anybody has to wait: what arrived on a day that is over does not change.
    execute format(
        'select count(*), coalesce(sum(cost_nano_usd), 0)::bigint,
            count(*) filter (where cost_nano_usd <> checked_cost_nano_usd) from public.%I', name)
        into records, cost, wrong;
    begin
        lock table public.usage_event in access exclusive mode;
    exception when lock_not_available then
        return 'busy';
    end;
    insert into public.usage_dropped as d (level, before, records, cost_nano_usd, mispriced)
        values ('raw', high, records, cost, wrong)
        on conflict (level) do update set before = greatest(d.before, excluded.before),
            records = d.records + excluded.records, cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd,
            mispriced = d.mispriced + excluded.mispriced;
    execute format('drop table public.%I', name);
    return 'dropped';
end $$;
CREATE FUNCTION public.usage_event_partition(day date) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '1s'
    AS $$
declare
    name text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp at time zone 'UTC';
    high timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
    if to_regclass('public.' || name) is not null then return 'there'; end if;
    if abs(day - (now() at time zone 'UTC')::date) > 7 then
        raise exception 'no partition is made for %', day using errcode = 'invalid_parameter_value';
    end if;
    if pg_relation_size('public.usage_event_default') > 256 * 1024 * 1024 then return 'large'; end if;
    if exists (select from public.usage_event_default where ingested_at >= low and ingested_at < high) then
        return 'rows';
    end if;
    execute format('create table public.%I (like public.usage_event including all)', name);
    execute format(
        'alter table public.usage_event attach partition public.%I for values from (%L) to (%L)', name, low, high);
    return 'made';
end $$;
CREATE FUNCTION public.usage_event_summarize(low timestamp with time zone, high timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
declare
    leaf regclass;
    ranges integer := 0;
begin
    for leaf in
        select i.inhrelid::regclass from pg_inherits i
        join pg_index x on x.indexrelid = i.inhrelid join pg_class t on t.oid = x.indrelid
        where i.inhparent = 'public.usage_event_time'::regclass and (t.relname = 'usage_event_default'
            or t.relname between 'usage_event_' || to_char(low at time zone 'UTC', 'YYYYMMDD')
                and 'usage_event_' || to_char(high at time zone 'UTC', 'YYYYMMDD'))
    loop
        begin
            ranges := ranges + brin_summarize_new_values(leaf);
        exception when lock_not_available then
            null;
        end;
    end loop;
    return ranges;
end $$;
CREATE AGGREGATE public.usage_sum(bigint) (
    SFUNC = int8pl,
    STYPE = bigint,
    COMBINEFUNC = int8pl,
    PARALLEL = safe
);
CREATE TABLE public.access_head (
    partition_id uuid NOT NULL,
    revision bigint NOT NULL,
    purges bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.api_token (
    id uuid NOT NULL,
    public_id text NOT NULL,
    subject_id uuid NOT NULL,
    name text NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    subject_kind text DEFAULT 'service_account'::text NOT NULL,
    organization_id uuid,
    permissions text[],
    scope_id uuid,
    allowed_networks text[] DEFAULT '{}'::text[] NOT NULL,
    last_used_at timestamp with time zone,
    created_by_kind text,
    created_by uuid,
    revision bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT api_token_allowed_networks_check CHECK ((cardinality(allowed_networks) <= 100)),
    CONSTRAINT api_token_permissions_check CHECK (((cardinality(permissions) >= 1) AND (cardinality(permissions) <= 256))),
    CONSTRAINT api_token_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['user'::text, 'service_account'::text])))
);
CREATE TABLE public.api_token_secret (
    digest bytea NOT NULL,
    token_id uuid NOT NULL,
    ordinal integer NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    made_by uuid,
    CONSTRAINT api_token_secret_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT api_token_secret_ordinal_check CHECK ((ordinal >= 1))
);
CREATE TABLE public.approval (
    id uuid NOT NULL,
    organization_id uuid,
    scope_id uuid,
    permission text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    body jsonb,
    before jsonb,
    after jsonb,
    request_sha256 bytea NOT NULL,
    requester_kind text NOT NULL,
    requester_id uuid NOT NULL,
    token_id uuid,
    reason text DEFAULT ''::text NOT NULL,
    rules uuid[] NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    change_id uuid,
    CONSTRAINT approval_check CHECK (((change_id IS NOT NULL) = (state = 'used'::text))),
    CONSTRAINT approval_method_check CHECK (((length(method) >= 1) AND (length(method) <= 16))),
    CONSTRAINT approval_path_check CHECK (((length(path) >= 1) AND (length(path) <= 4096))),
    CONSTRAINT approval_permission_check CHECK (((length(permission) >= 1) AND (length(permission) <= 64))),
    CONSTRAINT approval_reason_check CHECK ((length(reason) <= 500)),
    CONSTRAINT approval_request_sha256_check CHECK ((length(request_sha256) = 32)),
    CONSTRAINT approval_requester_kind_check CHECK ((requester_kind = ANY (ARRAY['user'::text, 'service_account'::text, 'operator'::text]))),
    CONSTRAINT approval_rules_check CHECK (((cardinality(rules) >= 1) AND (cardinality(rules) <= 101))),
    CONSTRAINT approval_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text, 'used'::text, 'expired'::text])))
);
CREATE TABLE public.approval_rule (
    id uuid NOT NULL,
    organization_id uuid,
    scope_id uuid,
    name text NOT NULL,
    permissions text[] NOT NULL,
    above_nano_usd bigint,
    required integer NOT NULL,
    approvers text[] DEFAULT '{}'::text[] NOT NULL,
    valid_seconds bigint NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT approval_rule_above_nano_usd_check CHECK ((above_nano_usd >= 0)),
    CONSTRAINT approval_rule_approvers_check CHECK ((cardinality(approvers) <= 32)),
    CONSTRAINT approval_rule_check CHECK (((organization_id IS NULL) = (scope_id IS NULL))),
    CONSTRAINT approval_rule_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT approval_rule_permissions_check CHECK (((cardinality(permissions) >= 1) AND (cardinality(permissions) <= 256))),
    CONSTRAINT approval_rule_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT approval_rule_required_check CHECK (((required >= 1) AND (required <= 8))),
    CONSTRAINT approval_rule_valid_seconds_check CHECK (((valid_seconds >= 300) AND (valid_seconds <= 2592000)))
);
CREATE TABLE public.approval_vote (
    approval_id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    organization_id uuid,
    approves boolean NOT NULL,
    comment text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT approval_vote_comment_check CHECK ((length(comment) <= 2000)),
    CONSTRAINT approval_vote_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['user'::text, 'service_account'::text])))
);
CREATE TABLE public.audit_leaf (
    log_id uuid NOT NULL,
    index bigint NOT NULL,
    leaf bytea NOT NULL,
    hash bytea NOT NULL,
    appended_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT audit_leaf_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT audit_leaf_index_check CHECK ((index >= 0)),
    CONSTRAINT audit_leaf_leaf_check CHECK ((octet_length(leaf) <= 61440))
);
CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    organization_id uuid,
    size bigint DEFAULT 0 NOT NULL,
    lane text NOT NULL,
    CONSTRAINT audit_log_lane_check CHECK ((lane = ANY (ARRAY['changes'::text, 'denials'::text]))),
    CONSTRAINT audit_log_size_check CHECK ((size >= 0))
);
CREATE TABLE public.blob (
    sha256 bytea NOT NULL,
    bytes bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT blob_sha256_check CHECK ((length(sha256) = 32))
);
CREATE TABLE public.budget (
    id uuid NOT NULL,
    number bigint NOT NULL,
    organization_id uuid NOT NULL,
    node_id uuid,
    key_id uuid,
    owner_id uuid,
    name text NOT NULL,
    amount_nano_usd bigint NOT NULL,
    period text NOT NULL,
    time_zone text NOT NULL,
    hard boolean NOT NULL,
    away text NOT NULL,
    carry_over boolean NOT NULL,
    providers uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    models uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    status text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    thresholds bigint[] DEFAULT '{50,80,100}'::bigint[] NOT NULL,
    tag_name text,
    tag_value text,
    estimate text DEFAULT 'bound'::text NOT NULL,
    lower_max_tokens boolean DEFAULT false NOT NULL,
    rolling_seconds bigint,
    owner_kind text,
    away_allowance_nano_usd bigint,
    CONSTRAINT budget_amount_nano_usd_check CHECK (((amount_nano_usd >= 1) AND (amount_nano_usd <= '1000000000000000000'::bigint))),
    CONSTRAINT budget_away_allowance_check CHECK (((away = 'allowance'::text) = (away_allowance_nano_usd IS NOT NULL))),
    CONSTRAINT budget_away_allowance_nano_usd_check CHECK (((away_allowance_nano_usd >= 1) AND (away_allowance_nano_usd <= '1000000000000000000'::bigint))),
    CONSTRAINT budget_away_check CHECK ((away = ANY (ARRAY['deny'::text, 'allowance'::text, 'open'::text]))),
    CONSTRAINT budget_check CHECK ((num_nonnulls(node_id, key_id, owner_id) = 1)),
    CONSTRAINT budget_check1 CHECK ((((tag_name IS NULL) = (tag_value IS NULL)) AND ((tag_name IS NULL) OR (node_id IS NOT NULL)))),
    CONSTRAINT budget_check2 CHECK (((rolling_seconds IS NULL) OR ((period <> 'total'::text) AND (NOT carry_over) AND (time_zone = 'UTC'::text) AND (rolling_seconds =
CASE period
    WHEN 'minute'::text THEN 60
    WHEN 'hour'::text THEN 3600
    WHEN 'day'::text THEN 86400
    WHEN 'week'::text THEN 604800
    WHEN 'month'::text THEN 2592000
    WHEN 'quarter'::text THEN 7776000
    ELSE 31536000
END)))),
    CONSTRAINT budget_estimate_check CHECK ((estimate = ANY (ARRAY['bound'::text, 'learned'::text]))),
    CONSTRAINT budget_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT budget_owner_kind_check CHECK ((owner_kind = ANY (ARRAY['user'::text, 'service_account'::text]))),
    CONSTRAINT budget_period_check CHECK ((period = ANY (ARRAY['minute'::text, 'hour'::text, 'day'::text, 'week'::text, 'month'::text, 'quarter'::text, 'year'::text, 'total'::text]))),
    CONSTRAINT budget_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
    CONSTRAINT budget_tag_name_check CHECK (((length(tag_name) >= 1) AND (length(tag_name) <= 40))),
    CONSTRAINT budget_tag_value_check CHECK (((length(tag_value) >= 1) AND (length(tag_value) <= 64))),
    CONSTRAINT budget_thresholds_check CHECK (((cardinality(thresholds) <= 8) AND (1 <= ALL (thresholds)) AND (1000 >= ALL (thresholds))))
);
CREATE TABLE public.budget_account (
    id bigint NOT NULL,
    budget_id uuid NOT NULL,
    start_minute bigint NOT NULL,
    ends_at timestamp with time zone,
    spent_before bigint DEFAULT 0 NOT NULL,
    carried bigint DEFAULT 0 NOT NULL,
    frozen_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    held numeric(30,0) DEFAULT 0 NOT NULL,
    sharers bigint DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone,
    CONSTRAINT budget_account_carried_check CHECK ((carried >= 0)),
    CONSTRAINT budget_account_sharers_check CHECK ((sharers >= 0)),
    CONSTRAINT budget_account_spent_before_check CHECK ((spent_before >= 0))
)
WITH (fillfactor='80');
ALTER TABLE public.budget_account ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.budget_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.budget_account_spent (
    account_id bigint NOT NULL,
    settled numeric(30,0) NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.budget_account_unseen (
    account_id bigint NOT NULL,
    settled bigint DEFAULT 0 NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
CREATE TABLE public.budget_checkpoint (
    account_id bigint NOT NULL,
    step bigint NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    settled bigint NOT NULL,
    CONSTRAINT budget_checkpoint_settled_check CHECK ((settled >= 0))
)
WITH (fillfactor='70');
CREATE TABLE public.budget_held_change (
    account_id bigint NOT NULL,
    amount bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
CREATE TABLE public.budget_increase (
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    amount_nano_usd bigint NOT NULL,
    from_at timestamp with time zone NOT NULL,
    until_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT budget_increase_amount_nano_usd_check CHECK (((amount_nano_usd >= 1) AND (amount_nano_usd <= '1000000000000000000'::bigint))),
    CONSTRAINT budget_increase_check CHECK ((until_at > from_at)),
    CONSTRAINT budget_increase_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500)))
);
CREATE TABLE public.budget_lease (
    account_id bigint NOT NULL,
    gateway_id uuid NOT NULL,
    process bigint NOT NULL,
    granted bigint DEFAULT 0 NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    posted bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    settled bigint DEFAULT 0 NOT NULL,
    sequence bigint DEFAULT 0 NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    renewed_at timestamp with time zone NOT NULL,
    summed bigint DEFAULT 0 NOT NULL,
    marked bigint DEFAULT 0 NOT NULL,
    CONSTRAINT budget_lease_check CHECK (((granted >= 0) AND ((returned >= 0) AND (returned <= granted)) AND (posted >= 0) AND (reserved >= 0) AND (settled >= 0))),
    CONSTRAINT budget_lease_state_check CHECK ((state = ANY (ARRAY['open'::text, 'suspense'::text, 'closed'::text])))
)
WITH (fillfactor='70');
ALTER TABLE public.budget ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.budget_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    MAXVALUE 4294967295
    CACHE 1
);
CREATE TABLE public.budget_threshold_crossing (
    account_id bigint NOT NULL,
    percent bigint NOT NULL,
    event_id uuid NOT NULL,
    crossed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.change (
    id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid NOT NULL,
    permission text NOT NULL,
    target_kind text NOT NULL,
    target_id uuid,
    organization_id uuid,
    CONSTRAINT change_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'service_account'::text, 'operator'::text, 'gateway'::text, 'join_token'::text])))
);
CREATE TABLE public.change_pending (
    change_id uuid NOT NULL,
    group_id uuid NOT NULL
);
CREATE TABLE public.change_publication (
    change_id uuid NOT NULL,
    group_id uuid NOT NULL,
    epoch integer NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.credential (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    name text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    ciphertext bytea NOT NULL,
    hint text DEFAULT ''::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT credential_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT credential_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
    CONSTRAINT credential_version_check CHECK ((version >= 1))
);
CREATE TABLE public.deny_rule (
    id uuid NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    subject_kind text,
    subject_id uuid,
    permissions text[] NOT NULL,
    scope_id uuid,
    reason text DEFAULT ''::text NOT NULL,
    expires_at timestamp with time zone,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT deny_rule_check CHECK (((subject_kind IS NULL) = (subject_id IS NULL))),
    CONSTRAINT deny_rule_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT deny_rule_permissions_check CHECK (((cardinality(permissions) >= 1) AND (cardinality(permissions) <= 256))),
    CONSTRAINT deny_rule_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT deny_rule_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['user'::text, 'group'::text, 'service_account'::text])))
);
CREATE TABLE public.deployment (
    singleton boolean DEFAULT true NOT NULL,
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deployment_singleton_check CHECK (singleton)
);
CREATE TABLE public.duty_separation (
    id uuid NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    first text[] NOT NULL,
    second text[] NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT duty_separation_first_check CHECK (((cardinality(first) >= 1) AND (cardinality(first) <= 256))),
    CONSTRAINT duty_separation_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT duty_separation_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT duty_separation_second_check CHECK (((cardinality(second) >= 1) AND (cardinality(second) <= 256)))
);
CREATE TABLE public.event (
    id uuid NOT NULL,
    type text NOT NULL,
    organization_id uuid,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    data jsonb NOT NULL,
    CONSTRAINT event_type_check CHECK (((length(type) >= 1) AND (length(type) <= 64)))
);
CREATE TABLE public.gateway (
    id uuid NOT NULL,
    group_id uuid NOT NULL,
    name text NOT NULL,
    identity_key bytea NOT NULL,
    sealing_key bytea NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    build integer DEFAULT 0 NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT gateway_identity_key_check CHECK ((length(identity_key) = 32)),
    CONSTRAINT gateway_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT gateway_sealing_key_check CHECK ((length(sealing_key) = 32)),
    CONSTRAINT gateway_status_check CHECK ((status = ANY (ARRAY['active'::text, 'removed'::text])))
);
CREATE TABLE public.gateway_group (
    id uuid NOT NULL,
    name text NOT NULL,
    key_bucket_bits integer DEFAULT 8 NOT NULL,
    max_stale_seconds integer DEFAULT 259200 NOT NULL,
    max_body_bytes integer DEFAULT 33554432 NOT NULL,
    request_seconds integer DEFAULT 900 NOT NULL,
    key_epoch integer DEFAULT 0 NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    unpriced_models text DEFAULT 'deny'::text NOT NULL,
    CONSTRAINT gateway_group_key_bucket_bits_check CHECK (((key_bucket_bits >= 8) AND (key_bucket_bits <= 11))),
    CONSTRAINT gateway_group_max_body_bytes_check CHECK (((max_body_bytes >= 1024) AND (max_body_bytes <= 1073741824))),
    CONSTRAINT gateway_group_max_stale_seconds_check CHECK (((max_stale_seconds >= 60) AND (max_stale_seconds <= 31536000))),
    CONSTRAINT gateway_group_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT gateway_group_request_seconds_check CHECK (((request_seconds >= 1) AND (request_seconds <= 86400))),
    CONSTRAINT gateway_group_unpriced_models_check CHECK ((unpriced_models = ANY (ARRAY['deny'::text, 'estimate'::text])))
);
CREATE TABLE public.gateway_group_credential (
    group_id uuid NOT NULL,
    credential_id uuid NOT NULL,
    version integer NOT NULL,
    key_epoch integer NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE public.gateway_group_key (
    group_id uuid NOT NULL,
    epoch integer NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT gateway_group_key_epoch_check CHECK ((epoch >= 1))
);
CREATE TABLE public.gateway_group_organization (
    group_id uuid NOT NULL,
    organization_id uuid NOT NULL
);
CREATE TABLE public.gateway_process (
    gateway_id uuid NOT NULL,
    process bigint NOT NULL,
    epoch bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    fenced_at timestamp with time zone,
    CONSTRAINT gateway_process_epoch_check CHECK ((epoch >= 1))
);
CREATE TABLE public.gateway_status (
    gateway_id uuid NOT NULL,
    process bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    epoch integer NOT NULL,
    version bigint NOT NULL,
    manifest bytea NOT NULL,
    keyring_epoch integer NOT NULL,
    sequence bigint NOT NULL,
    nack_epoch integer,
    nack_version bigint,
    nack_code text,
    nack_chunk text,
    nack_message text
);
CREATE TABLE public.group_member (
    group_id uuid NOT NULL,
    member_kind text NOT NULL,
    member_id uuid NOT NULL,
    organization_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT group_member_member_kind_check CHECK ((member_kind = ANY (ARRAY['user'::text, 'group'::text, 'service_account'::text])))
);
CREATE TABLE public.idempotency_key (
    actor_id uuid NOT NULL,
    key text NOT NULL,
    request_sha256 bytea NOT NULL,
    status integer NOT NULL,
    resource_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_key_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255))),
    CONSTRAINT idempotency_key_request_sha256_check CHECK ((length(request_sha256) = 32))
);
CREATE TABLE public.join_token (
    id uuid NOT NULL,
    digest bytea NOT NULL,
    group_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    used_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT join_token_digest_check CHECK ((length(digest) = 32))
);
CREATE TABLE public.lease_history (
    single boolean DEFAULT true NOT NULL,
    system_identifier text NOT NULL,
    timeline text NOT NULL,
    frozen_until timestamp with time zone,
    CONSTRAINT lease_history_single_check CHECK (single)
);
CREATE TABLE public.ledger_check (
    singleton boolean DEFAULT true NOT NULL,
    checked_at timestamp with time zone NOT NULL,
    whole_at timestamp with time zone NOT NULL,
    holds boolean NOT NULL,
    events bigint NOT NULL,
    rejected bigint NOT NULL,
    watermarks bigint NOT NULL,
    event_cost bigint NOT NULL,
    mispriced bigint NOT NULL,
    events_to timestamp with time zone NOT NULL,
    closed_events bigint NOT NULL,
    closed_event_cost bigint NOT NULL,
    closed_mispriced bigint NOT NULL,
    lost bigint DEFAULT 0 NOT NULL,
    unfolded_records bigint NOT NULL,
    unfolded_cost bigint NOT NULL,
    corrections bigint NOT NULL,
    rerated bigint NOT NULL,
    unfolded_corrections bigint NOT NULL,
    accounts_to bigint DEFAULT 0 NOT NULL,
    accounts_differing bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    CONSTRAINT ledger_check_singleton_check CHECK (singleton)
);
CREATE TABLE public.ledger_level (
    level text NOT NULL,
    records bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    closed_to timestamp with time zone NOT NULL,
    closed_records bigint NOT NULL,
    closed_cost bigint NOT NULL,
    corrections_nano_usd bigint NOT NULL,
    CONSTRAINT ledger_level_level_check CHECK ((level = ANY (ARRAY['minute'::text, 'hour'::text, 'quarter_day'::text, 'day'::text])))
);
CREATE TABLE public.model (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    name text NOT NULL,
    context_window integer DEFAULT 0 NOT NULL,
    max_output_tokens integer DEFAULT 0 NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT model_context_window_check CHECK ((context_window >= 0)),
    CONSTRAINT model_max_output_tokens_check CHECK ((max_output_tokens >= 0)),
    CONSTRAINT model_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT model_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.price (
    id uuid NOT NULL,
    model_id uuid,
    effective_at timestamp with time zone NOT NULL,
    book_version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    uplift_ppm bigint DEFAULT 1000000 NOT NULL,
    CONSTRAINT price_uplift_ppm_check CHECK (((uplift_ppm >= 0) AND (uplift_ppm <= 100000000)))
);
CREATE TABLE public.price_adjustment (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    provider_id uuid,
    model_id uuid,
    factor_ppm bigint NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT price_adjustment_check CHECK (((provider_id IS NULL) OR (model_id IS NULL))),
    CONSTRAINT price_adjustment_factor_ppm_check CHECK (((factor_ppm >= 0) AND (factor_ppm <= 100000000))),
    CONSTRAINT price_adjustment_reason_check CHECK ((length(reason) <= 500))
);
ALTER TABLE public.price ALTER COLUMN book_version ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.price_book_version_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.price_item (
    price_id uuid NOT NULL,
    meter text NOT NULL,
    tier text DEFAULT 'standard'::text NOT NULL,
    above_prompt_tokens bigint DEFAULT 0 NOT NULL,
    nano_usd_per_million bigint NOT NULL,
    window_start integer DEFAULT 0 NOT NULL,
    window_end integer DEFAULT 0 NOT NULL,
    weekdays integer DEFAULT 0 NOT NULL,
    CONSTRAINT price_item_above_prompt_tokens_check CHECK ((above_prompt_tokens >= 0)),
    CONSTRAINT price_item_meter_check CHECK ((meter = ANY (ARRAY['input'::text, 'cached_input'::text, 'cache_write_5m'::text, 'cache_write_1h'::text, 'output'::text, 'reasoning'::text, 'audio_input'::text, 'audio_output'::text, 'image'::text, 'request'::text, 'image_input'::text, 'image_output'::text, 'input_ms'::text, 'output_ms'::text, 'character'::text, 'page'::text, 'search'::text]))),
    CONSTRAINT price_item_nano_usd_per_million_check CHECK ((nano_usd_per_million >= 0)),
    CONSTRAINT price_item_tier_check CHECK ((tier = ANY (ARRAY['standard'::text, 'flex'::text, 'priority'::text, 'batch'::text]))),
    CONSTRAINT price_item_window CHECK ((((window_start = 0) AND (window_end = 0) AND (weekdays = 0)) OR (((window_start >= 0) AND (window_start <= 1439)) AND ((window_end >= 1) AND (window_end <= 1440)) AND (window_start <> window_end) AND ((weekdays >= 1) AND (weekdays <= 127)))))
);
CREATE TABLE public.price_proposal (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    effective_at timestamp with time zone,
    status text NOT NULL,
    requested_by_kind text NOT NULL,
    requested_by uuid NOT NULL,
    decided_by_kind text,
    decided_by uuid,
    decided_at timestamp with time zone,
    content_sha256 bytea NOT NULL,
    new_entries integer NOT NULL,
    changed_entries integer NOT NULL,
    unchanged_entries integer NOT NULL,
    unknown_entries integer NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT price_proposal_check CHECK (((status = 'open'::text) = (decided_at IS NULL))),
    CONSTRAINT price_proposal_content_sha256_check CHECK ((length(content_sha256) = 32)),
    CONSTRAINT price_proposal_source_check CHECK ((length(source) <= 500)),
    CONSTRAINT price_proposal_status_check CHECK ((status = ANY (ARRAY['open'::text, 'approved'::text, 'rejected'::text])))
);
CREATE TABLE public.price_proposal_entry (
    proposal_id uuid NOT NULL,
    "position" bigint NOT NULL,
    model_name text NOT NULL,
    model_id uuid,
    effect text NOT NULL,
    before_id uuid,
    uplift_ppm bigint NOT NULL,
    items jsonb NOT NULL,
    CONSTRAINT price_proposal_entry_effect_check CHECK ((effect = ANY (ARRAY['new'::text, 'changed'::text, 'unchanged'::text, 'unknown_model'::text]))),
    CONSTRAINT price_proposal_entry_model_name_check CHECK (((length(model_name) >= 1) AND (length(model_name) <= 200))),
    CONSTRAINT price_proposal_entry_uplift_ppm_check CHECK (((uplift_ppm >= 0) AND (uplift_ppm <= 100000000)))
);
CREATE TABLE public.provider (
    id uuid NOT NULL,
    node_id uuid,
    name text NOT NULL,
    kind text NOT NULL,
    base_url text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT provider_base_url_check CHECK ((length(base_url) <= 1024)),
    CONSTRAINT provider_kind_check CHECK ((kind = ANY (ARRAY['openai'::text, 'openai-compatible'::text, 'mock'::text]))),
    CONSTRAINT provider_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT provider_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.provider_statement (
    id uuid NOT NULL,
    provider_id uuid NOT NULL,
    format text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    lines integer NOT NULL,
    sha256 bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_statement_check CHECK ((last_day >= first_day)),
    CONSTRAINT provider_statement_lines_check CHECK (((lines >= 1) AND (lines <= 20000))),
    CONSTRAINT provider_statement_sha256_check CHECK ((length(sha256) = 32))
);
CREATE TABLE public.provider_statement_line (
    statement_id uuid NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    requests bigint,
    input_tokens bigint,
    output_tokens bigint,
    amount_nano_usd bigint,
    CONSTRAINT provider_statement_line_model_check CHECK (((length(model) >= 1) AND (length(model) <= 200)))
);
CREATE TABLE public.rate_limit (
    id uuid NOT NULL,
    number bigint NOT NULL,
    organization_id uuid NOT NULL,
    node_id uuid,
    key_id uuid,
    owner_id uuid,
    name text NOT NULL,
    meter text NOT NULL,
    amount bigint NOT NULL,
    period text,
    burst bigint NOT NULL,
    strict boolean NOT NULL,
    away text NOT NULL,
    providers uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    models uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    status text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tag_name text,
    tag_value text,
    owner_kind text,
    CONSTRAINT rate_limit_amount_check CHECK (((amount >= 1) AND (amount <= '100000000000'::bigint))),
    CONSTRAINT rate_limit_away_check CHECK ((away = ANY (ARRAY['deny'::text, 'open'::text]))),
    CONSTRAINT rate_limit_burst_check CHECK (((burst >= 1) AND (burst <= '100000000000'::bigint))),
    CONSTRAINT rate_limit_check CHECK ((num_nonnulls(node_id, key_id, owner_id) = 1)),
    CONSTRAINT rate_limit_check1 CHECK (((meter = 'concurrent_requests'::text) = (period IS NULL))),
    CONSTRAINT rate_limit_check2 CHECK ((((tag_name IS NULL) = (tag_value IS NULL)) AND ((tag_name IS NULL) OR (node_id IS NOT NULL)))),
    CONSTRAINT rate_limit_meter_check CHECK ((meter = ANY (ARRAY['concurrent_requests'::text, 'requests'::text, 'input_tokens'::text, 'output_tokens'::text, 'total_tokens'::text]))),
    CONSTRAINT rate_limit_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT rate_limit_owner_kind_check CHECK ((owner_kind = ANY (ARRAY['user'::text, 'service_account'::text]))),
    CONSTRAINT rate_limit_period_check CHECK ((period = ANY (ARRAY['second'::text, 'minute'::text, 'hour'::text, 'day'::text]))),
    CONSTRAINT rate_limit_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
    CONSTRAINT rate_limit_tag_name_check CHECK (((length(tag_name) >= 1) AND (length(tag_name) <= 40))),
    CONSTRAINT rate_limit_tag_value_check CHECK (((length(tag_value) >= 1) AND (length(tag_value) <= 64)))
);
ALTER TABLE public.rate_limit ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rate_limit_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    MAXVALUE 4294967295
    CACHE 1
);
CREATE TABLE public.rate_limit_pool (
    limit_id uuid NOT NULL,
    granules bigint NOT NULL,
    filled_at timestamp with time zone NOT NULL,
    parts_left bigint DEFAULT 65536 NOT NULL,
    CONSTRAINT rate_limit_pool_parts_left_check CHECK (((parts_left >= 0) AND (parts_left <= 65536)))
)
WITH (fillfactor='70');
CREATE TABLE public.rate_limit_share (
    limit_id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    process bigint NOT NULL,
    share bigint DEFAULT 0 NOT NULL,
    target bigint DEFAULT 0 NOT NULL,
    want bigint DEFAULT 0 NOT NULL,
    generation bigint DEFAULT 0 NOT NULL,
    granted bigint DEFAULT 0 NOT NULL,
    returned bigint DEFAULT 0 NOT NULL,
    borrowed bigint DEFAULT 0 NOT NULL,
    fresh bigint DEFAULT 0 NOT NULL,
    largest bigint DEFAULT 0 NOT NULL,
    sequence bigint DEFAULT 0 NOT NULL,
    renewed_at timestamp with time zone NOT NULL,
    CONSTRAINT rate_limit_share_share_check CHECK (((share >= 0) AND (share <= 65536))),
    CONSTRAINT rate_limit_share_target_check CHECK (((target >= 0) AND (target <= 65536))),
    CONSTRAINT rate_limit_share_want_check CHECK (((want >= 0) AND (want <= 65536)))
)
WITH (fillfactor='70');
CREATE TABLE public.rerating (
    id uuid NOT NULL,
    model_id uuid NOT NULL,
    organization_id uuid,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    records bigint NOT NULL,
    corrected bigint NOT NULL,
    before_nano_usd bigint NOT NULL,
    after_nano_usd bigint NOT NULL,
    created_by_kind text NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT rerating_check CHECK ((to_at > from_at)),
    CONSTRAINT rerating_reason_check CHECK ((length(reason) <= 500))
);
CREATE TABLE public.rerating_unfolded (
    rerating_id uuid NOT NULL,
    number bigint NOT NULL,
    corrections bigint NOT NULL,
    difference_nano_usd bigint NOT NULL,
    records_to timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT rerating_unfolded_corrections_check CHECK ((corrections > 0))
);
ALTER TABLE public.rerating_unfolded ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rerating_unfolded_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.role (
    id uuid NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    permissions text[] NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT role_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT role_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT role_permissions_check CHECK (((cardinality(permissions) >= 1) AND (cardinality(permissions) <= 256)))
);
CREATE TABLE public.role_binding (
    id uuid NOT NULL,
    organization_id uuid,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    role_id uuid NOT NULL,
    scope_id uuid,
    reason text DEFAULT ''::text NOT NULL,
    expires_at timestamp with time zone,
    created_by_kind text NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revision bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT role_binding_reason_check CHECK ((length(reason) <= 2000)),
    CONSTRAINT role_binding_subject_kind_check CHECK ((subject_kind = ANY (ARRAY['user'::text, 'group'::text, 'service_account'::text])))
);
CREATE TABLE public.route (
    id uuid NOT NULL,
    node_id uuid,
    alias text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT route_alias_check CHECK ((alias ~ '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$'::text)),
    CONSTRAINT route_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.route_target (
    route_id uuid NOT NULL,
    "position" integer NOT NULL,
    model_id uuid NOT NULL,
    credential_id uuid,
    "order" integer DEFAULT 0 NOT NULL,
    weight integer DEFAULT 1 NOT NULL,
    CONSTRAINT route_target_order_check CHECK ((("order" >= 0) AND ("order" <= 100))),
    CONSTRAINT route_target_position_check CHECK ((("position" >= 0) AND ("position" <= 31))),
    CONSTRAINT route_target_weight_check CHECK (((weight >= 0) AND (weight <= 10000)))
);
CREATE TABLE public.scope_closure (
    ancestor_id uuid NOT NULL,
    descendant_id uuid NOT NULL,
    depth integer NOT NULL,
    CONSTRAINT scope_closure_depth_check CHECK (((depth >= 0) AND (depth <= 10)))
);
CREATE TABLE public.scope_node (
    id uuid NOT NULL,
    kind text NOT NULL,
    parent_id uuid,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tags jsonb DEFAULT '[]'::jsonb NOT NULL,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT scope_node_check CHECK (((kind = 'organization'::text) = (parent_id IS NULL))),
    CONSTRAINT scope_node_check1 CHECK (((kind <> 'organization'::text) OR (organization_id = id))),
    CONSTRAINT scope_node_check2 CHECK (((jsonb_typeof(tags) = 'array'::text) AND (jsonb_array_length(tags) <= 16) AND ((kind = 'project'::text) OR (tags = '[]'::jsonb)))),
    CONSTRAINT scope_node_kind_check CHECK ((kind = ANY (ARRAY['organization'::text, 'unit'::text, 'project'::text]))),
    CONSTRAINT scope_node_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT scope_node_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.service_account (
    id uuid NOT NULL,
    organization_id uuid,
    node_id uuid,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT service_account_check CHECK (((organization_id IS NULL) = (node_id IS NULL))),
    CONSTRAINT service_account_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT service_account_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT service_account_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.signing_key (
    key_id bytea NOT NULL,
    role text NOT NULL,
    public_key bytea NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT signing_key_key_id_check CHECK ((length(key_id) = 32)),
    CONSTRAINT signing_key_role_check CHECK ((role = ANY (ARRAY['config'::text, 'timestamp'::text])))
);
CREATE TABLE public.snapshot (
    group_id uuid NOT NULL,
    epoch integer NOT NULL,
    version bigint NOT NULL,
    manifest_sha256 bytea,
    payload_sha256 bytea,
    keyring_epoch integer NOT NULL,
    keyring_sha256 bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone,
    root_version integer DEFAULT 1 NOT NULL,
    CONSTRAINT snapshot_epoch_check CHECK ((epoch >= 1)),
    CONSTRAINT snapshot_keyring_sha256_check CHECK ((length(keyring_sha256) = 32)),
    CONSTRAINT snapshot_manifest_sha256_check CHECK ((length(manifest_sha256) = 32)),
    CONSTRAINT snapshot_payload_sha256_check CHECK ((length(payload_sha256) = 32)),
    CONSTRAINT snapshot_root_version_check CHECK ((root_version >= 1)),
    CONSTRAINT snapshot_version_check CHECK ((version >= 1))
);
CREATE TABLE public.snapshot_chunk (
    group_id uuid NOT NULL,
    name text NOT NULL,
    type integer NOT NULL,
    sha256 bytea NOT NULL,
    size integer NOT NULL,
    raw_sha256 bytea NOT NULL,
    raw_size integer NOT NULL,
    count integer NOT NULL
);
CREATE TABLE public.snapshot_dirty (
    id bigint NOT NULL,
    group_id uuid NOT NULL,
    type integer NOT NULL,
    bucket integer
);
ALTER TABLE public.snapshot_dirty ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.snapshot_dirty_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.snapshot_timestamp (
    group_id uuid NOT NULL,
    sequence bigint NOT NULL,
    epoch integer NOT NULL,
    version bigint NOT NULL,
    envelope bytea NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    root_version integer DEFAULT 1 NOT NULL,
    CONSTRAINT snapshot_timestamp_root_version_check CHECK ((root_version >= 1))
);
CREATE TABLE public.subject_key (
    subject_id uuid NOT NULL,
    kek_id text,
    wrapped_key bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    forgotten_at timestamp with time zone,
    CONSTRAINT subject_key_forgotten_check CHECK ((((kek_id IS NULL) = (forgotten_at IS NOT NULL)) AND ((wrapped_key IS NULL) = (forgotten_at IS NOT NULL))))
);
CREATE TABLE public.trust_root (
    version integer NOT NULL,
    envelope bytea NOT NULL,
    payload_sha256 bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT trust_root_payload_sha256_check CHECK ((length(payload_sha256) = 32)),
    CONSTRAINT trust_root_version_check CHECK ((version >= 1))
);
CREATE TABLE public.usage_correction (
    rerating_id uuid NOT NULL,
    stream_id uuid NOT NULL,
    seq bigint NOT NULL,
    request_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    key_id uuid NOT NULL,
    model_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    price_before uuid,
    price_after uuid NOT NULL,
    before_nano_usd bigint NOT NULL,
    after_nano_usd bigint NOT NULL,
    number bigint NOT NULL,
    series_id bigint NOT NULL,
    CONSTRAINT usage_correction_after_nano_usd_check CHECK ((after_nano_usd >= 0)),
    CONSTRAINT usage_correction_before_nano_usd_check CHECK ((before_nano_usd >= 0))
);
ALTER TABLE public.usage_correction ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_correction_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.usage_day (
    starts_at timestamp with time zone NOT NULL,
    series_id bigint NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    refusals bigint DEFAULT 0 NOT NULL,
    estimates bigint DEFAULT 0 NOT NULL,
    input bigint DEFAULT 0 NOT NULL,
    cached_input bigint DEFAULT 0 NOT NULL,
    cache_write_5m bigint DEFAULT 0 NOT NULL,
    cache_write_1h bigint DEFAULT 0 NOT NULL,
    output bigint DEFAULT 0 NOT NULL,
    reasoning bigint DEFAULT 0 NOT NULL,
    audio_input bigint DEFAULT 0 NOT NULL,
    audio_output bigint DEFAULT 0 NOT NULL,
    image bigint DEFAULT 0 NOT NULL,
    request bigint DEFAULT 0 NOT NULL,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    corrections_nano_usd bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.usage_dropped (
    level text NOT NULL,
    before timestamp with time zone NOT NULL,
    records bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    mispriced bigint DEFAULT 0 NOT NULL,
    corrections_nano_usd bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_dropped_level_check CHECK ((level = ANY (ARRAY['raw'::text, 'minute'::text, 'hour'::text, 'quarter_day'::text, 'day'::text])))
);
CREATE TABLE public.usage_event (
    ingested_at timestamp with time zone NOT NULL,
    stream_id uuid NOT NULL,
    seq bigint NOT NULL,
    request_id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    key_id uuid NOT NULL,
    owner_id uuid,
    route_id uuid,
    model_id uuid,
    provider_id uuid,
    price_id uuid,
    service_tier integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    duration_us bigint NOT NULL,
    first_byte_us bigint NOT NULL,
    status integer NOT NULL,
    outcome integer NOT NULL,
    stream boolean NOT NULL,
    estimate boolean NOT NULL,
    attempts integer NOT NULL,
    snapshot_epoch integer NOT NULL,
    snapshot_version bigint NOT NULL,
    code text NOT NULL,
    input bigint NOT NULL,
    cached_input bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    audio_input bigint NOT NULL,
    audio_output bigint NOT NULL,
    image bigint NOT NULL,
    request bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    checked_cost_nano_usd bigint NOT NULL,
    adjustment_id uuid,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    tag_set_id bigint DEFAULT 0 NOT NULL,
    charges bigint[],
    refused_level integer,
    refused_by uuid,
    refused_left bigint,
    refused_needed bigint,
    CONSTRAINT usage_event_cost_nano_usd_check CHECK ((cost_nano_usd >= 0))
)
PARTITION BY RANGE (ingested_at);
CREATE TABLE public.usage_event_default (
    ingested_at timestamp with time zone NOT NULL,
    stream_id uuid NOT NULL,
    seq bigint NOT NULL,
    request_id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    key_id uuid NOT NULL,
    owner_id uuid,
    route_id uuid,
    model_id uuid,
    provider_id uuid,
    price_id uuid,
    service_tier integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    duration_us bigint NOT NULL,
    first_byte_us bigint NOT NULL,
    status integer NOT NULL,
    outcome integer NOT NULL,
    stream boolean NOT NULL,
    estimate boolean NOT NULL,
    attempts integer NOT NULL,
    snapshot_epoch integer NOT NULL,
    snapshot_version bigint NOT NULL,
    code text NOT NULL,
    input bigint NOT NULL,
    cached_input bigint NOT NULL,
    cache_write_5m bigint NOT NULL,
    cache_write_1h bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    audio_input bigint NOT NULL,
    audio_output bigint NOT NULL,
    image bigint NOT NULL,
    request bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    checked_cost_nano_usd bigint NOT NULL,
    adjustment_id uuid,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    tag_set_id bigint DEFAULT 0 NOT NULL,
    charges bigint[],
    refused_level integer,
    refused_by uuid,
    refused_left bigint,
    refused_needed bigint,
    CONSTRAINT usage_event_cost_nano_usd_check CHECK ((cost_nano_usd >= 0))
);
CREATE TABLE public.usage_gap (
    stream_id uuid NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    gateway_id uuid NOT NULL,
    reason text NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    CONSTRAINT usage_gap_check CHECK ((to_seq >= from_seq)),
    CONSTRAINT usage_gap_from_seq_check CHECK ((from_seq >= 1)),
    CONSTRAINT usage_gap_reason_check CHECK ((reason = ANY (ARRAY['released'::text, 'missing'::text])))
);
CREATE TABLE public.usage_hour (
    starts_at timestamp with time zone NOT NULL,
    series_id bigint NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    refusals bigint DEFAULT 0 NOT NULL,
    estimates bigint DEFAULT 0 NOT NULL,
    input bigint DEFAULT 0 NOT NULL,
    cached_input bigint DEFAULT 0 NOT NULL,
    cache_write_5m bigint DEFAULT 0 NOT NULL,
    cache_write_1h bigint DEFAULT 0 NOT NULL,
    output bigint DEFAULT 0 NOT NULL,
    reasoning bigint DEFAULT 0 NOT NULL,
    audio_input bigint DEFAULT 0 NOT NULL,
    audio_output bigint DEFAULT 0 NOT NULL,
    image bigint DEFAULT 0 NOT NULL,
    request bigint DEFAULT 0 NOT NULL,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    corrections_nano_usd bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.usage_minute (
    starts_at timestamp with time zone NOT NULL,
    series_id bigint NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    refusals bigint DEFAULT 0 NOT NULL,
    estimates bigint DEFAULT 0 NOT NULL,
    input bigint DEFAULT 0 NOT NULL,
    cached_input bigint DEFAULT 0 NOT NULL,
    cache_write_5m bigint DEFAULT 0 NOT NULL,
    cache_write_1h bigint DEFAULT 0 NOT NULL,
    output bigint DEFAULT 0 NOT NULL,
    reasoning bigint DEFAULT 0 NOT NULL,
    audio_input bigint DEFAULT 0 NOT NULL,
    audio_output bigint DEFAULT 0 NOT NULL,
    image bigint DEFAULT 0 NOT NULL,
    request bigint DEFAULT 0 NOT NULL,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    corrections_nano_usd bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.usage_quarter_day (
    starts_at timestamp with time zone NOT NULL,
    series_id bigint NOT NULL,
    requests bigint DEFAULT 0 NOT NULL,
    refusals bigint DEFAULT 0 NOT NULL,
    estimates bigint DEFAULT 0 NOT NULL,
    input bigint DEFAULT 0 NOT NULL,
    cached_input bigint DEFAULT 0 NOT NULL,
    cache_write_5m bigint DEFAULT 0 NOT NULL,
    cache_write_1h bigint DEFAULT 0 NOT NULL,
    output bigint DEFAULT 0 NOT NULL,
    reasoning bigint DEFAULT 0 NOT NULL,
    audio_input bigint DEFAULT 0 NOT NULL,
    audio_output bigint DEFAULT 0 NOT NULL,
    image bigint DEFAULT 0 NOT NULL,
    request bigint DEFAULT 0 NOT NULL,
    image_input bigint DEFAULT 0 NOT NULL,
    image_output bigint DEFAULT 0 NOT NULL,
    input_ms bigint DEFAULT 0 NOT NULL,
    output_ms bigint DEFAULT 0 NOT NULL,
    "character" bigint DEFAULT 0 NOT NULL,
    page bigint DEFAULT 0 NOT NULL,
    search bigint DEFAULT 0 NOT NULL,
    cost_nano_usd bigint DEFAULT 0 NOT NULL,
    corrections_nano_usd bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE public.usage_rejected (
    stream_id uuid NOT NULL,
    seq bigint NOT NULL,
    gateway_id uuid NOT NULL,
    reason text NOT NULL,
    record bytea NOT NULL,
    rejected_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.usage_retention (
    singleton boolean DEFAULT true NOT NULL,
    raw_days integer,
    minute_days integer,
    hour_days integer,
    day_days integer,
    revision bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    quarter_day_days integer,
    CONSTRAINT usage_retention_day_days_check CHECK (((day_days >= 31) AND (day_days <= 36500))),
    CONSTRAINT usage_retention_hour_days_check CHECK (((hour_days >= 7) AND (hour_days <= 36500))),
    CONSTRAINT usage_retention_minute_days_check CHECK (((minute_days >= 2) AND (minute_days <= 36500))),
    CONSTRAINT usage_retention_quarter_day_days_check CHECK (((quarter_day_days >= 7) AND (quarter_day_days <= 36500))),
    CONSTRAINT usage_retention_raw_days_check CHECK (((raw_days >= 2) AND (raw_days <= 36500))),
    CONSTRAINT usage_retention_singleton_check CHECK (singleton)
);
CREATE TABLE public.usage_series (
    id bigint NOT NULL,
    organization_id uuid NOT NULL,
    project_id uuid NOT NULL,
    key_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    model_id uuid NOT NULL,
    provider_id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    outcome integer NOT NULL,
    status integer NOT NULL,
    tag_set_id bigint DEFAULT 0 NOT NULL
);
ALTER TABLE public.usage_series ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_series_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.usage_stream (
    id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT usage_stream_last_seq_check CHECK ((last_seq >= 0))
);
CREATE TABLE public.usage_tag_count (
    organization_id uuid NOT NULL,
    sets bigint DEFAULT 0 NOT NULL,
    CONSTRAINT usage_tag_count_sets_check CHECK ((sets >= 0))
);
CREATE TABLE public.usage_tag_set (
    id bigint NOT NULL,
    organization_id uuid NOT NULL,
    text text NOT NULL,
    tags jsonb NOT NULL,
    CONSTRAINT usage_tag_set_text_check CHECK (((octet_length(text) >= 1) AND (octet_length(text) <= 1696)))
);
ALTER TABLE public.usage_tag_set ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_tag_set_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.usage_unfolded (
    stream_id uuid NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    ingested_at timestamp with time zone NOT NULL,
    records bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    CONSTRAINT usage_unfolded_check CHECK ((to_seq >= from_seq)),
    CONSTRAINT usage_unfolded_records_check CHECK ((records > 0))
);
CREATE TABLE public.user_account (
    id uuid NOT NULL,
    organization_id uuid,
    login text NOT NULL,
    name text NOT NULL,
    email text,
    status text DEFAULT 'active'::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    forgotten_at timestamp with time zone,
    CONSTRAINT user_account_email_check CHECK (((length(email) >= 3) AND (length(email) <= 320))),
    CONSTRAINT user_account_forgotten_check CHECK (((forgotten_at IS NULL) OR (deleted_at IS NOT NULL))),
    CONSTRAINT user_account_login_check CHECK (((length(login) >= 1) AND (length(login) <= 320))),
    CONSTRAINT user_account_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT user_account_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.user_group (
    id uuid NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    access_revision bigint DEFAULT 0 NOT NULL,
    CONSTRAINT user_group_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT user_group_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT user_group_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
CREATE TABLE public.virtual_key (
    id uuid NOT NULL,
    public_id text NOT NULL,
    project_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    owner_id uuid,
    status text DEFAULT 'active'::text NOT NULL,
    expires_at timestamp with time zone,
    allowed_models text[],
    allowed_networks text[] DEFAULT '{}'::text[] NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    tags jsonb DEFAULT '{}'::jsonb NOT NULL,
    owner_kind text,
    CONSTRAINT virtual_key_allowed_models_check CHECK ((cardinality(allowed_models) <= 500)),
    CONSTRAINT virtual_key_allowed_networks_check CHECK ((cardinality(allowed_networks) <= 100)),
    CONSTRAINT virtual_key_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT virtual_key_owner_kind_check CHECK ((owner_kind = ANY (ARRAY['user'::text, 'service_account'::text]))),
    CONSTRAINT virtual_key_public_id_check CHECK ((public_id ~ '^[0-9A-Za-z]{16}$'::text)),
    CONSTRAINT virtual_key_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text, 'revoked'::text]))),
    CONSTRAINT virtual_key_tags_check CHECK ((jsonb_typeof(tags) = 'object'::text))
);
CREATE TABLE public.virtual_key_secret (
    digest bytea NOT NULL,
    key_id uuid NOT NULL,
    ordinal integer NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT virtual_key_secret_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT virtual_key_secret_ordinal_check CHECK ((ordinal >= 1))
);
CREATE TABLE public.webhook (
    id uuid NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    url text NOT NULL,
    event_types text[] NOT NULL,
    status text NOT NULL,
    disabled_reason text,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT webhook_event_types_check CHECK (((cardinality(event_types) >= 1) AND (cardinality(event_types) <= 8))),
    CONSTRAINT webhook_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT webhook_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
    CONSTRAINT webhook_url_check CHECK (((length(url) >= 1) AND (length(url) <= 1024)))
);
CREATE TABLE public.webhook_delivery (
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone,
    last_status integer,
    last_error text,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT webhook_delivery_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT webhook_delivery_check CHECK (((state = 'pending'::text) = (done_at IS NULL))),
    CONSTRAINT webhook_delivery_last_error_check CHECK ((length(last_error) <= 500)),
    CONSTRAINT webhook_delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.webhook_secret (
    webhook_id uuid NOT NULL,
    version integer NOT NULL,
    kek_id text NOT NULL,
    wrapped_key bytea NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT webhook_secret_version_check CHECK ((version >= 1))
);
CREATE TABLE public.zone_offset (
    zone text NOT NULL,
    since bigint[] NOT NULL,
    offsets bigint[] NOT NULL,
    known_until timestamp with time zone NOT NULL,
    CONSTRAINT zone_offset_check CHECK ((((cardinality(since) >= 1) AND (cardinality(since) <= 64)) AND (cardinality(since) = cardinality(offsets)))),
    CONSTRAINT zone_offset_zone_check CHECK (((length(zone) >= 1) AND (length(zone) <= 64)))
);
ALTER TABLE ONLY public.usage_event ATTACH PARTITION public.usage_event_default DEFAULT;
ALTER TABLE ONLY public.access_head
    ADD CONSTRAINT access_head_pkey PRIMARY KEY (partition_id);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_public_id_key UNIQUE (public_id);
ALTER TABLE ONLY public.api_token_secret
    ADD CONSTRAINT api_token_secret_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.api_token_secret
    ADD CONSTRAINT api_token_secret_token_id_ordinal_key UNIQUE (token_id, ordinal);
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.approval_rule
    ADD CONSTRAINT approval_rule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.approval_vote
    ADD CONSTRAINT approval_vote_pkey PRIMARY KEY (approval_id, subject_id);
ALTER TABLE ONLY public.audit_leaf
    ADD CONSTRAINT audit_leaf_pkey PRIMARY KEY (log_id, index);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_organization_lane UNIQUE (organization_id, lane);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.blob
    ADD CONSTRAINT blob_pkey PRIMARY KEY (sha256);
ALTER TABLE ONLY public.budget_account
    ADD CONSTRAINT budget_account_budget_id_start_minute_key UNIQUE (budget_id, start_minute);
ALTER TABLE ONLY public.budget_account
    ADD CONSTRAINT budget_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.budget_account_spent
    ADD CONSTRAINT budget_account_spent_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.budget_checkpoint
    ADD CONSTRAINT budget_checkpoint_pkey PRIMARY KEY (account_id, step);
ALTER TABLE ONLY public.budget_increase
    ADD CONSTRAINT budget_increase_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.budget_lease
    ADD CONSTRAINT budget_lease_pkey PRIMARY KEY (account_id, gateway_id, process);
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_number_key UNIQUE (number);
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.budget_threshold_crossing
    ADD CONSTRAINT budget_threshold_crossing_pkey PRIMARY KEY (account_id, percent);
ALTER TABLE ONLY public.change_pending
    ADD CONSTRAINT change_pending_pkey PRIMARY KEY (group_id, change_id);
ALTER TABLE ONLY public.change
    ADD CONSTRAINT change_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.change_publication
    ADD CONSTRAINT change_publication_pkey PRIMARY KEY (change_id, group_id);
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT credential_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deny_rule
    ADD CONSTRAINT deny_rule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deployment
    ADD CONSTRAINT deployment_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.duty_separation
    ADD CONSTRAINT duty_separation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_group_credential
    ADD CONSTRAINT gateway_group_credential_pkey PRIMARY KEY (group_id, credential_id, version, key_epoch);
ALTER TABLE ONLY public.gateway_group_key
    ADD CONSTRAINT gateway_group_key_pkey PRIMARY KEY (group_id, epoch);
ALTER TABLE ONLY public.gateway_group_organization
    ADD CONSTRAINT gateway_group_organization_pkey PRIMARY KEY (group_id, organization_id);
ALTER TABLE ONLY public.gateway_group
    ADD CONSTRAINT gateway_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_process
    ADD CONSTRAINT gateway_process_gateway_id_epoch_key UNIQUE (gateway_id, epoch);
ALTER TABLE ONLY public.gateway_process
    ADD CONSTRAINT gateway_process_pkey PRIMARY KEY (gateway_id, process);
ALTER TABLE ONLY public.gateway_status
    ADD CONSTRAINT gateway_status_pkey PRIMARY KEY (gateway_id);
ALTER TABLE ONLY public.group_member
    ADD CONSTRAINT group_member_pkey PRIMARY KEY (group_id, member_kind, member_id);
ALTER TABLE ONLY public.idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (actor_id, key);
ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.lease_history
    ADD CONSTRAINT lease_history_pkey PRIMARY KEY (single);
ALTER TABLE ONLY public.ledger_check
    ADD CONSTRAINT ledger_check_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.ledger_level
    ADD CONSTRAINT ledger_level_pkey PRIMARY KEY (level);
ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.price_adjustment
    ADD CONSTRAINT price_adjustment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.price_item
    ADD CONSTRAINT price_item_pkey PRIMARY KEY (price_id, meter, tier, above_prompt_tokens, window_start, window_end, weekdays);
ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_model_id_effective_at_key UNIQUE (model_id, effective_at);
ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.price_proposal_entry
    ADD CONSTRAINT price_proposal_entry_pkey PRIMARY KEY (proposal_id, "position");
ALTER TABLE ONLY public.price_proposal
    ADD CONSTRAINT price_proposal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider
    ADD CONSTRAINT provider_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider_statement_line
    ADD CONSTRAINT provider_statement_line_pkey PRIMARY KEY (statement_id, day, model);
ALTER TABLE ONLY public.provider_statement
    ADD CONSTRAINT provider_statement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.provider_statement
    ADD CONSTRAINT provider_statement_provider_id_sha256_key UNIQUE (provider_id, sha256);
ALTER TABLE ONLY public.rate_limit
    ADD CONSTRAINT rate_limit_number_key UNIQUE (number);
ALTER TABLE ONLY public.rate_limit
    ADD CONSTRAINT rate_limit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rate_limit_pool
    ADD CONSTRAINT rate_limit_pool_pkey PRIMARY KEY (limit_id);
ALTER TABLE ONLY public.rate_limit_share
    ADD CONSTRAINT rate_limit_share_pkey PRIMARY KEY (limit_id, gateway_id, process);
ALTER TABLE ONLY public.rerating
    ADD CONSTRAINT rerating_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rerating_unfolded
    ADD CONSTRAINT rerating_unfolded_number_key UNIQUE (number);
ALTER TABLE ONLY public.rerating_unfolded
    ADD CONSTRAINT rerating_unfolded_pkey PRIMARY KEY (rerating_id);
ALTER TABLE ONLY public.role_binding
    ADD CONSTRAINT role_binding_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.role
    ADD CONSTRAINT role_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.route
    ADD CONSTRAINT route_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.route_target
    ADD CONSTRAINT route_target_pkey PRIMARY KEY (route_id, "position");
ALTER TABLE ONLY public.scope_closure
    ADD CONSTRAINT scope_closure_pkey PRIMARY KEY (ancestor_id, descendant_id);
ALTER TABLE ONLY public.scope_node
    ADD CONSTRAINT scope_node_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.service_account
    ADD CONSTRAINT service_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signing_key
    ADD CONSTRAINT signing_key_pkey PRIMARY KEY (key_id);
ALTER TABLE ONLY public.snapshot_chunk
    ADD CONSTRAINT snapshot_chunk_pkey PRIMARY KEY (group_id, name);
ALTER TABLE ONLY public.snapshot_dirty
    ADD CONSTRAINT snapshot_dirty_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.snapshot
    ADD CONSTRAINT snapshot_pkey PRIMARY KEY (group_id, epoch, version);
ALTER TABLE ONLY public.snapshot_timestamp
    ADD CONSTRAINT snapshot_timestamp_pkey PRIMARY KEY (group_id);
ALTER TABLE ONLY public.subject_key
    ADD CONSTRAINT subject_key_pkey PRIMARY KEY (subject_id);
ALTER TABLE ONLY public.trust_root
    ADD CONSTRAINT trust_root_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.usage_correction
    ADD CONSTRAINT usage_correction_pkey PRIMARY KEY (rerating_id, stream_id, seq);
ALTER TABLE ONLY public.usage_day
    ADD CONSTRAINT usage_day_pkey PRIMARY KEY (series_id, starts_at);
ALTER TABLE ONLY public.usage_dropped
    ADD CONSTRAINT usage_dropped_pkey PRIMARY KEY (level);
ALTER TABLE ONLY public.usage_gap
    ADD CONSTRAINT usage_gap_pkey PRIMARY KEY (stream_id, from_seq);
ALTER TABLE ONLY public.usage_hour
    ADD CONSTRAINT usage_hour_pkey PRIMARY KEY (series_id, starts_at);
ALTER TABLE ONLY public.usage_minute
    ADD CONSTRAINT usage_minute_pkey PRIMARY KEY (series_id, starts_at);
ALTER TABLE ONLY public.usage_quarter_day
    ADD CONSTRAINT usage_quarter_day_pkey PRIMARY KEY (series_id, starts_at);
ALTER TABLE ONLY public.usage_rejected
    ADD CONSTRAINT usage_rejected_pkey PRIMARY KEY (stream_id, seq);
ALTER TABLE ONLY public.usage_retention
    ADD CONSTRAINT usage_retention_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.usage_series
    ADD CONSTRAINT usage_series_dimensions UNIQUE (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id, outcome, status, tag_set_id);
ALTER TABLE ONLY public.usage_series
    ADD CONSTRAINT usage_series_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage_stream
    ADD CONSTRAINT usage_stream_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage_tag_count
    ADD CONSTRAINT usage_tag_count_pkey PRIMARY KEY (organization_id);
ALTER TABLE ONLY public.usage_tag_set
    ADD CONSTRAINT usage_tag_set_organization_id_text_key UNIQUE (organization_id, text);
ALTER TABLE ONLY public.usage_tag_set
    ADD CONSTRAINT usage_tag_set_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.usage_unfolded
    ADD CONSTRAINT usage_unfolded_pkey PRIMARY KEY (stream_id, from_seq);
ALTER TABLE ONLY public.user_account
    ADD CONSTRAINT user_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_group
    ADD CONSTRAINT user_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.virtual_key
    ADD CONSTRAINT virtual_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.virtual_key
    ADD CONSTRAINT virtual_key_public_id_key UNIQUE (public_id);
ALTER TABLE ONLY public.virtual_key_secret
    ADD CONSTRAINT virtual_key_secret_key_id_ordinal_key UNIQUE (key_id, ordinal);
ALTER TABLE ONLY public.virtual_key_secret
    ADD CONSTRAINT virtual_key_secret_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_pkey PRIMARY KEY (webhook_id, event_id);
ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_secret
    ADD CONSTRAINT webhook_secret_pkey PRIMARY KEY (webhook_id, version);
ALTER TABLE ONLY public.zone_offset
    ADD CONSTRAINT zone_offset_pkey PRIMARY KEY (zone);
CREATE INDEX api_token_partition ON public.api_token USING btree (public.access_partition(organization_id), id);
CREATE INDEX api_token_subject ON public.api_token USING btree (subject_id, id);
CREATE UNIQUE INDEX approval_open ON public.approval USING btree (requester_id, request_sha256) WHERE (state = ANY (ARRAY['pending'::text, 'approved'::text]));
CREATE INDEX approval_organization ON public.approval USING btree (organization_id, id);
CREATE INDEX approval_requester ON public.approval USING btree (requester_id, id);
CREATE INDEX approval_rule_partition ON public.approval_rule USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX approval_state ON public.approval USING btree (state, id);
CREATE INDEX approval_vote_subject ON public.approval_vote USING btree (subject_id);
CREATE UNIQUE INDEX audit_log_system ON public.audit_log USING btree (lane) WHERE (organization_id IS NULL);
CREATE INDEX budget_held_change_account ON public.budget_held_change USING btree (account_id);
CREATE INDEX budget_increase_budget ON public.budget_increase USING btree (budget_id, until_at);
CREATE INDEX budget_key ON public.budget USING btree (key_id) WHERE ((deleted_at IS NULL) AND (key_id IS NOT NULL));
CREATE INDEX budget_lease_open ON public.budget_lease USING btree (gateway_id, process) WHERE (state <> 'closed'::text);
CREATE INDEX budget_node ON public.budget USING btree (node_id) WHERE ((deleted_at IS NULL) AND (node_id IS NOT NULL));
CREATE INDEX budget_of_owner ON public.budget USING btree (owner_id) WHERE (owner_id IS NOT NULL);
CREATE INDEX budget_organization ON public.budget USING btree (organization_id, id) WHERE (deleted_at IS NULL);
CREATE INDEX budget_tag ON public.budget USING btree (node_id, tag_name) WHERE ((deleted_at IS NULL) AND (tag_name IS NOT NULL));
CREATE INDEX budget_zone ON public.budget USING btree (time_zone);
CREATE INDEX change_at ON public.change USING btree (at, id);
CREATE INDEX change_organization ON public.change USING btree (organization_id, id);
CREATE INDEX change_publication_version ON public.change_publication USING btree (group_id, epoch, version);
CREATE INDEX credential_provider ON public.credential USING btree (provider_id, id);
CREATE INDEX deny_rule_access ON public.deny_rule USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX deny_rule_name ON public.deny_rule USING btree (public.access_partition(organization_id), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX deny_rule_partition ON public.deny_rule USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX deny_rule_removed ON public.deny_rule USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX deny_rule_scope ON public.deny_rule USING btree (scope_id) WHERE ((deleted_at IS NULL) AND (scope_id IS NOT NULL));
CREATE INDEX deny_rule_subject ON public.deny_rule USING btree (subject_id) WHERE ((deleted_at IS NULL) AND (subject_id IS NOT NULL));
CREATE INDEX duty_separation_access ON public.duty_separation USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX duty_separation_name ON public.duty_separation USING btree (public.access_partition(organization_id), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX duty_separation_partition ON public.duty_separation USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX duty_separation_removed ON public.duty_separation USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX event_organization ON public.event USING btree (organization_id, id);
CREATE INDEX event_type ON public.event USING btree (type, id);
CREATE INDEX gateway_active ON public.gateway USING btree (group_id, id) WHERE (status = 'active'::text);
CREATE INDEX gateway_group_members ON public.gateway USING btree (group_id, id);
CREATE UNIQUE INDEX gateway_group_name ON public.gateway_group USING btree (lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX gateway_group_organization_org ON public.gateway_group_organization USING btree (organization_id);
CREATE INDEX group_member_access ON public.group_member USING btree (public.access_partition(organization_id), access_revision);
CREATE INDEX group_member_member ON public.group_member USING btree (member_id, group_id) WHERE (deleted_at IS NULL);
CREATE INDEX group_member_removed ON public.group_member USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);
CREATE INDEX join_token_end ON public.join_token USING btree (LEAST(used_at, expires_at));
CREATE UNIQUE INDEX model_name ON public.model USING btree (provider_id, name) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX price_adjustment_entry ON public.price_adjustment USING btree (organization_id, COALESCE(provider_id, '00000000-0000-0000-0000-000000000000'::uuid), COALESCE(model_id, '00000000-0000-0000-0000-000000000000'::uuid), effective_at);
CREATE INDEX price_adjustment_organization ON public.price_adjustment USING btree (organization_id, id);
CREATE UNIQUE INDEX price_fallback ON public.price USING btree (effective_at) WHERE (model_id IS NULL);
CREATE INDEX price_proposal_provider ON public.price_proposal USING btree (provider_id, id);
CREATE INDEX price_proposal_status ON public.price_proposal USING btree (status, id);
CREATE UNIQUE INDEX provider_name ON public.provider USING btree (COALESCE(node_id, '00000000-0000-0000-0000-000000000000'::uuid), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX provider_node ON public.provider USING btree (node_id);
CREATE INDEX provider_statement_provider ON public.provider_statement USING btree (provider_id, id);
CREATE INDEX rate_limit_key ON public.rate_limit USING btree (key_id) WHERE ((deleted_at IS NULL) AND (key_id IS NOT NULL));
CREATE INDEX rate_limit_node ON public.rate_limit USING btree (node_id) WHERE ((deleted_at IS NULL) AND (node_id IS NOT NULL));
CREATE INDEX rate_limit_of_owner ON public.rate_limit USING btree (owner_id) WHERE (owner_id IS NOT NULL);
CREATE INDEX rate_limit_organization ON public.rate_limit USING btree (organization_id, id) WHERE (deleted_at IS NULL);
CREATE INDEX rate_limit_share_process ON public.rate_limit_share USING btree (gateway_id, process);
CREATE INDEX rate_limit_share_renewed ON public.rate_limit_share USING btree (renewed_at);
CREATE INDEX rate_limit_tag ON public.rate_limit USING btree (node_id, tag_name) WHERE ((deleted_at IS NULL) AND (tag_name IS NOT NULL));
CREATE INDEX rerating_model ON public.rerating USING btree (model_id, id);
CREATE INDEX role_access ON public.role USING btree (public.access_partition(organization_id), access_revision);
CREATE INDEX role_binding_access ON public.role_binding USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX role_binding_once ON public.role_binding USING btree (subject_id, role_id, public.access_partition(scope_id)) WHERE (deleted_at IS NULL);
CREATE INDEX role_binding_partition ON public.role_binding USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX role_binding_removed ON public.role_binding USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX role_binding_role ON public.role_binding USING btree (role_id) WHERE (deleted_at IS NULL);
CREATE INDEX role_binding_scope ON public.role_binding USING btree (scope_id) WHERE ((deleted_at IS NULL) AND (scope_id IS NOT NULL));
CREATE UNIQUE INDEX role_name ON public.role USING btree (public.access_partition(organization_id), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX role_partition ON public.role USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX role_removed ON public.role USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE UNIQUE INDEX route_alias ON public.route USING btree (COALESCE(node_id, '00000000-0000-0000-0000-000000000000'::uuid), alias) WHERE (deleted_at IS NULL);
CREATE INDEX route_by_alias ON public.route USING btree (alias, id);
CREATE INDEX route_node ON public.route USING btree (node_id);
CREATE INDEX route_target_credential ON public.route_target USING btree (credential_id);
CREATE INDEX route_target_model ON public.route_target USING btree (model_id);
CREATE INDEX scope_closure_descendant ON public.scope_closure USING btree (descendant_id, depth);
CREATE INDEX scope_node_access ON public.scope_node USING btree (organization_id, access_revision);
CREATE INDEX scope_node_kind ON public.scope_node USING btree (kind, id);
CREATE UNIQUE INDEX scope_node_name ON public.scope_node USING btree (COALESCE(parent_id, '00000000-0000-0000-0000-000000000000'::uuid), kind, lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX scope_node_organization ON public.scope_node USING btree (organization_id, kind, id);
CREATE INDEX scope_node_parent ON public.scope_node USING btree (parent_id);
CREATE INDEX service_account_access ON public.service_account USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX service_account_name ON public.service_account USING btree (public.access_partition(organization_id), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX service_account_node ON public.service_account USING btree (node_id) WHERE (deleted_at IS NULL);
CREATE INDEX service_account_partition ON public.service_account USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX snapshot_dirty_group ON public.snapshot_dirty USING btree (group_id);
CREATE INDEX usage_correction_model ON public.usage_correction USING btree (model_id, started_at);
CREATE INDEX usage_correction_record ON public.usage_correction USING btree (stream_id, seq, number);
CREATE INDEX usage_day_corrected ON public.usage_day USING btree (corrections_nano_usd) WHERE (corrections_nano_usd <> 0);
CREATE INDEX usage_day_time ON public.usage_day USING btree (starts_at);
CREATE INDEX usage_event_time ON ONLY public.usage_event USING brin (ingested_at, started_at, request_id);
CREATE INDEX usage_event_default_ingested_at_started_at_request_id_idx ON public.usage_event_default USING brin (ingested_at, started_at, request_id);
CREATE INDEX usage_gap_gateway ON public.usage_gap USING btree (gateway_id, reported_at, stream_id, from_seq);
CREATE INDEX usage_gap_time ON public.usage_gap USING btree (reported_at, stream_id, from_seq);
CREATE INDEX usage_hour_corrected ON public.usage_hour USING btree (corrections_nano_usd) WHERE (corrections_nano_usd <> 0);
CREATE INDEX usage_hour_time ON public.usage_hour USING btree (starts_at);
CREATE INDEX usage_minute_corrected ON public.usage_minute USING btree (corrections_nano_usd) WHERE (corrections_nano_usd <> 0);
CREATE INDEX usage_minute_time ON public.usage_minute USING btree (starts_at);
CREATE INDEX usage_quarter_day_corrected ON public.usage_quarter_day USING btree (corrections_nano_usd) WHERE (corrections_nano_usd <> 0);
CREATE INDEX usage_quarter_day_time ON public.usage_quarter_day USING btree (starts_at);
CREATE INDEX usage_series_key ON public.usage_series USING btree (key_id);
CREATE INDEX usage_series_project ON public.usage_series USING btree (project_id);
CREATE INDEX usage_stream_gateway ON public.usage_stream USING btree (gateway_id, id);
CREATE INDEX usage_tag_set_tags ON public.usage_tag_set USING gin (tags jsonb_path_ops);
CREATE INDEX usage_unfolded_time ON public.usage_unfolded USING btree (ingested_at, stream_id, from_seq);
CREATE INDEX user_account_access ON public.user_account USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX user_account_login ON public.user_account USING btree (lower(login) text_pattern_ops, public.access_partition(organization_id)) WHERE (deleted_at IS NULL);
CREATE INDEX user_account_partition ON public.user_account USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX user_group_access ON public.user_group USING btree (public.access_partition(organization_id), access_revision);
CREATE UNIQUE INDEX user_group_name ON public.user_group USING btree (public.access_partition(organization_id), lower(name)) WHERE (deleted_at IS NULL);
CREATE INDEX user_group_partition ON public.user_group USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
CREATE INDEX virtual_key_organization ON public.virtual_key USING btree (organization_id, id);
CREATE INDEX virtual_key_owner ON public.virtual_key USING btree (owner_id) WHERE (owner_id IS NOT NULL);
CREATE INDEX virtual_key_project ON public.virtual_key USING btree (project_id, id);
CREATE INDEX virtual_key_restricted ON public.virtual_key USING btree (organization_id) WHERE ((deleted_at IS NULL) AND ((allowed_models IS NOT NULL) OR (cardinality(allowed_networks) > 0) OR (tags <> '{}'::jsonb)));
CREATE INDEX webhook_delivery_due ON public.webhook_delivery USING btree (next_at) WHERE (state = 'pending'::text);
CREATE INDEX webhook_delivery_event ON public.webhook_delivery USING btree (event_id);
CREATE INDEX webhook_delivery_waiting ON public.webhook_delivery USING btree (webhook_id, created_at) WHERE (state = 'pending'::text);
CREATE INDEX webhook_partition ON public.webhook USING btree (public.access_partition(organization_id), id) WHERE (deleted_at IS NULL);
ALTER INDEX public.usage_event_time ATTACH PARTITION public.usage_event_default_ingested_at_started_at_request_id_idx;
CREATE TRIGGER audit_leaf_immutable BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse();
ALTER TABLE public.audit_leaf ENABLE ALWAYS TRIGGER audit_leaf_immutable;
CREATE TRIGGER budget_account_spent AFTER DELETE ON public.budget_account_unseen REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.budget_account_spend();
CREATE TRIGGER budget_account_unseen AFTER INSERT ON public.budget_account FOR EACH ROW WHEN ((new.spent_before > 0)) EXECUTE FUNCTION public.budget_account_mark();
CREATE TRIGGER budget_held_changed AFTER UPDATE ON public.budget_lease FOR EACH ROW WHEN (((new.summed = old.summed) AND (GREATEST((new.granted - new.returned), new.posted, new.settled) <> GREATEST((old.granted - old.returned), old.posted, old.settled)))) EXECUTE FUNCTION public.budget_held_note();
CREATE TRIGGER budget_held_made AFTER INSERT ON public.budget_lease FOR EACH ROW WHEN ((GREATEST((new.granted - new.returned), new.posted, new.settled) <> 0)) EXECUTE FUNCTION public.budget_held_note();
CREATE TRIGGER budget_settled_changed AFTER UPDATE OF settled ON public.budget_lease FOR EACH ROW WHEN (((new.settled <> old.settled) AND (new.marked = old.marked))) EXECUTE FUNCTION public.budget_lease_mark();
CREATE TRIGGER budget_settled_made AFTER INSERT ON public.budget_lease FOR EACH ROW WHEN (((new.settled <> 0) AND (new.marked = 0))) EXECUTE FUNCTION public.budget_lease_mark();
CREATE TRIGGER change_pending AFTER INSERT ON public.change FOR EACH ROW EXECUTE FUNCTION public.change_mark_pending();
CREATE TRIGGER deny_rule_stamp BEFORE INSERT OR UPDATE OF permissions, expires_at, deleted_at ON public.deny_rule FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER duty_separation_stamp BEFORE INSERT OR UPDATE OF first, second, deleted_at ON public.duty_separation FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER group_member_stamp BEFORE INSERT OR UPDATE OF deleted_at ON public.group_member FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER role_binding_stamp BEFORE INSERT OR UPDATE OF expires_at, deleted_at ON public.role_binding FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER role_stamp BEFORE INSERT OR UPDATE OF permissions, deleted_at ON public.role FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER scope_node_closure AFTER INSERT ON public.scope_node FOR EACH ROW EXECUTE FUNCTION public.scope_node_insert_closure();
CREATE TRIGGER scope_node_stamp BEFORE INSERT OR UPDATE OF deleted_at ON public.scope_node FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER service_account_stamp BEFORE INSERT OR UPDATE OF status, deleted_at ON public.service_account FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.budget FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_budget();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.credential FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_of_provider('6');
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.gateway FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_gateway();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.gateway_group FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_group();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR DELETE ON public.gateway_group_organization FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_membership();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.model FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_of_provider('7');
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.price FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_price();
CREATE TRIGGER snapshot_dirty AFTER INSERT ON public.price_adjustment FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_adjustment();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.provider FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_provider();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.rate_limit FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_rate_limit();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.route FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_route();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.scope_node FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_node();
CREATE TRIGGER snapshot_dirty AFTER UPDATE OF status, deleted_at ON public.service_account FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_owner();
CREATE TRIGGER snapshot_dirty AFTER UPDATE OF status, deleted_at ON public.user_account FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_owner();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR UPDATE ON public.virtual_key FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_key();
CREATE TRIGGER snapshot_dirty AFTER INSERT OR DELETE OR UPDATE ON public.virtual_key_secret FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_key_secret();
CREATE TRIGGER snapshot_dirty AFTER UPDATE ON public.zone_offset FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_zone();
CREATE TRIGGER snapshot_dirty_owner AFTER INSERT OR UPDATE OF owner_id, deleted_at ON public.virtual_key FOR EACH ROW EXECUTE FUNCTION public.snapshot_mark_owned_key();
CREATE TRIGGER subject_key_forgotten BEFORE DELETE OR UPDATE ON public.subject_key FOR EACH ROW WHEN ((old.forgotten_at IS NOT NULL)) EXECUTE FUNCTION public.subject_key_refuse();
CREATE TRIGGER user_account_stamp BEFORE INSERT OR UPDATE OF status, deleted_at ON public.user_account FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
CREATE TRIGGER user_group_stamp BEFORE INSERT OR UPDATE OF status, deleted_at ON public.user_group FOR EACH ROW EXECUTE FUNCTION public.access_stamp();
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_scope_id_fkey FOREIGN KEY (scope_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.api_token_secret
    ADD CONSTRAINT api_token_secret_token_id_fkey FOREIGN KEY (token_id) REFERENCES public.api_token(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.approval_rule
    ADD CONSTRAINT approval_rule_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.approval_rule
    ADD CONSTRAINT approval_rule_scope_id_fkey FOREIGN KEY (scope_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.approval
    ADD CONSTRAINT approval_scope_id_fkey FOREIGN KEY (scope_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.approval_vote
    ADD CONSTRAINT approval_vote_approval_id_fkey FOREIGN KEY (approval_id) REFERENCES public.approval(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.audit_leaf
    ADD CONSTRAINT audit_leaf_log_id_fkey FOREIGN KEY (log_id) REFERENCES public.audit_log(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_account
    ADD CONSTRAINT budget_account_budget_id_fkey FOREIGN KEY (budget_id) REFERENCES public.budget(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_account_spent
    ADD CONSTRAINT budget_account_spent_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.budget_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_checkpoint
    ADD CONSTRAINT budget_checkpoint_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.budget_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_increase
    ADD CONSTRAINT budget_increase_budget_id_fkey FOREIGN KEY (budget_id) REFERENCES public.budget(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.virtual_key(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_lease
    ADD CONSTRAINT budget_lease_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.budget_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget_threshold_crossing
    ADD CONSTRAINT budget_threshold_crossing_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.budget_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.budget
    ADD CONSTRAINT budget_time_zone_fkey FOREIGN KEY (time_zone) REFERENCES public.zone_offset(zone) ON DELETE RESTRICT;
ALTER TABLE ONLY public.change_pending
    ADD CONSTRAINT change_pending_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.change(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.change_pending
    ADD CONSTRAINT change_pending_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.change_publication
    ADD CONSTRAINT change_publication_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.change(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.change_publication
    ADD CONSTRAINT change_publication_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.credential
    ADD CONSTRAINT credential_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.provider(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.deny_rule
    ADD CONSTRAINT deny_rule_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.deny_rule
    ADD CONSTRAINT deny_rule_scope_id_fkey FOREIGN KEY (scope_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.duty_separation
    ADD CONSTRAINT duty_separation_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.gateway_group_credential
    ADD CONSTRAINT gateway_group_credential_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES public.credential(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway_group_credential
    ADD CONSTRAINT gateway_group_credential_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.gateway_group_key
    ADD CONSTRAINT gateway_group_key_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway_group_organization
    ADD CONSTRAINT gateway_group_organization_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway_group_organization
    ADD CONSTRAINT gateway_group_organization_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway_process
    ADD CONSTRAINT gateway_process_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway_status
    ADD CONSTRAINT gateway_status_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.group_member
    ADD CONSTRAINT group_member_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.user_group(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.join_token
    ADD CONSTRAINT join_token_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.model
    ADD CONSTRAINT model_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.provider(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_adjustment
    ADD CONSTRAINT price_adjustment_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_adjustment
    ADD CONSTRAINT price_adjustment_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_adjustment
    ADD CONSTRAINT price_adjustment_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.provider(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_item
    ADD CONSTRAINT price_item_price_id_fkey FOREIGN KEY (price_id) REFERENCES public.price(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.price
    ADD CONSTRAINT price_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_proposal_entry
    ADD CONSTRAINT price_proposal_entry_before_id_fkey FOREIGN KEY (before_id) REFERENCES public.price(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_proposal_entry
    ADD CONSTRAINT price_proposal_entry_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.price_proposal_entry
    ADD CONSTRAINT price_proposal_entry_proposal_id_fkey FOREIGN KEY (proposal_id) REFERENCES public.price_proposal(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.price_proposal
    ADD CONSTRAINT price_proposal_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.provider(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.provider
    ADD CONSTRAINT provider_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.provider_statement_line
    ADD CONSTRAINT provider_statement_line_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES public.provider_statement(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.provider_statement
    ADD CONSTRAINT provider_statement_provider_id_fkey FOREIGN KEY (provider_id) REFERENCES public.provider(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rate_limit
    ADD CONSTRAINT rate_limit_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.virtual_key(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rate_limit
    ADD CONSTRAINT rate_limit_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rate_limit
    ADD CONSTRAINT rate_limit_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rate_limit_pool
    ADD CONSTRAINT rate_limit_pool_limit_id_fkey FOREIGN KEY (limit_id) REFERENCES public.rate_limit(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rate_limit_share
    ADD CONSTRAINT rate_limit_share_limit_id_fkey FOREIGN KEY (limit_id) REFERENCES public.rate_limit_pool(limit_id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rerating
    ADD CONSTRAINT rerating_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rerating
    ADD CONSTRAINT rerating_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.rerating_unfolded
    ADD CONSTRAINT rerating_unfolded_rerating_id_fkey FOREIGN KEY (rerating_id) REFERENCES public.rerating(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.role_binding
    ADD CONSTRAINT role_binding_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.role_binding
    ADD CONSTRAINT role_binding_scope_id_fkey FOREIGN KEY (scope_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.role
    ADD CONSTRAINT role_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.route
    ADD CONSTRAINT route_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.route_target
    ADD CONSTRAINT route_target_credential_id_fkey FOREIGN KEY (credential_id) REFERENCES public.credential(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.route_target
    ADD CONSTRAINT route_target_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.model(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.route_target
    ADD CONSTRAINT route_target_route_id_fkey FOREIGN KEY (route_id) REFERENCES public.route(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.scope_closure
    ADD CONSTRAINT scope_closure_ancestor_id_fkey FOREIGN KEY (ancestor_id) REFERENCES public.scope_node(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.scope_closure
    ADD CONSTRAINT scope_closure_descendant_id_fkey FOREIGN KEY (descendant_id) REFERENCES public.scope_node(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.scope_node
    ADD CONSTRAINT scope_node_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.scope_node
    ADD CONSTRAINT scope_node_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.service_account
    ADD CONSTRAINT service_account_node_id_fkey FOREIGN KEY (node_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.service_account
    ADD CONSTRAINT service_account_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.snapshot_chunk
    ADD CONSTRAINT snapshot_chunk_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.snapshot_chunk
    ADD CONSTRAINT snapshot_chunk_sha256_fkey FOREIGN KEY (sha256) REFERENCES public.blob(sha256) ON DELETE RESTRICT;
ALTER TABLE ONLY public.snapshot_dirty
    ADD CONSTRAINT snapshot_dirty_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.snapshot
    ADD CONSTRAINT snapshot_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.snapshot_timestamp
    ADD CONSTRAINT snapshot_timestamp_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.gateway_group(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.usage_correction
    ADD CONSTRAINT usage_correction_rerating_id_fkey FOREIGN KEY (rerating_id) REFERENCES public.rerating(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_correction
    ADD CONSTRAINT usage_correction_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.usage_series(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_day
    ADD CONSTRAINT usage_day_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.usage_series(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_gap
    ADD CONSTRAINT usage_gap_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_gap
    ADD CONSTRAINT usage_gap_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES public.usage_stream(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_hour
    ADD CONSTRAINT usage_hour_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.usage_series(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_minute
    ADD CONSTRAINT usage_minute_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.usage_series(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_quarter_day
    ADD CONSTRAINT usage_quarter_day_series_id_fkey FOREIGN KEY (series_id) REFERENCES public.usage_series(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_stream
    ADD CONSTRAINT usage_stream_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_tag_count
    ADD CONSTRAINT usage_tag_count_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.usage_tag_set
    ADD CONSTRAINT usage_tag_set_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.user_account
    ADD CONSTRAINT user_account_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.user_group
    ADD CONSTRAINT user_group_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.virtual_key
    ADD CONSTRAINT virtual_key_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.virtual_key
    ADD CONSTRAINT virtual_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.virtual_key_secret
    ADD CONSTRAINT virtual_key_secret_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.virtual_key(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.event(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_delivery
    ADD CONSTRAINT webhook_delivery_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhook(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT webhook_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES public.scope_node(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.webhook_secret
    ADD CONSTRAINT webhook_secret_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhook(id) ON DELETE RESTRICT;
GRANT USAGE ON SCHEMA public TO gatehouse_app;
REVOKE ALL ON FUNCTION public.audit_append(organization uuid, in_lane text, leaf bytea, OUT log uuid, OUT leaf_index bigint, OUT leaf_hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_append(organization uuid, in_lane text, leaf bytea, OUT log uuid, OUT leaf_index bigint, OUT leaf_hash bytea) TO gatehouse_app;
REVOKE ALL ON FUNCTION public.audit_log_open(organization uuid, in_lane text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.audit_log_open(organization uuid, in_lane text) TO gatehouse_app;
REVOKE ALL ON FUNCTION public.usage_event_drop(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.usage_event_drop(day date) TO gatehouse_app;
REVOKE ALL ON FUNCTION public.usage_event_partition(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION public.usage_event_partition(day date) TO gatehouse_app;
REVOKE ALL ON FUNCTION public.usage_event_summarize(low timestamp with time zone, high timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.usage_event_summarize(low timestamp with time zone, high timestamp with time zone) TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.access_head TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_token TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.api_token_secret TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.approval TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.approval_rule TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.approval_vote TO gatehouse_app;
GRANT SELECT ON TABLE public.audit_leaf TO gatehouse_app;
GRANT SELECT ON TABLE public.audit_log TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.blob TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.budget TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.budget_account TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.budget_account_spent TO gatehouse_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.budget_account_unseen TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.budget_checkpoint TO gatehouse_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.budget_held_change TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.budget_increase TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.budget_lease TO gatehouse_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.budget_threshold_crossing TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.change TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.change_pending TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.change_publication TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.credential TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.deny_rule TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.deployment TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.duty_separation TO gatehouse_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.event TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_group TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_group_credential TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_group_key TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_group_organization TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_process TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.gateway_status TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.group_member TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_key TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.join_token TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.lease_history TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_check TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ledger_level TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.model TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price TO gatehouse_app;
GRANT SELECT,INSERT ON TABLE public.price_adjustment TO gatehouse_app;
GRANT USAGE ON SEQUENCE public.price_book_version_seq TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.price_item TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.price_proposal TO gatehouse_app;
GRANT SELECT,INSERT ON TABLE public.price_proposal_entry TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_statement TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_statement_line TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.rate_limit TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.rate_limit_pool TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_limit_share TO gatehouse_app;
GRANT SELECT,INSERT ON TABLE public.rerating TO gatehouse_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.rerating_unfolded TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.role TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.role_binding TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.route TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.route_target TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.scope_closure TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.scope_node TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.service_account TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.signing_key TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.snapshot TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.snapshot_chunk TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.snapshot_dirty TO gatehouse_app;
GRANT USAGE ON SEQUENCE public.snapshot_dirty_id_seq TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.snapshot_timestamp TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.subject_key TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.trust_root TO gatehouse_app;
GRANT SELECT,INSERT ON TABLE public.usage_correction TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_day TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.usage_dropped TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_event TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_event_default TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_gap TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_hour TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_minute TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_quarter_day TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_rejected TO gatehouse_app;
GRANT SELECT,UPDATE ON TABLE public.usage_retention TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_series TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_stream TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_tag_count TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_tag_set TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.usage_unfolded TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.user_account TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.user_group TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.virtual_key TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.virtual_key_secret TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_delivery TO gatehouse_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_secret TO gatehouse_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.zone_offset TO gatehouse_app;
