-- Tags: names that a project declares, values that keys have of their own, and the sets that requests had.

-- An array of {name, required} by ascending name; of projects only.
alter table scope_node add column tags jsonb not null default '[]'
    check (jsonb_typeof(tags) = 'array' and jsonb_array_length(tags) <= 16 and (kind = 'project' or tags = '[]'));
-- Values by name, each declared on the key's project.
alter table virtual_key add column tags jsonb not null default '{}' check (jsonb_typeof(tags) = 'object');

-- A key's tags are in the policy that its row of a snapshot names.
drop index virtual_key_restricted;
create index virtual_key_restricted on virtual_key (organization_id)
    where deleted_at is null and (allowed_models is not null or cardinality(allowed_networks) > 0 or tags <> '{}');
create or replace function snapshot_mark_key() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        perform snapshot_mark_digest(new.organization_id, digest) from virtual_key_secret where key_id = new.id;
    end if;
    if new.allowed_models is not null or cardinality(new.allowed_networks) > 0 or new.tags <> '{}' then
        perform snapshot_mark(new.organization_id, array[3]);
    end if;
    return null;
end $$;

-- Every set of tags that requests of an organization had, once. 0 stands for none.
create table usage_tag_set (
    id bigint generated always as identity primary key,
    organization_id uuid not null references scope_node (id) on delete restrict,
    -- The one text form, name=value,name=value with ascending names: at most 1696 bytes, what an index can hold.
    text text not null check (octet_length(text) between 1 and 1696),
    -- The same as an object; {"(other)": "(other)"} for all sets beyond the bound of an organization.
    tags jsonb not null,
    unique (organization_id, text)
);
-- Requests with a certain value.
create index usage_tag_set_tags on usage_tag_set using gin (tags jsonb_path_ops);

-- How many sets an organization has. Its row is held while sets are added.
create table usage_tag_count (
    organization_id uuid primary key references scope_node (id) on delete restrict,
    sets bigint not null default 0 check (sets >= 0)
);
grant select, insert, update, delete on usage_tag_set, usage_tag_count to gatehouse_app;

alter table usage_event add column tag_set_id bigint not null default 0;

-- A dimension of the sums.
alter table usage_series add column tag_set_id bigint not null default 0;
do $$
declare
    old text;
begin
    select conname into strict old from pg_constraint where conrelid = 'usage_series'::regclass and contype = 'u';
    execute format('alter table usage_series drop constraint %I', old);
end $$;
alter table usage_series add constraint usage_series_dimensions unique (organization_id, project_id, key_id, owner_id,
    model_id, provider_id, gateway_id, outcome, status, tag_set_id);
