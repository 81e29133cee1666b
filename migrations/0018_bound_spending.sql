-- Budgets: how much money a subject may spend in each window, and what gateways hold of it.

-- What the clocks of a time zone show over some years: both planes find windows by it.
create table zone_offset (
    zone text primary key check (length(zone) between 1 and 64),
    -- Seconds since 1970 from which an offset (in seconds ahead of UTC) holds; the first holds before too.
    since bigint[] not null,
    offsets bigint[] not null,
    known_until timestamptz not null,
    check (cardinality(since) between 1 and 64 and cardinality(since) = cardinality(offsets))
);
insert into zone_offset (zone, since, offsets, known_until) values ('UTC', '{0}', '{0}', 'infinity');
grant select, insert, update on zone_offset to gatehouse_app;

create table budget (
    id uuid primary key,
    -- The short name in usage and leases: 1 to 2^32 - 1.
    number bigint generated always as identity (maxvalue 4294967295) unique,
    organization_id uuid not null references scope_node (id) on delete restrict,
    -- Whose spending it bounds: exactly one of these.
    node_id uuid references scope_node (id) on delete restrict,
    key_id uuid references virtual_key (id) on delete restrict,
    owner_id uuid,
    name text not null check (length(name) between 1 and 200),
    amount_nano_usd bigint not null check (amount_nano_usd between 1 and 1000000000000000000),
    period text not null check (period in ('minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', 'total')),
    time_zone text not null references zone_offset (zone) on delete restrict,
    hard boolean not null,
    away text not null check (away in ('deny', 'open')),
    -- What a window left over is added to the next one.
    carry_over boolean not null,
    providers uuid[] not null default '{}',
    models uuid[] not null default '{}',
    status text not null check (status in ('active', 'disabled')),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    check (num_nonnulls(node_id, key_id, owner_id) = 1)
);
create index budget_organization on budget (organization_id, id) where deleted_at is null;
create index budget_node on budget (node_id) where deleted_at is null and node_id is not null;
create index budget_key on budget (key_id) where deleted_at is null and key_id is not null;
create index budget_owner on budget (owner_id) where deleted_at is null and owner_id is not null;
create index budget_zone on budget (time_zone);
grant select, insert, update on budget to gatehouse_app;

-- More money for a while.
create table budget_increase (
    id uuid primary key,
    budget_id uuid not null references budget (id) on delete restrict,
    amount_nano_usd bigint not null check (amount_nano_usd between 1 and 1000000000000000000),
    from_at timestamptz not null,
    until_at timestamptz not null check (until_at > from_at),
    reason text not null check (length(reason) between 1 and 500),
    created_at timestamptz not null default now()
);
create index budget_increase_budget on budget_increase (budget_id, until_at);
grant select, insert, update on budget_increase to gatehouse_app;

-- One budget in one window. What gateways hold is in their leases, and summed when money is granted.
create table budget_account (
    id bigint generated always as identity primary key,
    budget_id uuid not null references budget (id) on delete restrict,
    -- Minutes since 1970 at which the window begins.
    start_minute bigint not null,
    -- Null for never.
    ends_at timestamptz,
    -- Spent in the window before the budget was made.
    spent_before bigint not null default 0 check (spent_before >= 0),
    -- Left over from the window before.
    carried bigint not null default 0 check (carried >= 0),
    -- A gateway showed that grants were lost with a database: nothing is granted until others have shown theirs.
    frozen_until timestamptz,
    created_at timestamptz not null default now(),
    unique (budget_id, start_minute)
);
grant select, insert, update on budget_account to gatehouse_app;

-- What one process of a gateway holds of an account. Sums that only grow, but for `reserved`.
create table budget_lease (
    account_id bigint not null references budget_account (id) on delete restrict,
    gateway_id uuid not null,
    process bigint not null,
    granted bigint not null default 0,
    returned bigint not null default 0,
    -- As the gateway says: what finished requests cost; what those under way may.
    posted bigint not null default 0,
    reserved bigint not null default 0,
    -- The cost of the records that arrived and are charged to it.
    settled bigint not null default 0,
    -- Of the last request that was taken.
    sequence bigint not null default 0,
    state text not null default 'open' check (state in ('open', 'suspense', 'closed')),
    renewed_at timestamptz not null,
    primary key (account_id, gateway_id, process),
    check (granted >= 0 and returned between 0 and granted and posted >= 0 and reserved >= 0 and settled >= 0)
) with (fillfactor = 70);
create index budget_lease_open on budget_lease (gateway_id, process) where state <> 'closed';
grant select, insert, update on budget_lease to gatehouse_app;

-- Which history of which database money was last granted in. Another one lacks the last commits, or is a copy.
create table lease_history (
    single boolean primary key default true check (single),
    system_identifier text not null,
    timeline text not null,
    -- Nothing is granted before: gateways say first what they hold.
    frozen_until timestamptz
);
grant select, insert, update on lease_history to gatehouse_app;

-- The accounts that a record's cost is charged to: the budget's number above 32 bits, the window's minute below.
alter table usage_event add column charges bigint[];

create function snapshot_mark_budget() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(new.organization_id, array[11]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on budget for each row execute function snapshot_mark_budget();

-- A zone whose rules were looked up anew may move windows.
create function snapshot_mark_zone() returns trigger language plpgsql as $$
begin
    if new.since is distinct from old.since or new.offsets is distinct from old.offsets then
        perform snapshot_mark(null, array[11]);
    end if;
    return null;
end $$;
create trigger snapshot_dirty after update on zone_offset for each row execute function snapshot_mark_zone();
