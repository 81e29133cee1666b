-- Thresholds of budgets that raise events, events, and the webhooks that they are delivered to.

-- Percentages of what may be spent in a window; ascending.
alter table budget add column thresholds bigint[] not null default '{50,80,100}'
    check (cardinality(thresholds) <= 8 and 1 <= all (thresholds) and 1000 >= all (thresholds));

-- Accounts whose money changed and whose thresholds were not looked at since: a row for each change, taken away by whoever
-- looks. Rows are only added by those who store usage, and no two of them can meet: there is nothing unique, and no index.
-- (With one row an account, every gateway's batch would wait for the others' and for the one who looks; with a column in
-- budget_lease and an index over it, its updates could no longer stay in their page.) What is here is what came within
-- some seconds, however many accounts there are.
create table budget_account_unseen (
    account_id bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
grant select, insert, delete on budget_account_unseen to gatehouse_app;

create function budget_lease_mark() returns trigger language plpgsql as $$
begin
    insert into budget_account_unseen (account_id) values (new.account_id);
    return null;
end $$;
create trigger budget_lease_unseen after insert or update of settled on budget_lease
    for each row when (new.settled > 0) execute function budget_lease_mark();

create function budget_account_mark() returns trigger language plpgsql as $$
begin
    insert into budget_account_unseen (account_id) values (new.id);
    return null;
end $$;
create trigger budget_account_unseen after insert on budget_account
    for each row when (new.spent_before > 0) execute function budget_account_mark();

-- What happened. Rows are never changed, and go after some time.
create table event (
    id uuid primary key,
    type text not null check (length(type) between 1 and 64),
    organization_id uuid not null references scope_node (id) on delete restrict,
    subject_kind text not null,
    subject_id uuid not null,
    occurred_at timestamptz not null,
    data jsonb not null
);
create index event_organization on event (organization_id, id);
create index event_type on event (type, id);
grant select, insert, delete on event to gatehouse_app;

-- That an account reached a threshold: once, also when what was spent falls and rises again. It outlives the event.
create table budget_threshold_crossing (
    account_id bigint not null references budget_account (id) on delete restrict,
    percent bigint not null,
    event_id uuid not null,
    crossed_at timestamptz not null,
    primary key (account_id, percent)
);
grant select, insert on budget_threshold_crossing to gatehouse_app;

-- Where events are sent to.
create table webhook (
    id uuid primary key,
    organization_id uuid not null references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    url text not null check (length(url) between 1 and 1024),
    -- '*' for every one.
    event_types text[] not null check (cardinality(event_types) between 1 and 8),
    status text not null check (status in ('active', 'disabled')),
    -- Why we disabled it; null when an administrator did, or nobody.
    disabled_reason text,
    revision bigint not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
create index webhook_organization on webhook (organization_id, id) where deleted_at is null;
grant select, insert, update on webhook to gatehouse_app;

-- What a webhook is signed with: at most two, while one follows the other.
create table webhook_secret (
    webhook_id uuid not null references webhook (id) on delete restrict,
    version integer not null check (version >= 1),
    kek_id text not null,
    wrapped_key bytea not null,
    ciphertext bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    primary key (webhook_id, version)
);
grant select, insert, update, delete on webhook_secret to gatehouse_app;

-- An event that is to be delivered, stored in the event's transaction.
create table webhook_delivery (
    webhook_id uuid not null references webhook (id) on delete restrict,
    event_id uuid not null references event (id) on delete cascade,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    -- Attempts that were begun.
    attempts integer not null default 0 check (attempts >= 0),
    -- When the next one is due; while one is under way, when it is given up as lost with whoever began it.
    next_at timestamptz not null,
    last_at timestamptz,
    -- The last answer's HTTP status, or why there was none.
    last_status integer,
    last_error text check (length(last_error) <= 500),
    created_at timestamptz not null,
    done_at timestamptz,
    primary key (webhook_id, event_id),
    check ((state = 'pending') = (done_at is null))
) with (fillfactor = 80);
create index webhook_delivery_due on webhook_delivery (next_at) where state = 'pending';
create index webhook_delivery_waiting on webhook_delivery (webhook_id, created_at) where state = 'pending';
create index webhook_delivery_event on webhook_delivery (event_id);
grant select, insert, update, delete on webhook_delivery to gatehouse_app;
