-- The data plane as the control plane sees it: groups, gateways, and what was published to them.

create table gateway_group (
    id uuid primary key,
    name text not null check (length(name) between 1 and 200),
    key_bucket_bits integer not null default 8 check (key_bucket_bits between 8 and 11),
    max_stale_seconds integer not null default 259200 check (max_stale_seconds between 60 and 31536000),
    max_body_bytes integer not null default 33554432 check (max_body_bytes between 1024 and 1073741824),
    request_seconds integer not null default 900 check (request_seconds between 1 and 86400),
    -- The current key-encryption key of the group's credentials, wrapped by the instance's.
    key_epoch integer not null default 0,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index gateway_group_name on gateway_group (lower(name)) where deleted_at is null;

create table gateway_group_key (
    group_id uuid not null references gateway_group (id) on delete cascade,
    epoch integer not null check (epoch >= 1),
    kek_id text not null,
    wrapped_key bytea not null,
    created_at timestamptz not null default now(),
    primary key (group_id, epoch)
);

-- Each version of a credential is encrypted once for a group, so that a snapshot that says the same has the same bytes.
create table gateway_group_credential (
    group_id uuid not null references gateway_group (id) on delete cascade,
    credential_id uuid not null references credential (id) on delete cascade,
    version integer not null,
    key_epoch integer not null,
    sealed bytea not null,
    primary key (group_id, credential_id, version, key_epoch)
);

create table gateway_group_organization (
    group_id uuid not null references gateway_group (id) on delete cascade,
    organization_id uuid not null references scope_node (id) on delete cascade,
    primary key (group_id, organization_id)
);
create index gateway_group_organization_org on gateway_group_organization (organization_id);

create table join_token (
    id uuid primary key,
    digest bytea not null unique check (length(digest) = 32),
    group_id uuid not null references gateway_group (id) on delete cascade,
    expires_at timestamptz not null,
    used_at timestamptz,
    used_by uuid,
    created_at timestamptz not null default now()
);

create table gateway (
    id uuid primary key,
    group_id uuid not null references gateway_group (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    identity_key bytea not null check (length(identity_key) = 32),
    sealing_key bytea not null check (length(sealing_key) = 32),
    status text not null default 'active' check (status in ('active', 'removed')),
    build integer not null default 0,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create index gateway_group_members on gateway (group_id, id);

-- What a gateway last said of itself.
create table gateway_status (
    gateway_id uuid primary key references gateway (id) on delete cascade,
    process bigint not null,
    seen_at timestamptz not null,
    epoch integer not null,
    version bigint not null,
    manifest bytea not null,
    keyring_epoch integer not null,
    sequence bigint not null,
    nack_epoch integer,
    nack_version bigint,
    nack_code text,
    nack_chunk text,
    nack_message text,
    -- A second process under the same identity, when one was seen, and when.
    other_process bigint,
    other_process_at timestamptz
);

-- Root documents, as signed offline.
create table trust_root (
    version integer primary key check (version >= 1),
    envelope bytea not null,
    payload_sha256 bytea not null check (length(payload_sha256) = 32),
    created_at timestamptz not null default now()
);

-- The config and timestamp keys, wrapped by the key-encryption key; never the root's.
create table signing_key (
    key_id bytea primary key check (length(key_id) = 32),
    role text not null check (role in ('config', 'timestamp')),
    public_key bytea not null,
    kek_id text not null,
    wrapped_key bytea not null,
    created_at timestamptz not null default now()
);

create table blob (
    sha256 bytea primary key check (length(sha256) = 32),
    bytes bytea not null,
    created_at timestamptz not null default now()
);

-- The fence: a version is inserted before it is signed, so that two leaders cannot sign the same one.
create table snapshot (
    group_id uuid not null references gateway_group (id) on delete cascade,
    epoch integer not null check (epoch >= 1),
    version bigint not null check (version >= 1),
    manifest_sha256 bytea check (length(manifest_sha256) = 32),
    payload_sha256 bytea check (length(payload_sha256) = 32),
    keyring_epoch integer not null,
    keyring_sha256 bytea check (length(keyring_sha256) = 32),
    created_at timestamptz not null default now(),
    published_at timestamptz,
    primary key (group_id, epoch, version)
);

-- The chunks of the newest snapshot of a group, to reuse those whose rows did not change.
create table snapshot_chunk (
    group_id uuid not null references gateway_group (id) on delete cascade,
    name text not null,
    type integer not null,
    sha256 bytea not null references blob (sha256) on delete restrict,
    size integer not null,
    raw_sha256 bytea not null,
    raw_size integer not null,
    count integer not null,
    primary key (group_id, name)
);

-- The group's newest timestamp statement, re-issued every minute and on change.
create table snapshot_timestamp (
    group_id uuid primary key references gateway_group (id) on delete cascade,
    sequence bigint not null,
    epoch integer not null,
    version bigint not null,
    envelope bytea not null,
    issued_at timestamptz not null
);

-- Chunk types to rebuild, marked by writes in their own transaction; taken away by the compile that sees them.
create table snapshot_dirty (
    id bigint generated always as identity primary key,
    group_id uuid not null references gateway_group (id) on delete cascade,
    -- A ChunkType of the snapshot format; 0 for everything, 100 for the keyring.
    type integer not null,
    -- For keys: the first 16 bits of the digest, which choose the chunk; null for the whole type.
    bucket integer
);
create index snapshot_dirty_group on snapshot_dirty (group_id);

-- Changes that no snapshot of the group has yet. Entered with the change, taken away by the compile that sees it: what
-- is published is exactly what was visible, also after a dump and restore.
create table change_pending (
    change_id uuid not null references change (id) on delete cascade,
    group_id uuid not null references gateway_group (id) on delete cascade,
    primary key (group_id, change_id)
);

-- Which snapshot a change first became visible in.
create table change_publication (
    change_id uuid not null references change (id) on delete cascade,
    group_id uuid not null references gateway_group (id) on delete cascade,
    epoch integer not null,
    version bigint not null,
    primary key (change_id, group_id)
);
create index change_publication_version on change_publication (group_id, epoch, version);
