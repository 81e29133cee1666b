-- What is only done when others agree, and who agreed to what.

-- What needs approvals: changes under these permissions at a scope and below.
create table approval_rule (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    -- Null for the whole instance, all organizations included.
    scope_id uuid references scope_node (id) on delete restrict,
    name text not null check (length(name) between 1 and 200),
    permissions text[] not null check (cardinality(permissions) between 1 and 256),
    -- Of budgets: only what raises one to more than this.
    above_nano_usd bigint check (above_nano_usd >= 0),
    required integer not null check (required between 1 and 8),
    -- Identifiers of those who may approve; none for every user who may decide there.
    approvers text[] not null default '{}' check (cardinality(approvers) <= 32),
    valid_seconds bigint not null check (valid_seconds between 300 and 2592000),
    reason text not null default '' check (length(reason) <= 2000),
    revision bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    check ((organization_id is null) = (scope_id is null))
);
create index approval_rule_partition on approval_rule (access_partition(organization_id), id) where deleted_at is null;
grant select, insert, update on approval_rule to gatehouse_app;

-- One request that waits for approvals, or had them.
create table approval (
    id uuid primary key,
    organization_id uuid references scope_node (id) on delete restrict,
    -- Where it takes place; null for the instance.
    scope_id uuid references scope_node (id) on delete restrict,
    permission text not null check (length(permission) between 1 and 64),
    method text not null check (length(method) between 1 and 16),
    path text not null check (length(path) between 1 and 4096),
    -- As approvers see it: without secrets; null for none, and for what is no JSON.
    body jsonb,
    -- What would be changed, as it was when it was asked for, and as it would be; null for what is created.
    before jsonb,
    after jsonb,
    -- Of method, path, If-Match and the bytes of the body: it holds for this very request.
    request_sha256 bytea not null check (length(request_sha256) = 32),
    requester_kind text not null check (requester_kind in ('user', 'service_account', 'operator')),
    requester_id uuid not null,
    -- The API token that it was asked with.
    token_id uuid,
    reason text not null default '' check (length(reason) <= 500),
    rules uuid[] not null check (cardinality(rules) between 1 and 101),
    state text not null check (state in ('pending', 'approved', 'rejected', 'withdrawn', 'used', 'expired')),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    decided_at timestamptz,
    -- What was done with it.
    change_id uuid,
    check ((change_id is not null) = (state = 'used'))
);
create unique index approval_open on approval (requester_id, request_sha256) where state in ('pending', 'approved');
create index approval_organization on approval (organization_id, id);
create index approval_state on approval (state, id);
create index approval_requester on approval (requester_id, id);
grant select, insert, update, delete on approval to gatehouse_app;

create table approval_vote (
    approval_id uuid not null references approval (id) on delete cascade,
    subject_kind text not null check (subject_kind in ('user', 'service_account')),
    subject_id uuid not null,
    -- Whose user it is; null for the instance's.
    organization_id uuid,
    approves boolean not null,
    comment text not null default '' check (length(comment) <= 2000),
    created_at timestamptz not null,
    primary key (approval_id, subject_id)
);
create index approval_vote_subject on approval_vote (subject_id);
grant select, insert, update, delete on approval_vote to gatehouse_app;

-- Who had a token's text when it was made: what is asked with it is his request too.
alter table api_token_secret add column made_by uuid;
