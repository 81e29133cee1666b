-- What was used: exactly the records that gateways settled, each once.

create table usage_stream (
    id uuid primary key,
    gateway_id uuid not null references gateway (id) on delete restrict,
    last_seq bigint not null default 0 check (last_seq >= 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index usage_stream_gateway on usage_stream (gateway_id, id);

create table usage_event (
    ingested_at timestamptz not null,
    stream_id uuid not null,
    seq bigint not null,
    request_id uuid not null,
    gateway_id uuid not null,
    organization_id uuid not null,
    project_id uuid not null,
    key_id uuid not null,
    owner_id uuid,
    route_id uuid,
    model_id uuid,
    provider_id uuid,
    price_id uuid,
    service_tier integer not null,
    started_at timestamptz not null,
    duration_us bigint not null,
    first_byte_us bigint not null,
    status integer not null,
    outcome integer not null,
    stream boolean not null,
    estimate boolean not null,
    attempts integer not null,
    snapshot_epoch integer not null,
    snapshot_version bigint not null,
    code text not null,
    input bigint not null,
    cached_input bigint not null,
    cache_write_5m bigint not null,
    cache_write_1h bigint not null,
    output bigint not null,
    reasoning bigint not null,
    audio_input bigint not null,
    audio_output bigint not null,
    image bigint not null,
    request bigint not null,
    cost_nano_usd bigint not null check (cost_nano_usd >= 0),
    -- What the control plane computes from the same units and price; differs only when a gateway is wrong.
    checked_cost_nano_usd bigint not null
) partition by range (ingested_at);
-- No btree on the hot partition: a block range index serves "by time" and "by request" (whose ids grow with time).
create index usage_event_time on usage_event using brin (ingested_at, started_at, request_id);

create table usage_event_default partition of usage_event default;

-- Sums by day (UTC), key and model; folded in the transaction that stores the records.
create table usage_daily (
    day date not null,
    organization_id uuid not null,
    project_id uuid not null,
    key_id uuid not null,
    model_id uuid not null,
    requests bigint not null default 0,
    refusals bigint not null default 0,
    estimates bigint not null default 0,
    input bigint not null default 0,
    cached_input bigint not null default 0,
    cache_write_5m bigint not null default 0,
    cache_write_1h bigint not null default 0,
    output bigint not null default 0,
    reasoning bigint not null default 0,
    audio_input bigint not null default 0,
    audio_output bigint not null default 0,
    image bigint not null default 0,
    cost_nano_usd bigint not null default 0,
    primary key (day, organization_id, project_id, key_id, model_id)
);
create index usage_daily_key on usage_daily (key_id, day);

-- Records that a gateway had no right to report: for an organization outside its group, or for a project that is not
-- known. Kept as evidence; they count for nobody.
create table usage_rejected (
    stream_id uuid not null,
    seq bigint not null,
    gateway_id uuid not null,
    reason text not null,
    record bytea not null,
    rejected_at timestamptz not null default now(),
    primary key (stream_id, seq)
);
