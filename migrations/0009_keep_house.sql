-- What one replica does once a minute: check the ledger, and make room ahead for usage.

-- The last check of the ledger. What lies before `events_to` and `days_to` was summed once and is not read again until
-- the next whole reading (once a day, and before a violation is reported).
create table ledger_check (
    singleton boolean primary key default true check (singleton),
    checked_at timestamptz not null,
    whole_at timestamptz not null,
    holds boolean not null,
    events bigint not null,
    rejected bigint not null,
    watermarks bigint not null,
    event_cost bigint not null,
    daily_cost bigint not null,
    mispriced bigint not null,
    events_to timestamptz not null,
    closed_events bigint not null,
    closed_event_cost bigint not null,
    closed_mispriced bigint not null,
    days_to date not null,
    closed_daily_cost bigint not null
);
grant select, insert, update, delete on ledger_check to gatehouse_app;

-- Makes the partition of one day (UTC) of usage. It never makes an ingest wait for more than a second, and none fail:
-- what has no partition goes to the default one.
--   made   it is there now                     there  it was there before
--   rows   the default partition has rows of that day: they stay where they are
--   large  the default partition is too large to be looked through while nobody can write to it
create function usage_event_partition(day date) returns text language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '1s' as $$
declare
    name text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp at time zone 'UTC';
    high timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
    if to_regclass('public.' || name) is not null then return 'there'; end if;
    if abs(day - (now() at time zone 'UTC')::date) > 7 then
        raise exception 'no partition is made for %', day using errcode = 'invalid_parameter_value';
    end if;
    if pg_relation_size('public.usage_event_default') > 256 * 1024 * 1024 then return 'large'; end if;
    if exists (select from public.usage_event_default where ingested_at >= low and ingested_at < high) then
        return 'rows';
    end if;
    execute format('create table public.%I (like public.usage_event including all)', name);
    execute format(
        'alter table public.usage_event attach partition public.%I for values from (%L) to (%L)', name, low, high);
    return 'made';
end $$;
revoke execute on function usage_event_partition(date) from public;
grant execute on function usage_event_partition(date) to gatehouse_app;
