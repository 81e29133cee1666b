-- Who there is besides organizations, and what each may do: users, groups, service accounts, their tokens, roles and bindings.
--
-- Everybody is of one partition: an organization, or the instance (organization_id null). What decides on access of a
-- partition is numbered in the order of commits, so that a process that holds it in memory reads only what changed since.

create table access_head (
    -- An organization, or zeros for the instance.
    partition_id uuid primary key,
    revision bigint not null,
    -- How often rows that were removed long ago were deleted: who holds the partition from before reads all of it again.
    purges bigint not null default 0
) with (fillfactor = 50);
grant select, insert, update on access_head to gatehouse_app;

create function access_partition(organization uuid) returns uuid language sql immutable as
    'select coalesce(organization, ''00000000-0000-0000-0000-000000000000''::uuid)';

-- The next number of a partition; who asks for it waits for those before to commit.
create function access_next(organization uuid) returns bigint language sql as $$
    insert into access_head as h (partition_id, revision) values (access_partition(organization), 1)
    on conflict (partition_id) do update set revision = h.revision + 1 returning revision
$$;

-- All that a transaction changes of a partition has one number: it is seen together.
create function access_stamp() returns trigger language plpgsql as $$
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

create table user_account (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    -- What a person is known by within the partition: a name or an address.
    login text not null check (length(login) between 1 and 320),
    name text not null check (length(name) between 1 and 200),
    email text check (length(email) between 3 and 320),
    status text not null default 'active' check (status in ('active', 'disabled')),
    metadata jsonb not null default '{}',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0
);
-- The login first, and by characters: logins that begin so are found in all partitions too.
create unique index user_account_login
    on user_account (lower(login) text_pattern_ops, access_partition(organization_id)) where deleted_at is null;
create index user_account_partition on user_account (access_partition(organization_id), id) where deleted_at is null;
create index user_account_access on user_account (access_partition(organization_id), access_revision);
create trigger user_account_stamp before insert or update of status, deleted_at on user_account
    for each row execute function access_stamp();

create table user_group (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    description text not null default '' check (length(description) <= 2000),
    status text not null default 'active' check (status in ('active', 'disabled')),
    metadata jsonb not null default '{}',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0
);
create unique index user_group_name on user_group (access_partition(organization_id), lower(name))
    where deleted_at is null;
create index user_group_partition on user_group (access_partition(organization_id), id) where deleted_at is null;
create index user_group_access on user_group (access_partition(organization_id), access_revision);
create trigger user_group_stamp before insert or update of status, deleted_at on user_group
    for each row execute function access_stamp();

create table service_account (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    -- Where it belongs: who may manage service accounts there manages it; null for the instance.
    node_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    description text not null default '' check (length(description) <= 2000),
    status text not null default 'active' check (status in ('active', 'disabled')),
    metadata jsonb not null default '{}',
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0,
    check ((organization_id is null) = (node_id is null))
);
create unique index service_account_name on service_account (access_partition(organization_id), lower(name))
    where deleted_at is null;
create index service_account_partition on service_account (access_partition(organization_id), id)
    where deleted_at is null;
create index service_account_node on service_account (node_id) where deleted_at is null;
create index service_account_access on service_account (access_partition(organization_id), access_revision);
create trigger service_account_stamp before insert or update of status, deleted_at on service_account
    for each row execute function access_stamp();

create table group_member (
    group_id uuid not null references user_group (id) on delete restrict,
    member_kind text not null check (member_kind in ('user', 'group', 'service_account')),
    member_id uuid not null,
    organization_id uuid,
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0,
    primary key (group_id, member_kind, member_id)
);
create index group_member_member on group_member (member_id, group_id) where deleted_at is null;
create index group_member_access on group_member (access_partition(organization_id), access_revision);
create index group_member_removed on group_member (deleted_at) where deleted_at is not null;
create trigger group_member_stamp before insert or update of deleted_at on group_member
    for each row execute function access_stamp();

-- Roles that organizations, or the instance, made; those that are built in are in the code.
create table role (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    description text not null default '' check (length(description) <= 2000),
    permissions text[] not null check (cardinality(permissions) between 1 and 256),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0
);
create unique index role_name on role (access_partition(organization_id), lower(name)) where deleted_at is null;
create index role_partition on role (access_partition(organization_id), id) where deleted_at is null;
create index role_access on role (access_partition(organization_id), access_revision);
create index role_removed on role (deleted_at) where deleted_at is not null;
create trigger role_stamp before insert or update of permissions, deleted_at on role
    for each row execute function access_stamp();

create table role_binding (
    id uuid primary key,
    -- The subject's.
    organization_id uuid references scope_node (id) on delete restrict,
    subject_kind text not null check (subject_kind in ('user', 'group', 'service_account')),
    subject_id uuid not null,
    role_id uuid not null,
    -- Null for the instance.
    scope_id uuid references scope_node (id) on delete restrict,
    reason text not null default '' check (length(reason) <= 2000),
    expires_at timestamptz,
    created_by_kind text not null,
    created_by uuid not null,
    created_at timestamptz not null default now(),
    -- When it last allowed something, to within minutes.
    last_used_at timestamptz,
    revision bigint not null default 1,
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0
);
create unique index role_binding_once on role_binding
    (subject_id, role_id, access_partition(scope_id)) where deleted_at is null;
create index role_binding_partition on role_binding (access_partition(organization_id), id) where deleted_at is null;
create index role_binding_role on role_binding (role_id) where deleted_at is null;
create index role_binding_scope on role_binding (scope_id) where deleted_at is null and scope_id is not null;
create index role_binding_access on role_binding (access_partition(organization_id), access_revision);
create index role_binding_removed on role_binding (deleted_at) where deleted_at is not null;
create trigger role_binding_stamp before insert or update of expires_at, deleted_at on role_binding
    for each row execute function access_stamp();

create table deny_rule (
    id uuid primary key,
    -- Whose users, groups and service accounts it is about.
    organization_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    -- Both null for everybody.
    subject_kind text check (subject_kind in ('user', 'group', 'service_account')),
    subject_id uuid,
    permissions text[] not null check (cardinality(permissions) between 1 and 256),
    scope_id uuid references scope_node (id) on delete restrict,
    reason text not null default '' check (length(reason) <= 2000),
    expires_at timestamptz,
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0,
    check ((subject_kind is null) = (subject_id is null))
);
create unique index deny_rule_name on deny_rule (access_partition(organization_id), lower(name)) where deleted_at is null;
create index deny_rule_partition on deny_rule (access_partition(organization_id), id) where deleted_at is null;
create index deny_rule_subject on deny_rule (subject_id) where deleted_at is null and subject_id is not null;
create index deny_rule_scope on deny_rule (scope_id) where deleted_at is null and scope_id is not null;
create index deny_rule_access on deny_rule (access_partition(organization_id), access_revision);
create index deny_rule_removed on deny_rule (deleted_at) where deleted_at is not null;
create trigger deny_rule_stamp before insert or update of permissions, expires_at, deleted_at on deny_rule
    for each row execute function access_stamp();

-- What nobody may be allowed both of.
create table duty_separation (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    first text[] not null check (cardinality(first) between 1 and 256),
    second text[] not null check (cardinality(second) between 1 and 256),
    reason text not null default '' check (length(reason) <= 2000),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    access_revision bigint not null default 0
);
create unique index duty_separation_name on duty_separation (access_partition(organization_id), lower(name))
    where deleted_at is null;
create index duty_separation_partition on duty_separation (access_partition(organization_id), id)
    where deleted_at is null;
create index duty_separation_access on duty_separation (access_partition(organization_id), access_revision);
create index duty_separation_removed on duty_separation (deleted_at) where deleted_at is not null;
create trigger duty_separation_stamp before insert or update of first, second, deleted_at on duty_separation
    for each row execute function access_stamp();

-- Nodes of the scope tree are where things are allowed: they come and go.
alter table scope_node add column access_revision bigint not null default 0;
create trigger scope_node_stamp before insert or update of deleted_at on scope_node
    for each row execute function access_stamp();
create index scope_node_access on scope_node (organization_id, access_revision);
update scope_node set deleted_at = deleted_at;

-- Tokens are of users or service accounts, bounded, and rotated by a second secret.
alter table api_token add column subject_kind text not null default 'service_account'
    check (subject_kind in ('user', 'service_account'));
-- The subject's.
alter table api_token add column organization_id uuid references scope_node (id) on delete restrict;
-- What it may be used for at most; null for all that its subject may.
alter table api_token add column permissions text[] check (cardinality(permissions) between 1 and 256);
-- Where it may be used; null for everywhere.
alter table api_token add column scope_id uuid references scope_node (id) on delete restrict;
-- Networks in CIDR notation that requests may come from; empty allows every one.
alter table api_token add column allowed_networks text[] not null default '{}' check (cardinality(allowed_networks) <= 100);
-- To within minutes.
alter table api_token add column last_used_at timestamptz;
alter table api_token add column created_by_kind text;
alter table api_token add column created_by uuid;
alter table api_token add column revision bigint not null default 1;
alter table api_token add column updated_at timestamptz not null default now();
create index api_token_subject on api_token (subject_id, id);
create index api_token_partition on api_token (access_partition(organization_id), id);

create table api_token_secret (
    digest bytea primary key check (length(digest) = 32),
    token_id uuid not null references api_token (id) on delete restrict,
    ordinal integer not null check (ordinal >= 1),
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    unique (token_id, ordinal)
);
grant select, insert, update, delete on api_token_secret to gatehouse_app;
insert into api_token_secret (digest, token_id, ordinal, created_at) select digest, id, 1, created_at from api_token;

-- Each token had a service account of its own without a row, and a role that was all or nothing.
insert into service_account (id, name, created_at)
    select distinct on (subject_id) subject_id, left(name, 190) || ' ' || right(subject_id::text, 8), created_at
    from api_token order by subject_id, created_at;
insert into role_binding (id, subject_kind, subject_id, role_id, reason, created_by_kind, created_by, created_at)
    select distinct on (subject_id) gen_random_uuid(), 'service_account', subject_id,
        '00000000-0000-7000-8000-000000000001', 'it was a root token', 'operator', (select id from deployment), created_at
    from api_token where role = 'root' and exists (select from deployment) order by subject_id, created_at;
drop index api_token_administrator;
alter table api_token drop column digest, drop column role;

alter table change drop constraint change_actor_kind_check;
alter table change add constraint change_actor_kind_check
    check (actor_kind in ('user', 'service_account', 'operator', 'gateway', 'join_token'));

grant select, insert, update on user_account, user_group, service_account to gatehouse_app;
grant select, insert, update, delete on group_member, role, role_binding, deny_rule, duty_separation to gatehouse_app;
