-- Rate limits: how fast a subject may use something, or how much at once, and how gateways share it.

create table rate_limit (
    id uuid primary key,
    -- The short name between gateways and the control plane: 1 to 2^32 - 1.
    number bigint generated always as identity (maxvalue 4294967295) unique,
    organization_id uuid not null references scope_node (id) on delete restrict,
    -- Whose use it bounds: exactly one of these.
    node_id uuid references scope_node (id) on delete restrict,
    key_id uuid references virtual_key (id) on delete restrict,
    owner_id uuid,
    name text not null check (length(name) between 1 and 200),
    meter text not null
        check (meter in ('concurrent_requests', 'requests', 'input_tokens', 'output_tokens', 'total_tokens')),
    amount bigint not null check (amount between 1 and 100000000000),
    -- Null for requests at the same time.
    period text check (period in ('second', 'minute', 'hour', 'day')),
    burst bigint not null check (burst between 1 and 100000000000),
    strict boolean not null,
    away text not null check (away in ('deny', 'open')),
    providers uuid[] not null default '{}',
    models uuid[] not null default '{}',
    status text not null check (status in ('active', 'disabled')),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    check (num_nonnulls(node_id, key_id, owner_id) = 1),
    check ((meter = 'concurrent_requests') = (period is null))
);
create index rate_limit_organization on rate_limit (organization_id, id) where deleted_at is null;
create index rate_limit_node on rate_limit (node_id) where deleted_at is null and node_id is not null;
create index rate_limit_key on rate_limit (key_id) where deleted_at is null and key_id is not null;
create index rate_limit_owner on rate_limit (owner_id) where deleted_at is null and owner_id is not null;
grant select, insert, update on rate_limit to gatehouse_app;

-- What no process has of a limit: granules (thousandths of units) that are there, and up to when they have flowed in.
create table rate_limit_pool (
    limit_id uuid primary key references rate_limit (id) on delete restrict,
    granules bigint not null,
    filled_at timestamptz not null
) with (fillfactor = 70);
grant select, insert, update on rate_limit_pool to gatehouse_app;

-- What one process of a gateway has of a limit. Sums that only grow, but for `fresh`.
create table rate_limit_share (
    limit_id uuid not null references rate_limit_pool (limit_id) on delete restrict,
    gateway_id uuid not null,
    process bigint not null,
    -- Parts of 65536: that it may be using, that it was told to use, that it would like to have.
    share bigint not null default 0 check (share between 0 and 65536),
    target bigint not null default 0 check (target between 0 and 65536),
    want bigint not null default 0 check (want between 0 and 65536),
    generation bigint not null default 0,
    -- Granules.
    granted bigint not null default 0,
    returned bigint not null default 0,
    borrowed bigint not null default 0,
    fresh bigint not null default 0,
    largest bigint not null default 0,
    -- Of the last request that was taken.
    sequence bigint not null default 0,
    renewed_at timestamptz not null,
    primary key (limit_id, gateway_id, process)
) with (fillfactor = 70);
create index rate_limit_share_process on rate_limit_share (gateway_id, process);
create index rate_limit_share_renewed on rate_limit_share (renewed_at);
grant select, insert, update, delete on rate_limit_share to gatehouse_app;

create function snapshot_mark_rate_limit() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(new.organization_id, array[12]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on rate_limit
    for each row execute function snapshot_mark_rate_limit();
