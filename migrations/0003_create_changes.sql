-- How things change: API tokens, idempotency, changes, and the audit log in its final form.

-- Whoever has an API token. Users and service accounts become objects of their own later and keep these ids.
create table api_token (
    id uuid primary key,
    public_id text not null unique,
    digest bytea not null unique check (length(digest) = 32),
    subject_id uuid not null,
    name text not null,
    -- 'root' may do everything, 'none' nothing of itself.
    role text not null check (role in ('root', 'none')),
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now()
);

-- One row for each mutation, written in its transaction.
create table change (
    id uuid primary key,
    at timestamptz not null default now(),
    actor_kind text not null check (actor_kind in ('service_account', 'operator', 'gateway', 'join_token')),
    actor_id uuid not null,
    permission text not null,
    target_kind text not null,
    target_id uuid,
    organization_id uuid
);
create index change_at on change (at, id);
create index change_organization on change (organization_id, id);

-- The status, resource and request hash of an answered request; never a body.
create table idempotency_key (
    actor_id uuid not null,
    key text not null check (length(key) between 1 and 255),
    request_sha256 bytea not null check (length(request_sha256) = 32),
    status integer not null,
    resource_id uuid,
    created_at timestamptz not null default now(),
    primary key (actor_id, key)
);
create index idempotency_key_age on idempotency_key (created_at);

-- Personal data in audit leaves is sealed under a key of its subject; without the key it is gone, the hash stays.
create table subject_key (
    subject_id uuid primary key,
    kek_id text not null,
    wrapped_key bytea not null,
    created_at timestamptz not null default now()
);

-- One RFC 6962 log for each organization, and one for the system (organization_id null).
create table audit_log (
    id uuid primary key,
    organization_id uuid unique,
    size bigint not null default 0 check (size >= 0)
);
create unique index audit_log_system on audit_log ((1)) where organization_id is null;

create table audit_leaf (
    log_id uuid not null references audit_log (id) on delete restrict,
    index bigint not null check (index >= 0),
    -- The exact bytes whose hash is in the tree.
    leaf bytea not null check (octet_length(leaf) <= 61440),
    -- SHA-256(0x00 || leaf), RFC 6962 section 2.1.
    hash bytea not null check (length(hash) = 32),
    appended_at timestamptz not null default clock_timestamp(),
    primary key (log_id, index)
);

-- The only way in: the index is given out under the log head's row lock, so that it has no gap and follows the order of
-- commits. Callers append last, the organization's log before the system's.
create function audit_append(organization uuid, leaf bytea, out log uuid, out leaf_index bigint, out leaf_hash bytea)
language plpgsql security definer set search_path = pg_catalog, public as $$
begin
    if organization is null then
        insert into public.audit_log as l (id, organization_id, size) values (gen_random_uuid(), null, 1)
        on conflict ((1)) where organization_id is null do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    else
        insert into public.audit_log as l (id, organization_id, size) values (gen_random_uuid(), organization, 1)
        on conflict (organization_id) do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    end if;
    leaf_hash := sha256('\x00'::bytea || audit_append.leaf);
    insert into public.audit_leaf (log_id, index, leaf, hash) values (log, leaf_index, audit_append.leaf, leaf_hash);
end $$;

create function audit_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_leaf_immutable before update or delete or truncate on audit_leaf
    for each statement execute function audit_refuse();
alter table audit_leaf enable always trigger audit_leaf_immutable;
