-- The instance has events and webhooks of its own (organization_id null), as it has users and roles.

alter table event alter column organization_id drop not null;
alter table webhook alter column organization_id drop not null;
-- By whose they are, the instance's among them.
create index webhook_partition on webhook (access_partition(organization_id), id) where deleted_at is null;
drop index webhook_organization;

-- A person is forgotten: what was said of him is erased, and the key that his data in the audit log is under destroyed. The row
-- of a destroyed key stays, so that none is made again.
alter table user_account add column forgotten_at timestamptz;
alter table user_account add constraint user_account_forgotten_check check (forgotten_at is null or deleted_at is not null);

alter table subject_key alter column kek_id drop not null, alter column wrapped_key drop not null;
alter table subject_key add column forgotten_at timestamptz;
alter table subject_key add constraint subject_key_forgotten_check
    check ((kek_id is null) = (forgotten_at is not null) and (wrapped_key is null) = (forgotten_at is not null));

create function subject_key_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'a key that was destroyed does not come back' using errcode = 'insufficient_privilege';
end $$;
create trigger subject_key_forgotten before update or delete on subject_key
    for each row when (old.forgotten_at is not null) execute function subject_key_refuse();

-- What is erased of somebody's budgets and limits is erased of those that are deleted, too.
create index budget_of_owner on budget (owner_id) where owner_id is not null;
create index rate_limit_of_owner on rate_limit (owner_id) where owner_id is not null;
drop index budget_owner, rate_limit_owner;
