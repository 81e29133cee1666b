-- The instance has events and webhooks of its own (organization_id null), as it has users and roles.

alter table event alter column organization_id drop not null;
alter table webhook alter column organization_id drop not null;
-- By whose they are, the instance's among them.
create index webhook_partition on webhook (access_partition(organization_id), id) where deleted_at is null;
drop index webhook_organization;
