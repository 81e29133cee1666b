-- Denials go to logs of their own, so that whoever is refused often cannot bury what was changed, nor wait behind it.
alter table audit_log add column lane text not null default 'changes' check (lane in ('changes', 'denials'));
alter table audit_log alter column lane drop default;
alter table audit_log drop constraint audit_log_organization_id_key;
alter table audit_log add constraint audit_log_organization_lane unique (organization_id, lane);
drop index audit_log_system;
create unique index audit_log_system on audit_log (lane) where organization_id is null;

-- The log of an organization (null: the system's) in a lane, made when there is none: what is sealed under a key of the
-- log needs its name before there is a leaf.
create function audit_log_open(organization uuid, in_lane text) returns uuid
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    found_id uuid;
begin
    insert into public.audit_log (id, organization_id, lane) values (gen_random_uuid(), organization, in_lane)
    on conflict do nothing;
    select l.id into found_id from public.audit_log l
    where l.lane = in_lane and (l.organization_id = organization or (organization is null and l.organization_id is null));
    return found_id;
end $$;

-- The only way in, as before, now into a lane: the index is given out under the log head's row lock, so that it has no
-- gap and follows the order of commits. Callers append last, the organizations' logs before the system's.
drop function audit_append(uuid, bytea);
create function audit_append(
    organization uuid, in_lane text, leaf bytea, out log uuid, out leaf_index bigint, out leaf_hash bytea)
language plpgsql security definer set search_path = pg_catalog, public as $$
begin
    if organization is null then
        insert into public.audit_log as l (id, organization_id, lane, size)
        values (gen_random_uuid(), null, in_lane, 1)
        on conflict (lane) where organization_id is null do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    else
        insert into public.audit_log as l (id, organization_id, lane, size)
        values (gen_random_uuid(), organization, in_lane, 1)
        on conflict (organization_id, lane) do update set size = l.size + 1
        returning l.id, l.size - 1 into log, leaf_index;
    end if;
    leaf_hash := sha256('\x00'::bytea || audit_append.leaf);
    insert into public.audit_leaf (log_id, index, leaf, hash) values (log, leaf_index, audit_append.leaf, leaf_hash);
end $$;
revoke execute on function audit_append(uuid, text, bytea), audit_log_open(uuid, text) from public;
grant execute on function audit_append(uuid, text, bytea), audit_log_open(uuid, text) to gatehouse_app;

-- Indexes that the plans on a populated database lacked.

-- Deleting a scope node asks whether it owns any.
create index provider_node on provider (node_id);
create index route_node on route (node_id);
-- Organizations, units and projects are listed apart from each other, routes by alias.
create index scope_node_kind on scope_node (kind, id);
create index route_by_alias on route (alias, id);
-- Each second the publisher looks at the gateways of a group; those that were removed are more in the end.
create index gateway_active on gateway (group_id, id) where status = 'active';
-- The policies of a snapshot are those of the keys that have restrictions.
create index virtual_key_restricted on virtual_key (organization_id)
    where deleted_at is null and (allowed_models is not null or cardinality(allowed_networks) > 0);
-- Removed a month after they were used or expired.
create index join_token_end on join_token (least(used_at, expires_at));
