-- How long usage is kept, by level, and what went because of it. Nothing goes unless somebody has said so.

-- Whole days (UTC) besides today; null keeps for ever.
create table usage_retention (
    singleton boolean primary key default true check (singleton),
    raw_days integer check (raw_days between 2 and 36500),
    minute_days integer check (minute_days between 2 and 36500),
    hour_days integer check (hour_days between 7 and 36500),
    day_days integer check (day_days between 31 and 36500),
    revision bigint not null default 1,
    updated_at timestamptz not null default now()
);
insert into usage_retention default values;
grant select, update on usage_retention to gatehouse_app;

-- What is no longer there: the ledger counts it, and reports that need it are refused. What is left of before that
-- instant is on its way.
create table usage_dropped (
    level text primary key check (level in ('raw', 'minute', 'hour', 'day')),
    before timestamptz not null,
    records bigint not null,
    cost_nano_usd bigint not null,
    mispriced bigint not null default 0
);
grant select, insert, update on usage_dropped to gatehouse_app;

-- Drops the records of one day (UTC) of arrival, with its partition, when the settings want it and all of them are in
-- the sums. Never makes an ingest wait for more than a second.
--   dropped   it is gone                 none      there is no such partition
--   kept      it is not old enough       unfolded  some of its records are not in the sums yet
--   busy      somebody was reading it
create function usage_event_drop(day date) returns text language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
    name text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp at time zone 'UTC';
    high timestamptz := (day + 1)::timestamp at time zone 'UTC';
    keep integer;
    records bigint;
    cost bigint;
    wrong bigint;
begin
    select r.raw_days into keep from public.usage_retention r;
    if keep is null or day >= (now() at time zone 'UTC')::date - keep then return 'kept'; end if;
    if not exists (select from pg_inherits where inhparent = 'public.usage_event'::regclass
            and inhrelid = to_regclass('public.' || name)) then
        return 'none';
    end if;
    if exists (select from public.usage_unfolded u where u.ingested_at >= low and u.ingested_at < high) then
        return 'unfolded';
    end if;
    -- Added up before anybody has to wait: what arrived on a day that is over does not change.
    execute format(
        'select count(*), coalesce(sum(cost_nano_usd), 0)::bigint,
            count(*) filter (where cost_nano_usd <> checked_cost_nano_usd) from public.%I', name)
        into records, cost, wrong;
    begin
        lock table public.usage_event in access exclusive mode;
    exception when lock_not_available then
        return 'busy';
    end;
    insert into public.usage_dropped as d (level, before, records, cost_nano_usd, mispriced)
        values ('raw', high, records, cost, wrong)
        on conflict (level) do update set before = greatest(d.before, excluded.before),
            records = d.records + excluded.records, cost_nano_usd = d.cost_nano_usd + excluded.cost_nano_usd,
            mispriced = d.mispriced + excluded.mispriced;
    execute format('drop table public.%I', name);
    return 'dropped';
end $$;
revoke execute on function usage_event_drop(date) from public;
grant execute on function usage_event_drop(date) to gatehouse_app;

-- The days of arrival that have a partition.
create function usage_event_days() returns setof date language sql stable as $$
    select to_date(right(c.relname, 8), 'YYYYMMDD') from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.usage_event'::regclass and c.relname ~ '^usage_event_[0-9]{8}$'
    order by 1
$$;
