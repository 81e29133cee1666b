-- Who there is: organizations, units, projects and keys, and every "under" question answered by scope_closure.

create table deployment (
    singleton boolean primary key default true check (singleton),
    id uuid not null,
    created_at timestamptz not null default now()
);

-- Organizations, units and projects in one tree; what differs is in `kind`.
create table scope_node (
    id uuid primary key,
    kind text not null check (kind in ('organization', 'unit', 'project')),
    parent_id uuid references scope_node (id) on delete restrict,
    organization_id uuid not null references scope_node (id) on delete restrict deferrable initially deferred,
    name text not null check (length(name) between 1 and 200),
    status text not null default 'active' check (status in ('active', 'disabled')),
    metadata jsonb not null default '{}',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    check ((kind = 'organization') = (parent_id is null)),
    check (kind <> 'organization' or organization_id = id)
);
create unique index scope_node_name on scope_node (coalesce(parent_id, '00000000-0000-0000-0000-000000000000'), kind, lower(name))
    where deleted_at is null;
create index scope_node_organization on scope_node (organization_id, kind, id);
create index scope_node_parent on scope_node (parent_id);

create table scope_closure (
    ancestor_id uuid not null references scope_node (id) on delete cascade,
    descendant_id uuid not null references scope_node (id) on delete cascade,
    depth integer not null check (depth between 0 and 10),
    primary key (ancestor_id, descendant_id)
);
create index scope_closure_descendant on scope_closure (descendant_id, depth);

create function scope_node_insert_closure() returns trigger language plpgsql as $$
begin
    insert into scope_closure (ancestor_id, descendant_id, depth)
    select ancestor_id, new.id, depth + 1 from scope_closure where descendant_id = new.parent_id
    union all select new.id, new.id, 0;
    return new;
end $$;
create trigger scope_node_closure after insert on scope_node
    for each row execute function scope_node_insert_closure();

create table virtual_key (
    id uuid primary key,
    public_id text not null unique check (public_id ~ '^[0-9A-Za-z]{16}$'),
    project_id uuid not null references scope_node (id) on delete restrict,
    organization_id uuid not null references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    owner_id uuid,
    status text not null default 'active' check (status in ('active', 'disabled', 'revoked')),
    expires_at timestamptz,
    -- Aliases that may be used; null allows every one.
    allowed_models text[] check (cardinality(allowed_models) <= 500),
    -- Networks in CIDR notation that requests may come from; empty allows every one.
    allowed_networks text[] not null default '{}' check (cardinality(allowed_networks) <= 100),
    metadata jsonb not null default '{}',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index virtual_key_project on virtual_key (project_id, id);
create index virtual_key_organization on virtual_key (organization_id, id);

-- Rotation is a second secret on the same key; the older one ends at its `expires_at`.
create table virtual_key_secret (
    digest bytea primary key check (length(digest) = 32),
    key_id uuid not null references virtual_key (id) on delete restrict,
    ordinal integer not null check (ordinal >= 1),
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    unique (key_id, ordinal)
);
