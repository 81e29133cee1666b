-- Keys belong to users or service accounts, and so do budgets and rate limits: all that one's keys use, wherever they are.

alter table virtual_key add column owner_kind text check (owner_kind in ('user', 'service_account'));
alter table budget add column owner_kind text check (owner_kind in ('user', 'service_account'));
alter table rate_limit add column owner_kind text check (owner_kind in ('user', 'service_account'));
create index virtual_key_owner on virtual_key (owner_id) where owner_id is not null;

-- Keys of one who may not act any more are refused with the next snapshot.
create function snapshot_mark_owner() returns trigger language plpgsql as $$
begin
    if exists (select from virtual_key where owner_id = new.id and deleted_at is null) then
        perform snapshot_mark(new.organization_id, array[2]);
    end if;
    return null;
end $$;
create trigger snapshot_dirty after update of status, deleted_at on user_account
    for each row execute function snapshot_mark_owner();
create trigger snapshot_dirty after update of status, deleted_at on service_account
    for each row execute function snapshot_mark_owner();

-- A key brings its owner into the snapshot.
create function snapshot_mark_owned_key() returns trigger language plpgsql as $$
begin
    if new.owner_id is not null or (tg_op = 'UPDATE' and old.owner_id is not null) then
        perform snapshot_mark(new.organization_id, array[2]);
    end if;
    return null;
end $$;
create trigger snapshot_dirty_owner after insert or update of owner_id, deleted_at on virtual_key
    for each row execute function snapshot_mark_owned_key();
