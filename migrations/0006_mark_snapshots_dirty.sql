-- Every write to something that a snapshot says marks the chunk types it changes, for the groups that hold it, in its
-- own transaction; and wakes the publisher. Types are those of the snapshot format (snapshot.proto, ChunkType).

-- Marks types for the groups of an organization; for all groups when it is null (instance-wide rows).
create function snapshot_mark(organization uuid, types integer[]) returns void language plpgsql as $$
begin
    insert into snapshot_dirty (group_id, type)
    select g.id, t.type
    from gateway_group g cross join unnest(types) as t (type)
    where g.deleted_at is null
      and (organization is null or exists (
          select from gateway_group_organization o where o.group_id = g.id and o.organization_id = organization));
    perform pg_notify('gatehouse_snapshot', '');
end $$;

create function snapshot_organization_of(node uuid) returns uuid language sql stable as
$$ select organization_id from scope_node where id = node $$;

create function snapshot_mark_node() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(new.organization_id, array[1]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on scope_node for each row execute function snapshot_mark_node();

-- Marks the chunk that a key's secret is in.
create function snapshot_mark_digest(organization uuid, digest bytea) returns void language plpgsql as $$
begin
    insert into snapshot_dirty (group_id, type, bucket)
    select o.group_id, 4, get_byte(digest, 0) * 256 + get_byte(digest, 1)
    from gateway_group_organization o where o.organization_id = organization;
    perform pg_notify('gatehouse_snapshot', '');
end $$;

create function snapshot_mark_key() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        perform snapshot_mark_digest(new.organization_id, digest) from virtual_key_secret where key_id = new.id;
    end if;
    if new.allowed_models is not null or cardinality(new.allowed_networks) > 0 then
        perform snapshot_mark(new.organization_id, array[3]);
    end if;
    return null;
end $$;
create trigger snapshot_dirty after insert or update on virtual_key for each row execute function snapshot_mark_key();

create function snapshot_mark_key_secret() returns trigger language plpgsql as $$
declare
    organization uuid;
begin
    select organization_id into organization from virtual_key where id = coalesce(new.key_id, old.key_id);
    perform snapshot_mark_digest(organization, coalesce(new.digest, old.digest));
    return null;
end $$;
create trigger snapshot_dirty after insert or update or delete on virtual_key_secret
    for each row execute function snapshot_mark_key_secret();

-- A provider decides whether its credentials and models are usable.
create function snapshot_mark_provider() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(snapshot_organization_of(new.node_id), array[5, 6, 7]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on provider for each row execute function snapshot_mark_provider();

create function snapshot_mark_of_provider() returns trigger language plpgsql as $$
declare
    node uuid;
begin
    select node_id into node from provider where id = new.provider_id;
    perform snapshot_mark(snapshot_organization_of(node), array[tg_argv[0]::integer]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on credential
    for each row execute function snapshot_mark_of_provider('6');
create trigger snapshot_dirty after insert or update on model
    for each row execute function snapshot_mark_of_provider('7');

create function snapshot_mark_route() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(snapshot_organization_of(new.node_id), array[8]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on route for each row execute function snapshot_mark_route();

create function snapshot_mark_price() returns trigger language plpgsql as $$
begin
    perform snapshot_mark(null, array[9]);
    return null;
end $$;
create trigger snapshot_dirty after insert or update on price for each row execute function snapshot_mark_price();

create function snapshot_mark_group() returns trigger language plpgsql as $$
begin
    insert into snapshot_dirty (group_id, type) values (new.id, 0);
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
create trigger snapshot_dirty after insert or update on gateway_group
    for each row execute function snapshot_mark_group();

create function snapshot_mark_membership() returns trigger language plpgsql as $$
begin
    insert into snapshot_dirty (group_id, type)
    select id, 0 from gateway_group where id = coalesce(new.group_id, old.group_id);
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
create trigger snapshot_dirty after insert or delete on gateway_group_organization
    for each row execute function snapshot_mark_membership();

create function snapshot_mark_gateway() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or new.status is distinct from old.status or new.sealing_key is distinct from old.sealing_key then
        insert into snapshot_dirty (group_id, type) values (new.group_id, 100);
        perform pg_notify('gatehouse_snapshot', '');
    end if;
    return null;
end $$;
create trigger snapshot_dirty after insert or update on gateway for each row execute function snapshot_mark_gateway();

-- A change is pending in the groups of its organization, or in all of them.
create function change_mark_pending() returns trigger language plpgsql as $$
begin
    insert into change_pending (change_id, group_id)
    select new.id, g.id from gateway_group g
    where g.deleted_at is null
      and (new.organization_id is null or exists (
          select from gateway_group_organization o
          where o.group_id = g.id and o.organization_id = new.organization_id));
    perform pg_notify('gatehouse_snapshot', '');
    return null;
end $$;
create trigger change_pending after insert on change for each row execute function change_mark_pending();
