-- What refused a request, or ended it, is kept with its record: who asks later is told the rule, and what was left.
alter table usage_event
    -- As in `BudgetLevel`; null where no single rule did.
    add column refused_level integer,
    -- A budget, a rate limit or a key: `code` says which.
    add column refused_by uuid,
    -- Nano-USD of a budget, units of a rate limit.
    add column refused_left bigint,
    add column refused_needed bigint;
