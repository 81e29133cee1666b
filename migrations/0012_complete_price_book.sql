-- Prices with conditions, regional uplifts, discounts and margins of organizations, and what else is charged for.

alter table price add column uplift_ppm bigint not null default 1000000 check (uplift_ppm between 0 and 100000000);

-- A window: minutes of the day in UTC, and the weekdays on which it opens (bit 0 is Monday). Three zeros for always.
alter table price_item
    add column window_start integer not null default 0,
    add column window_end integer not null default 0,
    add column weekdays integer not null default 0,
    add constraint price_item_window check (
        (window_start = 0 and window_end = 0 and weekdays = 0)
        or (window_start between 0 and 1439 and window_end between 1 and 1440 and window_start <> window_end
            and weekdays between 1 and 127)),
    drop constraint price_item_meter_check,
    add constraint price_item_meter_check check (meter in ('input', 'cached_input', 'cache_write_5m', 'cache_write_1h',
        'output', 'reasoning', 'audio_input', 'audio_output', 'image', 'request', 'image_input', 'image_output',
        'input_ms', 'output_ms', 'character', 'page', 'search')),
    drop constraint price_item_pkey,
    add primary key (price_id, meter, tier, above_prompt_tokens, window_start, window_end, weekdays);

-- What an organization is charged, relative to the price, from `effective_at` on: of all providers, of one, or of one
-- model. Entries are never changed: a new one replaces.
create table price_adjustment (
    id uuid primary key,
    organization_id uuid not null references scope_node (id) on delete restrict,
    provider_id uuid references provider (id) on delete restrict,
    model_id uuid references model (id) on delete restrict,
    factor_ppm bigint not null check (factor_ppm between 0 and 100000000),
    effective_at timestamptz not null,
    reason text not null default '' check (length(reason) <= 500),
    created_at timestamptz not null default now(),
    check (provider_id is null or model_id is null)
);
create unique index price_adjustment_entry on price_adjustment (organization_id,
    coalesce(provider_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(model_id, '00000000-0000-0000-0000-000000000000'), effective_at);
create index price_adjustment_organization on price_adjustment (organization_id, id);
grant select, insert on price_adjustment to gatehouse_app;

create function snapshot_mark_adjustment() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(new.organization_id, array[10]);
    return null;
end $$;
create trigger snapshot_dirty after insert on price_adjustment
    for each row execute function snapshot_mark_adjustment();

alter table usage_event
    add column adjustment_id uuid,
    add column image_input bigint not null default 0,
    add column image_output bigint not null default 0,
    add column input_ms bigint not null default 0,
    add column output_ms bigint not null default 0,
    add column "character" bigint not null default 0,
    add column page bigint not null default 0,
    add column search bigint not null default 0;
alter table usage_daily
    add column image_input bigint not null default 0,
    add column image_output bigint not null default 0,
    add column input_ms bigint not null default 0,
    add column output_ms bigint not null default 0,
    add column "character" bigint not null default 0,
    add column page bigint not null default 0,
    add column search bigint not null default 0;

-- Prices that somebody proposed for models of a provider: nothing of them holds until somebody else approves.
create table price_proposal (
    id uuid primary key,
    provider_id uuid not null references provider (id) on delete restrict,
    source text not null default '' check (length(source) <= 500),
    -- Null for the moment of approval.
    effective_at timestamptz,
    status text not null check (status in ('open', 'approved', 'rejected')),
    requested_by_kind text not null,
    requested_by uuid not null,
    decided_by_kind text,
    decided_by uuid,
    decided_at timestamptz,
    -- Of the entries: what is in the audit log is what was proposed.
    content_sha256 bytea not null check (length(content_sha256) = 32),
    new_entries integer not null,
    changed_entries integer not null,
    unchanged_entries integer not null,
    unknown_entries integer not null,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((status = 'open') = (decided_at is null))
);
create index price_proposal_provider on price_proposal (provider_id, id);
create index price_proposal_status on price_proposal (status, id);

create table price_proposal_entry (
    proposal_id uuid not null references price_proposal (id) on delete cascade,
    position bigint not null,
    model_name text not null check (length(model_name) between 1 and 200),
    model_id uuid references model (id) on delete restrict,
    effect text not null check (effect in ('new', 'changed', 'unchanged', 'unknown_model')),
    -- The price that was in force.
    before_id uuid references price (id) on delete restrict,
    uplift_ppm bigint not null check (uplift_ppm between 0 and 100000000),
    -- As the API has them.
    items jsonb not null,
    primary key (proposal_id, position)
);
grant select, insert on price_proposal_entry to gatehouse_app;
grant select, insert, update on price_proposal to gatehouse_app;
-- Whoever approves asks whether there is another administrator.
create index api_token_administrator on api_token (subject_id) where role = 'root' and revoked_at is null;

-- What gateways do with models that have no price; a price without a model is the fallback to estimate them by.
alter table gateway_group add column unpriced_models text not null default 'deny'
    check (unpriced_models in ('deny', 'estimate'));
alter table price alter column model_id drop not null;
create unique index price_fallback on price (effective_at) where model_id is null;

-- What records of a model cost after their price was corrected. Records stay as they are: each correction is a row, and
-- the newest one of a record says what it costs.
create table rerating (
    id uuid primary key,
    model_id uuid not null references model (id) on delete restrict,
    -- Null for all organizations.
    organization_id uuid references scope_node (id) on delete restrict,
    from_at timestamptz not null,
    to_at timestamptz not null check (to_at > from_at),
    reason text not null default '' check (length(reason) <= 500),
    records bigint not null,
    corrected bigint not null,
    before_nano_usd bigint not null,
    after_nano_usd bigint not null,
    created_by_kind text not null,
    created_by uuid not null,
    created_at timestamptz not null default now()
);
create index rerating_model on rerating (model_id, id);

create table usage_correction (
    rerating_id uuid not null references rerating (id) on delete restrict,
    stream_id uuid not null,
    seq bigint not null,
    request_id uuid not null,
    organization_id uuid not null,
    project_id uuid not null,
    key_id uuid not null,
    model_id uuid not null,
    started_at timestamptz not null,
    price_before uuid,
    price_after uuid not null,
    before_nano_usd bigint not null check (before_nano_usd >= 0),
    after_nano_usd bigint not null check (after_nano_usd >= 0),
    primary key (rerating_id, stream_id, seq)
);
create index usage_correction_model on usage_correction (model_id, started_at);
grant select, insert on rerating, usage_correction to gatehouse_app;
