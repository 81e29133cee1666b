-- Budgets and rate limits of a tag: of what is below a node, only requests that have it count.

-- Both or none; of nodes only.
alter table budget
    add column tag_name text check (length(tag_name) between 1 and 40),
    add column tag_value text check (length(tag_value) between 1 and 64),
    add check ((tag_name is null) = (tag_value is null) and (tag_name is null or node_id is not null));
alter table rate_limit
    add column tag_name text check (length(tag_name) between 1 and 40),
    add column tag_value text check (length(tag_value) between 1 and 64),
    add check ((tag_name is null) = (tag_value is null) and (tag_name is null or node_id is not null));
-- Whether something of a node needs a tag that a project wants to take back.
create index budget_tag on budget (node_id, tag_name) where deleted_at is null and tag_name is not null;
create index rate_limit_tag on rate_limit (node_id, tag_name) where deleted_at is null and tag_name is not null;
