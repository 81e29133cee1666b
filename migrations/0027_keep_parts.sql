-- What flows into the pool of a rate limit does so by the parts that were left then, not by those that are left when
-- somebody looks: a process that fell silent or was killed used its part until then.

-- Parts of 65536 by which granules flow in since `filled_at`.
alter table rate_limit_pool add column parts_left bigint not null default 65536 check (parts_left between 0 and 65536);
