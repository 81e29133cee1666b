-- Corrections in the sums of usage, and sums by quarters of a day, so that a day of any zone is few rows.

-- Adds up whole numbers as such: sum() of them makes a numeric, at twice the time. Refuses what is too large.
create aggregate usage_sum(bigint) (sfunc = int8pl, stype = bigint, combinefunc = int8pl, parallel = safe);

-- What re-ratings changed, beside what was settled: after less before, signed.
alter table usage_minute add column corrections_nano_usd bigint not null default 0;
alter table usage_hour add column corrections_nano_usd bigint not null default 0;
alter table usage_day add column corrections_nano_usd bigint not null default 0;

-- From a day of UTC to one of a zone are at most two quarters of a day and three hours, and not twelve hours.
create table usage_quarter_day (like usage_hour including defaults, primary key (series_id, starts_at),
    foreign key (series_id) references usage_series (id) on delete restrict) with (fillfactor = 80);
do $$
declare
    names text;
    sums text;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum),
        string_agg(format('usage_sum(%I)', attname), ', ' order by attnum) into names, sums
    from pg_attribute
    where attrelid = 'usage_hour'::regclass and attnum > 0 and not attisdropped
        and attname not in ('starts_at', 'series_id');
    execute format('insert into usage_quarter_day (starts_at, series_id, %s)
        select date_bin(''6 hours'', starts_at, timestamptz ''epoch''), series_id, %s from usage_hour
        group by 1, 2 order by 1, 2', names, sums);
end $$;
create index usage_quarter_day_time on usage_quarter_day (starts_at);
grant select, insert, update, delete on usage_quarter_day to gatehouse_app;

-- What the ledger adds up every minute: the rows that have corrections, and no other.
create index usage_minute_corrected on usage_minute (corrections_nano_usd) where corrections_nano_usd <> 0;
create index usage_hour_corrected on usage_hour (corrections_nano_usd) where corrections_nano_usd <> 0;
create index usage_quarter_day_corrected on usage_quarter_day (corrections_nano_usd) where corrections_nano_usd <> 0;
create index usage_day_corrected on usage_day (corrections_nano_usd) where corrections_nano_usd <> 0;

-- A correction is added to the sums of the series of its record, in the minute in which that began. It knows the series
-- by itself: the record may go before.
alter table usage_correction
    -- The newest of a record says what it costs: of two replicas, clocks may differ.
    add column number bigint generated always as identity,
    add column series_id bigint references usage_series (id) on delete restrict;
insert into usage_series (organization_id, project_id, key_id, owner_id, model_id, provider_id, gateway_id, outcome,
    status)
select distinct e.organization_id, e.project_id, e.key_id,
    coalesce(e.owner_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(e.model_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(e.provider_id, '00000000-0000-0000-0000-000000000000'), e.gateway_id, e.outcome, e.status
from usage_event e join usage_correction c on c.stream_id = e.stream_id and c.seq = e.seq
on conflict do nothing;
update usage_correction c set series_id = s.id
from usage_event e join usage_series s on s.organization_id = e.organization_id and s.project_id = e.project_id
    and s.key_id = e.key_id and s.owner_id = coalesce(e.owner_id, '00000000-0000-0000-0000-000000000000')
    and s.model_id = coalesce(e.model_id, '00000000-0000-0000-0000-000000000000')
    and s.provider_id = coalesce(e.provider_id, '00000000-0000-0000-0000-000000000000')
    and s.gateway_id = e.gateway_id and s.outcome = e.outcome and s.status = e.status
where e.stream_id = c.stream_id and e.seq = c.seq;
-- Of a record that is no longer kept: the series with the most money of that key and model on that day.
update usage_correction c set series_id = (
    select s.id from usage_series s left join usage_day d on d.series_id = s.id
        and d.starts_at = date_trunc('day', c.started_at, 'UTC')
    where s.organization_id = c.organization_id and s.project_id = c.project_id and s.key_id = c.key_id
        and s.model_id = c.model_id
    order by d.cost_nano_usd desc nulls last, s.id limit 1)
where series_id is null;
alter table usage_correction alter column series_id set not null;
create index usage_correction_record on usage_correction (stream_id, seq, number);

-- Re-ratings whose corrections are not in the sums yet: written in the transaction that stores them, removed in the one
-- that adds them to every level. After the records that they correct, which came at `records_to` at the latest.
create table rerating_unfolded (
    rerating_id uuid primary key references rerating (id) on delete restrict,
    -- In this order: those of one model follow each other.
    number bigint generated always as identity unique,
    corrections bigint not null check (corrections > 0),
    difference_nano_usd bigint not null,
    records_to timestamptz not null,
    created_at timestamptz not null
);
grant select, insert, delete on rerating_unfolded to gatehouse_app;
insert into rerating_unfolded (rerating_id, corrections, difference_nano_usd, records_to, created_at)
select r.id, count(*), sum(c.after_nano_usd - c.before_nano_usd), now(), now()
from rerating r join usage_correction c on c.rerating_id = r.id group by r.id order by min(c.number);

-- Retention and the ledger know the new level and the corrections. The last check is made anew.
alter table usage_retention add column quarter_day_days integer check (quarter_day_days between 7 and 36500);
update usage_retention set quarter_day_days = hour_days;
alter table usage_dropped add column corrections_nano_usd bigint not null default 0,
    drop constraint usage_dropped_level_check,
    add constraint usage_dropped_level_check check (level in ('raw', 'minute', 'hour', 'quarter_day', 'day'));
insert into usage_dropped (level, before, records, cost_nano_usd, mispriced)
select 'quarter_day', before, records, cost_nano_usd, mispriced from usage_dropped where level = 'hour';
delete from ledger_check;
delete from ledger_level;
alter table ledger_level add column corrections_nano_usd bigint not null,
    drop constraint ledger_level_level_check,
    add constraint ledger_level_level_check check (level in ('minute', 'hour', 'quarter_day', 'day'));
alter table ledger_check add column corrections bigint not null, add column rerated bigint not null,
    add column unfolded_corrections bigint not null;
