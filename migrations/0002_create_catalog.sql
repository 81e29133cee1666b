-- What can be called: providers, their secrets and models, aliases that route to them, and what they cost.
-- `node_id` is the scope node that owns a row and below which it is visible; null is the whole instance.

create table provider (
    id uuid primary key,
    node_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    kind text not null check (kind in ('openai', 'openai-compatible', 'mock')),
    base_url text not null default '' check (length(base_url) <= 1024),
    status text not null default 'active' check (status in ('active', 'disabled')),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index provider_name on provider (coalesce(node_id, '00000000-0000-0000-0000-000000000000'), lower(name))
    where deleted_at is null;

create table credential (
    id uuid primary key,
    provider_id uuid not null references provider (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    status text not null default 'active' check (status in ('active', 'disabled')),
    version integer not null default 1 check (version >= 1),
    -- Envelope encryption: the secret under a data key of its own (AES-256-GCM; the id and version are authenticated),
    -- the data key under the key-encryption key named by `kek_id`.
    kek_id text not null,
    wrapped_key bytea not null,
    ciphertext bytea not null,
    -- The last four characters, to recognise a secret by.
    hint text not null default '',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index credential_provider on credential (provider_id, id);

create table model (
    id uuid primary key,
    provider_id uuid not null references provider (id) on delete restrict,
    -- The provider's own name.
    name text not null check (length(name) between 1 and 200),
    context_window integer not null default 0 check (context_window >= 0),
    max_output_tokens integer not null default 0 check (max_output_tokens >= 0),
    status text not null default 'active' check (status in ('active', 'disabled')),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index model_name on model (provider_id, name) where deleted_at is null;

create table route (
    id uuid primary key,
    node_id uuid references scope_node (id) on delete restrict,
    alias text not null check (alias ~ '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$'),
    status text not null default 'active' check (status in ('active', 'disabled')),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index route_alias on route (coalesce(node_id, '00000000-0000-0000-0000-000000000000'), alias)
    where deleted_at is null;

create table route_target (
    route_id uuid not null references route (id) on delete cascade,
    position integer not null check (position between 0 and 31),
    model_id uuid not null references model (id) on delete restrict,
    credential_id uuid references credential (id) on delete restrict,
    "order" integer not null default 0 check ("order" between 0 and 100),
    weight integer not null default 1 check (weight between 0 and 10000),
    primary key (route_id, position)
);
create index route_target_model on route_target (model_id);
create index route_target_credential on route_target (credential_id);

-- One entry is the whole price of a model from `effective_at` on. Entries are never changed: a new one replaces.
create table price (
    id uuid primary key,
    model_id uuid not null references model (id) on delete restrict,
    effective_at timestamptz not null,
    -- Grows by one for each entry of the book: the book's version.
    book_version bigint generated always as identity,
    created_at timestamptz not null default now(),
    unique (model_id, effective_at)
);

create table price_item (
    price_id uuid not null references price (id) on delete cascade,
    meter text not null check (meter in ('input', 'cached_input', 'cache_write_5m', 'cache_write_1h', 'output',
        'reasoning', 'audio_input', 'audio_output', 'image', 'request')),
    tier text not null default 'standard' check (tier in ('standard', 'flex', 'priority', 'batch')),
    above_prompt_tokens bigint not null default 0 check (above_prompt_tokens >= 0),
    nano_usd_per_million bigint not null check (nano_usd_per_million >= 0),
    primary key (price_id, meter, tier, above_prompt_tokens)
);
